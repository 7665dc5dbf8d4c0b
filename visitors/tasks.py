"""Celery's doorbells. Each has the name of the service that it calls; what is to be done stands in the database."""

from celery import shared_task


@shared_task
def tell_offision() -> None:
    from visitors.visits import outbox

    outbox.tell_offision()


@shared_task
def prefetch_visits() -> None:
    from visitors.visits import prefetch

    prefetch.prefetch_visits()
