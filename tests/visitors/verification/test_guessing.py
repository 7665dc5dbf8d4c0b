"""Guessing of codes is throttled, and rejected scans are counted."""

import threading

import pytest

from portal.audit.models import Entry
from tests.places import NOW
from visitors.models import ThrottledScans, Turnstile
from visitors.verification import guessing


def test_after_many_unknown_codes_only_known_ones_are_looked_up(turnstiles, monkeypatch):
    turnstiles.scan("GOOD1")
    for n in range(guessing.UNKNOWN_PER_DEVICE):
        assert turnstiles.scan(f"GUESS{n}").status_code == 200
    look_ups = turnstiles.look_ups()
    answer = turnstiles.scan("GUESS-ONE-MORE")
    assert answer.status_code == 429
    assert answer.json()["reasons"] == ["throttled"]
    assert int(answer.headers["Retry-After"]) > 0
    assert turnstiles.scan("NEW1").status_code == 429, "nor is a real one that was never seen: nobody can tell"
    monkeypatch.setattr(guessing, "_next_try_at", {})
    assert turnstiles.scan("NEW1").status_code == 200, "but one in a while is looked up"
    assert turnstiles.look_ups() == look_ups + 1
    assert turnstiles.scan("GOOD1").json()["decision"] == "allow"
    assert turnstiles.scan("GUESS-ELSEWHERE", at="other").status_code == 200, "other turnstiles go on"
    monkeypatch.setattr(guessing, "_counts_written_at", 0.0)
    guessing.write_counts_if_due()
    assert ThrottledScans.objects.get().count == 2
    alarm = Entry.objects.get(action="visitors.guessing")
    assert "in" in alarm.object_label


@pytest.fixture
def one_second_later(monkeypatch):
    def skip():
        monkeypatch.setattr(guessing, "_counts_written_at", guessing._counts_written_at - 1)

    return skip


def test_rejected_scans_are_stored_at_most_once_a_second_by_a_later_scan(turnstiles, one_second_later):
    turnstile = Turnstile.objects.get(name="in")
    for _ in range(3):
        guessing.count_rejected(turnstile, NOW)
    assert ThrottledScans.objects.get().count == 1
    one_second_later()
    turnstiles.scan("GOOD1")
    assert ThrottledScans.objects.get().count == 3


@pytest.mark.django_db(transaction=True)
def test_counts_of_a_deleted_turnstile_are_dropped_and_no_thread_writes_them(turnstiles, one_second_later):
    threads = set(threading.enumerate())
    turnstile = Turnstile.objects.get(name="other")
    for _ in range(2):
        guessing.count_rejected(turnstile, NOW)
    Turnstile.objects.filter(pk=turnstile.pk).delete()
    one_second_later()
    guessing.write_counts_if_due()
    assert not ThrottledScans.objects.exists()
    assert set(threading.enumerate()) == threads
