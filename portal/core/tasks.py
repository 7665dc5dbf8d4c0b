"""Waking workers: a task is sent by its name, so that a service need not import the tasks that call it."""

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)

# A connection that the broker has closed meanwhile is opened again once, at once. A request waits for no more.
_RETRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}


def send_task(name: str, *args: object, **options: object) -> None:
    """Wake a worker for the task `name` once this transaction is committed; at once where there is none.

    `options`: Celery's, such as `expires` (seconds after which no worker need run it) and `countdown`.

    Never raises. The work itself is a row of the database: while the broker is down, the periodic tasks find it.
    """

    def publish_after_commit() -> None:
        try:
            publish(name, args, **options)
        except (OperationalError, OSError) as error:
            log.warning("broker unreachable: the task was not sent", task=name, error=str(error))

    transaction.on_commit(publish_after_commit, robust=True)


def publish(name: str, args: tuple[object, ...], **options: object) -> None:
    """Give one message to the broker. Raises OperationalError or OSError."""
    current_app.send_task(name, args=args, retry_policy=_RETRY, **options)
