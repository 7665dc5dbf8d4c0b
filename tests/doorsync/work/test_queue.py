"""The counters, with workers at once: real threads, real transactions."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from accessmap.models import AccessPolicy, Resource, Site
from doorsync.models import ResourceSync
from doorsync.work import queue
from tests.places import NOW


@pytest.fixture
def row(db):
    return make_row()


def make_row():
    site = Site.objects.create(name="s", time_zone="UTC")
    policy = AccessPolicy.objects.create(name="p")
    resource = Resource.objects.create(site=site, external_id="r", name="r", policy=policy)
    return ResourceSync.objects.create(resource=resource)


def rows():
    return ResourceSync.objects.all()


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_gets_the_row():
    make_row()
    together = threading.Barrier(8)

    def work(_):
        try:
            together.wait()
            return queue.claim(rows(), NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        taken = [claim for claim in pool.map(work, range(8)) if claim]
    assert len(taken) == 1


def test_what_is_asked_for_during_the_work_stays_asked_for(row):
    claim = queue.claim(rows(), NOW)
    queue.ask_resources([row.resource_id], cause="test")
    assert queue.claim(rows(), NOW) is None, "somebody is at it"
    assert queue.finish(claim, answered=True)
    again = queue.claim(rows(), NOW)
    assert again.requested == claim.requested + 1


def test_a_worker_that_died_is_replaced_and_cannot_finish_afterwards(row):
    dead = queue.claim(rows(), NOW)
    later = NOW + queue.LEASE + timedelta(seconds=1)
    heir = queue.claim(rows(), later)
    assert heir is not None
    assert not queue.finish(dead, answered=True)
    assert queue.finish(heir, answered=True)
    assert queue.claim(rows(), later) is None


def test_work_that_breaks_says_so_and_waits(row):
    claim = queue.claim(rows(), NOW)
    with pytest.raises(ZeroDivisionError), queue.given_back(claim):
        1 / 0  # noqa: B018
    row.refresh_from_db()
    assert "ZeroDivisionError" in row.trouble
    assert row.claim is None
    assert row.requested > row.done
    assert row.failures == 1


def test_a_bell_that_nobody_heard_is_rung_again(row):
    rows().update(woken_at=NOW)
    assert not queue.due(rows(), NOW + timedelta(seconds=1)).exists()
    assert queue.due(rows(), NOW + queue.RING_AGAIN + timedelta(seconds=1)).exists()


def test_backing_off_doubles_and_ends():
    waits = [queue.backoff(n).total_seconds() for n in range(1, 20)]
    assert waits[:3] == [2, 4, 8]
    assert waits == sorted(waits)
    assert waits[-1] == 300
