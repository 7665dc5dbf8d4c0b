"""Tasks: the schedule and the services name tasks that exist."""

from celery import current_app
from django.conf import settings

from visitors.visits import outbox, prefetch


def test_every_scheduled_task_of_visitors_exists():
    current_app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    names = {name for name in scheduled if name.startswith("visitors.")}
    assert names == {"visitors.tasks.send_status_updates", "visitors.tasks.prefetch_visits"}
    assert names <= set(current_app.tasks)


def test_a_task_calls_the_service_of_its_name(monkeypatch):
    current_app.loader.import_default_modules()
    called = []
    for module, name in ((outbox, "send_status_updates"), (prefetch, "prefetch_visits")):
        monkeypatch.setattr(module, name, lambda name=name: called.append(name))
        current_app.tasks[f"visitors.tasks.{name}"]()
    assert called == ["send_status_updates", "prefetch_visits"]
