"""A building file is valid as a whole, or each of its faults is named."""

import copy
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.buildings.model import Building, local_time
from portal.buildings.reading import BuildingError, load_building
from tests.portal.sandbox.conftest import BUILDINGS, TODAY

PIER = json.loads((BUILDINGS / "pier-house.json").read_text(encoding="utf-8"))
HONG_KONG = ZoneInfo("Asia/Hong_Kong")
NEW_YORK = ZoneInfo("America/New_York")


def load(tmp_path: Path, content: Any) -> Building:
    path = tmp_path / "building.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return load_building(path)


def faults_of(tmp_path: Path, content: Any) -> str:
    with pytest.raises(BuildingError) as caught:
        load(tmp_path, content)
    return str(caught.value)


def pier(**changed: Any) -> dict[str, Any]:
    return {**copy.deepcopy(PIER), **changed}


@pytest.mark.parametrize("name", ["harbour-tower.json", "pier-house.json"])
def test_the_shipped_buildings_load(name: str):
    assert load_building(BUILDINGS / name).bookings


def test_only_the_site_is_needed(tmp_path: Path):
    assert load(tmp_path, {"site": {"name": "X", "timezone": "UTC"}}).bookings == []


def test_a_byte_order_mark_is_ignored(tmp_path: Path):
    assert load(tmp_path, b"\xef\xbb\xbf" + json.dumps(PIER).encode()).site.name == "Pier House"


BOOKING = {"id": "x", "resource": "nobody-mapped-it", "start": "+0d 09:00", "end": "-1d 08:00"}


def test_odd_entries_that_the_portal_handles_are_valid(tmp_path: Path):
    building = pier()
    building["bookings"] += [
        {**BOOKING, "organizer": "", "attendees": ["", "stranger@away.example"], "status": "postponed"},
        {**BOOKING, "id": "year", "end": "+365d 09:00"},
    ]
    building["resources"].append({"id": "desk", "name": "Desk", "doors": [], "policy": "open house"})
    building["cardholders"] += [{"email": "", "name": "One"}, {"email": " ", "name": "Two"}]
    building["scans"].append({"turnstile": "Ferry gate in", "code": "", "direction": "in"})
    assert load(tmp_path, building).resources[-1].id == "desk"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1, column 1"),
        (b'{"site": 1,\n "a": }', "line 2, column 7"),
        (b"[]", "must be an object"),
        (b"null", "must be an object"),
        (b"\xff\xfe", "UTF-8"),
        (b"[" * 200_000, "nested too deep"),
        (b"1" * 5000, "not valid JSON"),
        (b'{"site": NaN}', "NaN"),
        (b'{"site": 1, "site": 2}', "“site” is twice"),
        (b" " * (20 * 1024 * 1024 + 1), "larger than 20 MB"),
    ],
)
def test_invalid_json(tmp_path: Path, content: bytes, words: str):
    assert words in faults_of(tmp_path, content)


