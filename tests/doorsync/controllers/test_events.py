"""Door events in the log, each once; and the controllers command."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accessmap.models import Controller
from doorsync.controllers import events
from doorsync.models import EventCursor
from portal.audit.models import Entry
from portal.core import clock
from tests.places import NOW

DOOR_ACTIONS = ["door.opened", "door.denied"]


@pytest.fixture
def loaded(place):
    place.fetch()
    place.reconcile()
    return place


def box():
    return Controller.objects.get(name="box")


def swipe(place, card, door=1):
    return place.box("POST", "swipe", {"door": door, "card": card})["opened"]


def told():
    entries = Entry.objects.filter(action__startswith="door.").order_by("id")
    return [(e.action, e.actor, e.outcome) for e in entries]


def test_what_happens_at_a_door_is_in_the_log_with_whose_card_it_was(loaded):
    with clock.stopped_at(NOW + timedelta(hours=1)):
        assert swipe(loaded, "1001")
        assert not swipe(loaded, "4242")
        assert events.drain_events(box().pk) == 2
    assert told() == [("door.opened", "Mei", "done"), ("door.denied", "card ••••", "refused")]
    entry = Entry.objects.get(action="door.opened")
    assert entry.object_label == "box: Room door"
    assert entry.at == NOW + timedelta(hours=1)
    assert "4242" not in str(list(Entry.objects.values()))


def test_each_once_also_after_an_outage(loaded):
    swipe(loaded, "1003")
    events.drain_events(box().pk)
    loaded.box("PUT", "faults", {"down": True})
    swipe(loaded, "1003")
    assert events.drain_events(box().pk) == 0
    assert EventCursor.objects.get().last_error
    loaded.box("PUT", "faults", {})
    assert events.drain_events(box().pk) == 1
    assert events.drain_events(box().pk) == 0
    assert len(told()) == 2
    assert EventCursor.objects.get().last_error == []


def test_two_readers_at_once_write_each_event_once(loaded, monkeypatch):
    swipe(loaded, "1003")
    real = events._write

    def overtaken(controller, after, found):
        assert real(controller, after, found) == 1
        return real(controller, after, found)

    monkeypatch.setattr(events, "_write", overtaken)
    assert events.drain_events(box().pk) == 0
    assert len(told()) == 1


def test_a_clock_that_is_ahead_is_not_believed(loaded):
    loaded.box("PUT", "clock", {"time": (NOW + timedelta(days=400)).isoformat()})
    swipe(loaded, "1003")
    events.drain_events(box().pk)
    assert Entry.objects.get(action="door.opened").at == NOW


# The command ---------------------------------------------------------------------------------------------------------


def run(*arguments):
    out = StringIO()
    code = 0
    try:
        call_command("controllers", *arguments, stdout=out)
    except CommandError as error:
        code = error.returncode
    return code, out.getvalue()


def test_compare_writes_nothing_and_says_what_would_be_done(place):
    place.fetch()
    place.box("PUT", "cards/9999", {"doors": {"2": [[None, None]]}})
    code, text = run("compare", "box", "--json")
    assert code == 1
    (found,) = json.loads(text)
    assert len(found["add"]) == 3
    assert [row["what"] for row in found["unmanaged"]] == ["••••"]
    assert found["add"][0]["doors"] == {"Room door": [["2026-03-10T01:45:00+00:00", "2026-03-10T03:10:00+00:00"]]}
    assert set(place.cards()) == {"9999"}
    lines = run("compare", "box")[1].splitlines()
    assert lines[1] == "  add        ••••  Room door  2026-03-10 09:45:00 – 2026-03-10 11:10:00"
    assert lines[-1] == "  unmanaged  ••••  Side door  always"
    place.reconcile()
    code, text = run("compare", "box")
    assert (code, text.splitlines()[0]) == (0, "box: in step")


def test_sync_brings_in_step_and_a_dead_one_is_told_apart(place):
    place.fetch()
    assert run("sync", "box")[0] == 0
    assert set(place.cards()) == {"1001", "1002", "1003"}
    place.box("PUT", "faults", {"down": True})
    code, text = run("compare")
    assert code == 2
    assert "box: The connection" in text
    assert run("compare", "nowhere")[0] == 2


def test_events_are_shown(loaded):
    swipe(loaded, "1003")
    code, text = run("events", "box")
    assert code == 0
    assert "door.opened" in text
    assert "Fay" in text
    assert not Entry.objects.filter(action="door.opened").exists()
