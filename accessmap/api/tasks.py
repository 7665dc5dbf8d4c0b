"""Celery's doorbells. Each has the name of the service that it calls."""

from celery import shared_task


@shared_task
def forget_old_answers() -> None:
    from accessmap.api import idempotency

    idempotency.forget_old_answers()
