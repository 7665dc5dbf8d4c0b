"""Celery tasks. Each has the name of the service that it calls; nobody imports this module."""

from celery import shared_task

from visitors.visits import outbox, prefetch


@shared_task
def send_status_updates() -> None:
    outbox.send_status_updates()


@shared_task
def prefetch_visits() -> None:
    prefetch.prefetch_visits()
