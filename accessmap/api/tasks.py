"""Celery tasks. Each has the name of the service that it calls."""

from celery import shared_task


@shared_task
def delete_old_responses() -> None:
    from accessmap.api import idempotency

    idempotency.delete_old_responses()
