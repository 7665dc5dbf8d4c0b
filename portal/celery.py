"""The Celery application. Tasks have the names of the services they call; see each app's tasks.py."""

import os

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

# Taking Offision's calls and answering turnstiles come before working things off.
NICENESS = 5


@worker_init.connect
def _give_way(**_kwargs: object) -> None:
    os.nice(NICENESS)


app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
