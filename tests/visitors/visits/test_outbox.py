"""Check-ins and check-outs are sent to Offision."""

import pytest
from django.db import connection, transaction

from portal.audit.models import Entry
from portal.core import tasks
from tests.places import NOW
from visitors.models import Visit, VisitStatusUpdate
from visitors.visits import outbox, prefetch


@pytest.fixture
def updating(turnstiles):
    turnstiles.configure("in", statuses_in=["expected", "checked_in"], updates_visit_status=True)
    return turnstiles


def status_at_offision(turnstiles, code):
    turnstiles.scan(code, at="both", direction="in")
    return Visit.objects.get(verifications__turnstile__name="both").status


def test_a_check_in_is_sent_and_the_code_deleted(updating):
    updating.scan("NEW1")
    outbox.send_status_updates()
    update = VisitStatusUpdate.objects.get()
    assert update.done_at
    assert update.code is None
    assert status_at_offision(updating, "NEW1") == "checked_in"
    assert Entry.objects.get(action="visitor.check_in").outcome == "done"


def test_the_code_of_a_waiting_update_is_encrypted(updating):
    updating.scan("NEW1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT code FROM visitors_visitstatusupdate")
        assert "NEW1" not in cursor.fetchone()[0]
    assert VisitStatusUpdate.objects.get().code == "NEW1"


def test_only_a_passage_sends_the_update(updating):
    updating.configure("in", reports_passages=True)
    answer = updating.scan("NEW1")
    outbox.send_status_updates()
    assert VisitStatusUpdate.objects.get().attempts == 0
    updating.report_passage(answer, passed=False)
    assert not VisitStatusUpdate.objects.exists()


def test_a_visitor_with_the_right_status_needs_no_update(updating):
    updating.scan("GOOD1")
    assert not VisitStatusUpdate.objects.exists()


def test_a_failed_update_is_sent_again_after_reading_the_status(updating, later):
    updating.scan("NEW1")
    updating.place.offision_fault("error")
    outbox.send_status_updates()
    update = VisitStatusUpdate.objects.get()
    assert update.last_error
    assert update.next_attempt_at > NOW
    updating.place.offision_fault(None)
    updating.set_visit("NEW1", status="checked_in")  # it had arrived after all
    with later(3600):
        outbox.send_status_updates()
    assert VisitStatusUpdate.objects.get().done_at


def test_a_refused_update_is_given_up_with_its_reason(updating):
    updating.scan("NEW1")
    updating.set_visit("NEW1", status="cancelled")
    outbox.send_status_updates()
    update = VisitStatusUpdate.objects.get()
    assert update.done_at is None
    assert update.next_attempt_at is None
    assert "409" in str(update.last_error)
    assert update.code is None
    assert Entry.objects.get(action="visitor.check_in").outcome == "failed"


def test_an_update_that_was_given_up_keeps_its_reason_when_the_passage_is_reported(updating):
    answer = updating.scan("NEW1")
    updating.set_visit("NEW1", status="cancelled")
    outbox.send_status_updates()
    reason = VisitStatusUpdate.objects.get().last_error
    updating.report_passage(answer, passed=True)
    outbox.send_status_updates()
    assert VisitStatusUpdate.objects.get().last_error == reason
    assert Entry.objects.filter(action="visitor.check_in").count() == 1


def test_a_departure_does_not_overtake_the_arrival_before_it(updating, later):
    updating.configure("out", updates_visit_status=True)
    updating.scan("NEW1")
    updating.place.offision_fault("error")
    outbox.send_status_updates()
    updating.place.offision_fault(None)
    updating.set_visit("NEW1", status="checked_in")
    updating.scan("NEW1", at="out")
    outbox.send_status_updates()
    assert [u.change for u in VisitStatusUpdate.objects.filter(done_at__isnull=False)] == []
    with later(3600):
        outbox.send_status_updates()
        outbox.send_status_updates()
    assert VisitStatusUpdate.objects.filter(done_at__isnull=False).count() == 2
    assert status_at_offision(updating, "NEW1") == "checked_out"


def test_an_offline_arrival_is_sent_too(updating):
    prefetch.prefetch_visits()
    report = {"code": "NEW1", "decision": "allow", "at": NOW.isoformat()}
    assert updating.post("verifications/offline", report).status_code == 201
    outbox.send_status_updates()
    assert VisitStatusUpdate.objects.get().done_at


def test_an_offline_arrival_is_not_sent_after_the_visitor_left(updating, later):
    prefetch.prefetch_visits()
    updating.configure("out", statuses_out=["expected", "checked_in"], updates_visit_status=True)
    with later(60):
        updating.scan("NEW1", at="out")
        report = {"code": "NEW1", "decision": "allow", "at": NOW.isoformat()}
        assert updating.post("verifications/offline", report).status_code == 201
    assert [update.change for update in VisitStatusUpdate.objects.all()] == ["check_out"]


def test_an_update_whose_visitor_did_not_pass_is_in_the_audit_log(updating):
    answer = updating.scan("NEW1")
    outbox.send_status_updates()
    updating.report_passage(answer, passed=False)
    assert Entry.objects.filter(action="visitor.check_in", outcome="failed").count() == 1


def test_a_passage_wakes_a_worker_after_the_commit(updating, monkeypatch, django_capture_on_commit_callbacks):
    messages = []
    monkeypatch.setattr(tasks, "transaction", transaction)  # the doorbells of a place ring at once
    monkeypatch.setattr(tasks, "publish", lambda name, args: messages.append((name, *args)))
    with django_capture_on_commit_callbacks(execute=True):
        updating.scan("NEW1")
        assert messages == []
    assert messages == [("visitors.tasks.send_status_updates",)]
