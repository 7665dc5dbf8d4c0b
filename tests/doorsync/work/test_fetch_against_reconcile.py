"""A fetch and a reconciliation of the same controller at the same moment: neither may wait for the other for ever."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.db import connection

from doorsync.controllers import store
from doorsync.models import BookingFetch, SchedulerState
from tests.places import building


def blocked() -> bool:
    """Whether some connection to this database waits for another one's lock."""
    with connection.cursor() as cursor:
        # Not pg_stat_activity: that stays as it was first seen in a transaction.
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_fetch_that_falls_between_an_outcome_and_its_end_is_confirmed(start_place, monkeypatch):
    SchedulerState.objects.get_or_create(pk=1)  # another test with real commits may have emptied the tables
    place = start_place(building())
    place.fetch()
    real = store._confirm_fetches
    fetched: list[Future] = []

    def fetch():
        try:
            return place.fetch().pk
        finally:
            connection.close()

    def confirm_and_let_a_fetch_come(*args):
        real(*args)
        fetched.append(pool.submit(fetch))
        while not (fetched[0].done() or blocked()):
            pass

    with ThreadPoolExecutor(1) as pool, monkeypatch.context() as patch:
        patch.setattr(store, "_confirm_fetches", confirm_and_let_a_fetch_come)
        place.reconcile()
    answer = BookingFetch.objects.get(pk=fetched[0].result())
    assert answer.outcome == BookingFetch.Outcome.UNCHANGED
    assert answer.confirmed_at is not None
