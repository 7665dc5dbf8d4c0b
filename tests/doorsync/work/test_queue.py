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
            return queue.lease(rows(), NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        taken = [claim for claim in pool.map(work, range(8)) if claim]
    assert len(taken) == 1


def test_what_is_asked_for_during_the_work_stays_asked_for(row):
    claim = queue.lease(rows(), NOW)
    queue.enqueue_resources([row.resource_id], cause="test")
    assert queue.lease(rows(), NOW) is None, "somebody is at it"
    assert queue.release(claim, observed=True)
    again = queue.lease(rows(), NOW)
    assert again.generation == claim.generation + 1


def test_a_worker_that_died_is_replaced_and_cannot_finish_afterwards(row):
    dead = queue.lease(rows(), NOW)
    later = NOW + queue.LEASE + timedelta(seconds=1)
    heir = queue.lease(rows(), later)
    assert heir is not None
    assert not queue.release(dead, observed=True)
    assert queue.release(heir, observed=True)
    assert queue.lease(rows(), later) is None


def test_work_that_breaks_says_so_and_waits(row):
    claim = queue.lease(rows(), NOW)
    with pytest.raises(ZeroDivisionError), queue.release_on_error(claim):
        1 / 0  # noqa: B018
    row.refresh_from_db()
    assert "ZeroDivisionError" in str(row.last_error)
    assert row.lease_token is None
    assert row.generation > row.observed_generation
    assert row.failures == 1


@pytest.mark.parametrize("at_once", [True, False])
def test_a_back_off_delays_no_request_at_once_that_came_during_the_work(row, at_once):
    leased = queue.lease(rows(), NOW)
    with pytest.raises(ZeroDivisionError), queue.release_on_error(leased):
        queue.enqueue(rows(), at_once=at_once)
        raise ZeroDivisionError
    assert queue.leasable(rows(), NOW).exists() is at_once


def test_a_bell_that_nobody_heard_is_rung_again(row):
    rows().update(enqueued_at=NOW)
    assert not queue.due(rows(), NOW + timedelta(seconds=1)).exists()
    assert queue.due(rows(), NOW + queue.SEND_AGAIN_AFTER + timedelta(seconds=1)).exists()


def test_backing_off_doubles_and_ends():
    waits = [queue.backoff(n).total_seconds() for n in range(1, 20)]
    assert waits[:3] == [2, 4, 8]
    assert waits == sorted(waits)
    assert waits[-1] == 300
