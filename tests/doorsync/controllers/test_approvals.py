"""What staff decide about controllers, also beside a worker that died or that writes at the same moment."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accessmap.models import Card, Controller
from doorsync.controllers import approvals, lost_cards, reconcile, store
from doorsync.controllers.problems import OVERTAKEN
from doorsync.drivers.base import Refused
from doorsync.models import ControllerCard, ControllerSync, SchedulerState, StoredBooking, UnmanagedCard
from doorsync.work import queue, scheduler
from portal.core import clock
from tests.places import NOW, building


def rows():
    return ControllerSync.objects.filter(controller__name="box")


def test_a_device_can_be_forgotten_after_its_worker_died(place):
    place.fetch()
    place.reconcile()
    rows().update(last_error=[], observed_generation=0)
    assert queue.lease(rows(), NOW) is not None  # the worker dies here
    Controller.objects.filter(name="box").update(enabled=False)
    assert approvals.forget_devices(rows(), actor="ann") == 0, "the worker may still be alive"
    with clock.stopped_at(NOW + queue.LEASE + timedelta(seconds=1)):
        assert approvals.forget_devices(rows(), actor="ann") == 1
    assert not ControllerCard.objects.filter(controller__name="box").exists()


def test_a_card_that_is_refused_again_costs_no_write(place):
    place.fetch()
    place.box("PUT", "faults", {"refuse": True})
    place.reconcile()
    assert ControllerCard.objects.filter(state="failed").exists()
    with CaptureQueriesContext(connection) as statements:
        place.reconcile()
    assert not [q["sql"] for q in statements if q["sql"].startswith('UPDATE "doorsync_controllercard"')]


def test_an_approval_counts_once_though_another_card_is_refused(place, settings, monkeypatch):
    settings.APPROVE_REVOCATIONS_OVER = 0
    write = reconcile._write

    def refuse_1003(driver, change):
        if change.target == "1003":
            raise Refused(OVERTAKEN())
        write(driver, change)

    place.fetch()
    place.reconcile()
    bookings = list(StoredBooking.objects.all())
    place.box("DELETE", "cards/1003")
    monkeypatch.setattr(reconcile, "_write", refuse_1003)
    StoredBooking.objects.all().delete()
    place.reconcile()
    assert approvals.approve(rows(), actor="ann") == 1
    place.reconcile()
    assert "1001" not in place.cards()
    StoredBooking.objects.bulk_create(bookings)
    place.reconcile()
    assert "1001" in place.cards()
    StoredBooking.objects.all().delete()
    place.reconcile()
    assert rows().get().pending_plan, "the same cards would go: that is another plan"
    assert "1001" in place.cards()


def blocked() -> bool:
    """Whether some connection to this database waits for another one's lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_adopting_a_card_while_a_reconciliation_ends_does_not_deadlock(start_place, monkeypatch):
    SchedulerState.objects.get_or_create(pk=1)
    place = start_place(building())
    place.box("PUT", "cards/9999", {"doors": {"1": [[None, None]]}})
    place.fetch()
    place.reconcile()
    real = store._save_unmanaged
    adopted: list[Future] = []

    def adopt():
        try:
            return approvals.adopt(UnmanagedCard.objects.all(), actor="ann")
        finally:
            connection.close()

    def save_while_staff_adopt(*args):
        adopted.append(pool.submit(adopt))
        while not (adopted[0].done() or blocked()):
            pass
        UnmanagedCard.objects.update(wanted=True)  # what the end of a reconciliation writes, if anything changed
        real(*args)

    with ThreadPoolExecutor(1) as pool, monkeypatch.context() as patch:
        patch.setattr(store, "_save_unmanaged", save_while_staff_adopt)
        assert place.reconcile().in_step
    assert adopted[0].result() == 1


@pytest.mark.django_db(transaction=True)
def test_reporting_a_card_lost_during_a_tick_does_not_deadlock(start_place, monkeypatch):
    """The tick holds a controller with a higher key, by a map change, and one with a lower key, at its edge."""
    SchedulerState.objects.get_or_create(pk=1)
    place = start_place(building())
    place.fetch()
    for name in ("box", "old"):
        place.reconcile(name)
    scheduler.tick()
    low, high = ControllerSync.objects.order_by("pk")[:2]
    ControllerSync.objects.filter(pk=low.pk).update(next_edge_at=NOW)
    Controller.objects.filter(pk=high.controller_id).update(name="renamed")
    card = Card.objects.get(number="1003")
    enqueue = queue.enqueue
    reported: list[Future] = []

    def report():
        try:
            return lost_cards.report_lost([card.pk], actor="ann")[1]
        finally:
            connection.close()

    def enqueue_while_staff_report(*args, **options):
        enqueued = enqueue(*args, **options)
        if not reported:
            reported.append(pool.submit(report))
            while not (reported[0].done() or blocked()):
                pass
        return enqueued

    with ThreadPoolExecutor(1) as pool, monkeypatch.context() as patch:
        patch.setattr(queue, "enqueue", enqueue_while_staff_report)
        scheduler.tick()
    assert reported[0].result() == 2
    card.refresh_from_db()
    assert card.status == "lost"
