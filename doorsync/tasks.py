"""Celery tasks. Each has the name of the service that it calls; what is to be done stands in the database.

Services wake a task by its name (portal.core.tasks.send_task); nobody imports this module.
"""

from uuid import UUID

from celery import shared_task


@shared_task
def fetch_bookings(resource_id: int) -> None:
    from doorsync.bookings import fetch

    fetch.fetch_bookings(resource_id)


@shared_task
def reconcile_controller(controller_id: int) -> None:
    from doorsync.controllers import reconcile

    # What was requested meanwhile is done at once: no other worker could lease the row.
    while reconcile.reconcile_controller(controller_id):
        pass


@shared_task
def tick() -> None:
    from doorsync.work import scheduler

    scheduler.tick()


@shared_task
def drain_events(controller_id: int) -> None:
    from doorsync.controllers import events

    # A controller hands out some hundreds at once: after an outage it is asked until there are no more.
    while events.drain_events(controller_id):
        pass


@shared_task
def enqueue_event_reads() -> None:
    from doorsync.work import scheduler

    scheduler.enqueue_event_reads()


@shared_task
def list_resources() -> None:
    from doorsync.bookings import resources

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
