"""Celery's doorbells. Each has the name of the service that it calls; what is to be done stands in the database."""

from uuid import UUID

from celery import shared_task

from doorsync.bookings import resources


@shared_task
def fetch_bookings(resource_id: int) -> None:
    from doorsync.bookings import fetch

    fetch.fetch_bookings(resource_id)


@shared_task
def reconcile_controller(controller_id: int) -> None:
    from doorsync.controllers import reconcile

    # What was asked for meanwhile is done at once: nobody else was let in.
    while reconcile.reconcile_controller(controller_id):
        pass


@shared_task
def tick() -> None:
    from doorsync.work import scheduler

    scheduler.tick()


@shared_task
def drain_events(controller_id: int) -> None:
    from doorsync.controllers import events

    # A controller tells some hundreds at once: after an outage it is asked until it has told all.
    while events.drain_events(controller_id):
        pass


@shared_task
def enqueue_event_reads() -> None:
    from doorsync.work import scheduler

    scheduler.enqueue_event_reads()


@shared_task
def list_resources() -> None:

    resources.list_resources()


@shared_task
def keep_subscribed() -> None:
    from doorsync.bookings import subscription

    subscription.keep_subscribed()


@shared_task
def send_notices() -> None:
    from doorsync.notices import delivery

    delivery.send_notices()


@shared_task
def run_job(job_id: str) -> None:
    from doorsync.work import jobs

    jobs.run(UUID(job_id))