def test_unreadable_file(tmp_path: Path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(BuildingError, match="cannot be read"):
            load_building(path)


def set_in(path: tuple[Any, ...], value: Any) -> Any:
    building = pier()
    inside: Any = building
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    return building


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("colour",), 1, "The file: the key “colour” is unknown"),
        (("site",), None, "The file: “site” must be an object"),
        (("site", "timezone"), "Mars/{Olympus}", "site: “timezone” is “Mars/{Olympus}”, which is no IANA"),
        (("site", "timezone"), "America", "no IANA time zone"),
        (("bookings", 3, "colour"), 1, "bookings[3] (ph-004): the key “colour” is unknown"),
        (("bookings", 3, "start"), "+0d 25:00", "bookings[3] (ph-004): “start” must be a time"),
        (("bookings", 3, "start"), "+0d 09:00\n", "must be a time"),
        (("bookings", 3, "start"), "+0d ٠٩:٠٠", "must be a time"),
        (("bookings", 3, "title"), "a\0b", "bookings[3] (ph-004): “title” holds a character"),
        (("bookings", 3, "title"), "\ud800", "“title” holds a character"),
        (("bookings", 3, "attendees"), ["a", None], "bookings[3] (ph-004): “attendees[1]” must be text"),
        (("bookings", 4, "id"), "ph-004", "bookings[4]: booking id “ph-004” is there already, at bookings[3]"),
        (("cardholders", 2, "cards", 0, "status"), "stolen", "cards[0] (40210084): “status” must be one of"),
        (("cardholders", 2, "cards", 0, "number"), 5, "“number” must be text"),
        (("cardholders", 2, "cards", 0, "number"), "40210010", "card number “40210010” is there already"),
        (("cardholders", 2, "email"), " MEI.LING.WONG@pierhouse.example", "cardholders[2]: email"),
        (("cardholders", 2, "access_levels"), ["gods"], "“access_levels” names “gods”"),
        (("access_levels",), ["facilities", "security", "pier-club", "security"], "access level “security”"),
        (("controllers", 1, "name"), "Rooftop", "controller “Rooftop” is there already"),
        (("controllers", 1, "doors", 0, "name"), "Lamma", "door “Lamma” is there already"),
        (("controllers", 1, "doors", 0, "number"), 2, "door number “2” is there already"),
        (("controllers", 1, "doors", 0, "number"), True, "must be a whole number"),
        (("controllers", 1, "options"), {"windws": 1}, "(First floor) options: the key “windws” is unknown"),
        (("policies", 0, "always"), ["gods"], "“always” names “gods”"),
        (("policies", 0, "admit"), ["cats"], "“admit[0]” must be one of"),
        (("policies", 0, "statuses"), ["confirmd"], "“statuses[0]” must be one of"),
        (("policies", 0, "lead_minutes"), -5, "“lead_minutes” must be at least 0"),
        (("policies", 1, "name"), "lounge", "policy “lounge” is there already"),
        (("resources", 0, "policy"), "none", "resources[0] (boardroom): “policy” names “none”"),
        (("resources", 0, "doors"), ["Trapdoor"], "“doors” names “Trapdoor”"),
        (("resources", 1, "id"), "boardroom", "resource id “boardroom” is there already"),
        (("visits", 1, "code"), "ph7k2m9q", "visit code “ph7k2m9q” is there already"),
        (("turnstiles", 1, "name"), "Ferry gate in", "turnstile “Ferry gate in” is there already"),
        (("scans", 0, "turnstile"), "Moon gate", "“turnstile” names “Moon gate”"),
        (("changes", 2), {"after_seconds": 1}, "exactly one of “create”, “update” and “delete”"),
        (("changes", 2), {"update": "ph-001"}, "must have “set” with “update”"),
        (("changes", 2), {"delete": "ph-001", "set": {}}, "must have “set” with “update”"),
        (("changes", 2), {"update": "ph-001", "set": {"id": "y"}}, "must not set “id”"),
        (("changes", 2), {"update": "ph-001", "set": {"colour": 1}}, "set: the key “colour” is unknown"),
        (("changes", 2), {"update": "ph-001", "set": {"end": "noon"}}, "set: “end” must be a time"),
        (("changes", 2), {"update": "ph-999", "set": {}}, "changes[2] (ph-999): there is no booking"),
        (("changes", 2), {"delete": "ph-102"}, "there is no booking “ph-102” at that point"),
        (("changes", 2), {"create": {**BOOKING, "id": "ph-101"}}, "“ph-101” cannot be created"),
        (("changes", 2), {"delete": "ph-001", "callback": "never"}, "“callback” must be one of"),
        (("changes", 2), {"delete": "ph-001", "after_seconds": -1}, "must be at least 0"),
        (("changes", 2), {"delete": "ph-001", "after_seconds": 1e9}, "must be at most"),
    ],
)
def test_each_fault_is_named(tmp_path: Path, path: tuple[Any, ...], value: Any, words: str):
    assert words in faults_of(tmp_path, set_in(path, value))


