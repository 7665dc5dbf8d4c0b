"""The Celery application. Tasks have the names of the services they call; see each app's tasks.py."""

import os

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init

from portal.embedded import broker  # noqa: F401 (it makes files:// known)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

# The web server, which takes callbacks and answers turnstiles, comes before the worker.
NICENESS = 5

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _leave_logging_alone(**_kwargs: object) -> None:
    """Django has configured logging; Celery configures none where this signal has a receiver."""


@worker_init.connect
@beat_init.connect
def _start(sender: object, **_kwargs: object) -> None:
    import django

    from portal.checks import stop_on_errors

    django.setup()
    stop_on_errors()


@worker_init.connect
def _give_way(**_kwargs: object) -> None:
    os.nice(NICENESS)
