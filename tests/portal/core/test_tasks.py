"""Tasks are sent by name, after the commit, and a broker that is down stops nobody."""

import pytest
from celery import Celery
from django.db import transaction

from portal.core import tasks


@pytest.fixture
def published(monkeypatch):
    messages = []
    monkeypatch.setattr(tasks, "publish", lambda name, args: messages.append((name, *args)))
    return messages


@pytest.mark.django_db(transaction=True)
def test_a_task_is_sent_once_its_transaction_is_committed(published):
    with transaction.atomic():
        tasks.send_task("some.task", 1)
        assert published == []
    assert published == [("some.task", 1)]
    tasks.send_task("other.task")
    assert published[1:] == [("other.task",)], "outside a transaction, at once"


@pytest.mark.django_db(transaction=True)
def test_a_task_of_a_transaction_that_is_rolled_back_is_not_sent(published):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        tasks.send_task("some.task", 1)
        raise ZeroDivisionError
    assert published == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("atomic", [True, False])
def test_a_broker_that_is_down_is_logged_and_raises_nothing(monkeypatch, caplog, atomic):
    app = Celery("test", broker="redis://127.0.0.1:1//", set_as_current=False)
    app.conf.broker_transport_options = {"socket_connect_timeout": 1}
    monkeypatch.setattr(tasks, "current_app", app)
    if atomic:
        with transaction.atomic():
            tasks.send_task("some.task", 1)
    else:
        tasks.send_task("some.task", 1)
    assert "some.task" in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_message_that_can_not_be_made_is_logged_and_raises_nothing(monkeypatch, caplog):
    app = Celery("test", broker="memory://", set_as_current=False)
    monkeypatch.setattr(tasks, "current_app", app)
    tasks.send_task("some.task", object())
    assert "publish_after_commit" in caplog.text