def test_all_faults_are_named_at_once_up_to_twenty(tmp_path: Path):
    building = pier(bookings=[{**BOOKING, "id": str(i), "start": "noon"} for i in range(1000)])
    lines = faults_of(tmp_path, building).splitlines()
    assert len(lines) == 21
    assert "980 more faults" in lines[-1]


def test_a_deleted_booking_can_be_created_again(tmp_path: Path):
    building = pier(changes=[{"delete": "ph-001"}, {"create": {**BOOKING, "id": "ph-001"}}])
    assert load(tmp_path, building)


NASTY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, child in inner for found in paths(child, (*path, key)))]


# One entry of each kind reaches every key, and leaves hypothesis few paths to choose among.
SMALL = {key: value[:2] if isinstance(value, list) else value for key, value in PIER.items()}
PATHS = [path for path in paths(SMALL) if path]


@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(PATHS), value=NASTY, how=st.sampled_from(["set", "drop", "twist"]))
def test_any_mutation_loads_or_raises_building_error(tmp_path_factory: Any, path: Any, value: Any, how: str):
    building = copy.deepcopy(SMALL)
    inside: Any = building
    for step in path[:-1]:
        inside = inside[step]
    if how == "set":
        inside[path[-1]] = value
    elif how == "drop":
        del inside[path[-1]]
    elif isinstance(inside[path[-1]], dict):
        inside[path[-1]][str(value)] = value
    else:
        inside[path[-1]] = [inside[path[-1]], value]
    try:
        load(tmp_path_factory.mktemp("mutant"), building)
    except BuildingError as error:
        assert all(error.faults)


def test_the_demo_has_a_booking_at_every_minute(pier_house: Building):
    midnight = local_time("+0d 00:00", TODAY, HONG_KONG)
    spans = [
        (local_time(b.start, TODAY, HONG_KONG), local_time(b.end, TODAY, HONG_KONG))
        for b in pier_house.bookings
        if b.status in {"confirmed", "checked_in"}
    ]
    for minute in range(2 * 24 * 60):
        now = midnight + timedelta(minutes=minute)
        assert any(start <= now < end for start, end in spans), now


def test_the_demo_books_no_room_twice(pier_house: Building):
    bookings = {b.id: b for b in pier_house.bookings}
    for change in [None, *pier_house.changes]:
        if change and change.create:
            bookings[change.create.id] = change.create
        elif change and change.update:
            bookings[change.update] = bookings[change.update].updated(change.values or {})
        elif change and change.delete:
            del bookings[change.delete]
        doors = {r.id: set(r.doors) for r in pier_house.resources}
        kept = [
            (doors[b.resource], local_time(b.start, TODAY, HONG_KONG), local_time(b.end, TODAY, HONG_KONG), b.id)
            for b in bookings.values()
        ]
        for i, (room, start, end, name) in enumerate(kept):
            for other, begins, ends, other_name in kept[:i]:
                assert not (room & other and start < ends and begins < end), (name, other_name)


@pytest.mark.parametrize(
    ("text", "today", "utc"),
    [
        ("+0d 09:00", date(2026, 3, 10), "2026-03-10T13:00"),
        ("-1d 23:59", date(2026, 3, 1), "2026-03-01T04:59"),
        ("+0d 02:30", date(2026, 3, 8), "2026-03-08T07:30"),  # does not exist: read by the clock of before
        ("+0d 01:30", date(2026, 11, 1), "2026-11-01T05:30"),  # exists twice: the first
        ("+1d 00:00", date(2026, 11, 1), "2026-11-02T05:00"),
    ],
)
def test_local_times_over_clock_changes(text: str, today: date, utc: str):
    moment = local_time(text, today, NEW_YORK)
    assert moment.astimezone(UTC) == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert moment.astimezone(UTC).astimezone(NEW_YORK).isoformat() == moment.isoformat()


def test_invalid_local_times():
    for text in ("", "09:00", "+0d 24:00", "0d 09:00", "+0d 9:00", "+0d 09:00 "):
        with pytest.raises(ValueError, match="not a time"):
            local_time(text, TODAY, HONG_KONG)
