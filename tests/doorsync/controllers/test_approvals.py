"""What staff decide about controllers, also beside a worker that died or that writes at the same moment."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accessmap.models import Controller
from doorsync.controllers import approvals, store
from doorsync.models import ControllerCard, ControllerSync, SchedulerState, UnmanagedCard
from doorsync.work import queue
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
