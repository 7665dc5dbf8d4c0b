"""The visits of the day, fetched ahead of time."""

from datetime import timedelta

from portal.core import clock
from portal.offision.client import OffisionClient
from tests.places import NOW
from visitors.models import Visit
from visitors.visits import prefetch


def test_prefetched_visits_can_be_trusted(turnstiles):
    turnstiles.configure("in", trust_minutes=30)
    prefetch.prefetch_visits()
    assert set(Visit.objects.values_list("name", flat=True)) == {"Ana", "Bo", "Cy"}
    turnstiles.place.offision_fault("refuse")
    assert turnstiles.scan("GOOD1").json()["decision"] == "allow"
    prefetch.prefetch_visits()
    assert Visit.objects.count() == 3


def test_a_slow_list_does_not_overwrite_a_newer_visit(turnstiles, monkeypatch):
    turnstiles.scan("GOOD1")
    turnstiles.set_visit("GOOD1", status="blacklisted")
    real = OffisionClient.visits

    def slow(client, day):
        turnstiles.set_visit("GOOD1", status="checked_in")
        listed = real(client, day)
        turnstiles.set_visit("GOOD1", status="blacklisted")
        with clock.stopped_at(NOW + timedelta(seconds=1)):
            turnstiles.scan("GOOD1")
        return listed

    monkeypatch.setattr(OffisionClient, "visits", slow)
    prefetch.prefetch_visits()
    assert Visit.objects.get(name="").status == "blacklisted"
