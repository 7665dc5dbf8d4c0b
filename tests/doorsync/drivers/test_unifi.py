"""What is special to UniFi Access: the wire as the reference shows it, pinning, whose card is whose, odd answers."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from doorsync.drivers.base import BadOptions, Granularity, Refused, Unknown, Unreachable
from doorsync.drivers.unifi import events
from doorsync.drivers.unifi.driver import UnifiDriver
from doorsync.policy.windows import ALWAYS, Window
from portal.core import clock
from portal.core.http import normal_fingerprint
from tests.doorsync.drivers.conftest import NOW
from tests.doorsync.drivers.peers.unifi import ALWAYS as ALWAYS_SCHEDULE
from tests.doorsync.drivers.peers.unifi import BUILDING, DOORS, HUBS, OFFICE, TOKEN, Unifi, UnifiVisitors

HOUR = timedelta(hours=1)
ON = {1: (ALWAYS,)}


@pytest.fixture
def start():
    started, drivers = [], []

    def start(kind=Unifi, **options):
        clock_stopped = clock.stopped_at(NOW)
        clock_stopped.__enter__()
        peer = kind()
        started.append((peer, clock_stopped))
        given = {**peer.start(), "timeout_seconds": 2}

        def driver(**more):
            made = UnifiDriver({**given, **options, **more}, zone=ZoneInfo("Europe/London"), now=clock.now())
            drivers.append(made)
            return made

        return peer, driver

    yield start
    for driver in drivers:
        driver.close()
    for peer, clock_stopped in started:
        peer.stop()
        clock_stopped.__exit__(None, None, None)


def changes(peer):
    return [
        (method, urlsplit(target).path.removeprefix("/api/v1/developer/"), json.loads(content) if content else None)
        for method, target, content in peer.requests
        if method != "GET"
    ]


def wanted(driver, **cards):
    """What the driver makes of these cards' windows at the first door, having read."""
    driver.read()
    return driver.encode_all({number.strip("_"): {1: windows} for number, windows in cards.items()}).records


# The certificate --------------------------------------------------------------------------------------------


def test_another_certificate_is_unreachable_and_nothing_is_sent(start):
    peer, driver = start()
    with pytest.raises(Unreachable, match="fingerprint") as caught:
        driver(fingerprint="ab" * 32).info()
    assert not peer.requests
    assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_the_fingerprint_is_taken_as_openssl_prints_it(start):
    peer, driver = start()
    plain = driver().options.fingerprint
    printed = ":".join(plain[i : i + 2] for i in range(0, 64, 2)).upper()
    assert driver(fingerprint=printed).info().serial == BUILDING
    assert peer.requests


@pytest.mark.parametrize("text", ["", "ab" * 16, "ab" * 20, "g" * 64, "ab" * 33])
def test_a_shorter_or_longer_fingerprint_is_none(text):
    with pytest.raises(ValueError, match="64"):
        normal_fingerprint(text)


# Options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"url": "http://127.0.0.1:12445"},
        {"fingerprint": "ab" * 16},
        {"token": "two words"},
        {"token": ""},
        {"doors": f"{DOORS[0]}, {DOORS[0]}"},
        {"doors": "a/../b"},
    ],
)
def test_options_that_can_not_be_used_are_named(start, options):
    _peer, driver = start()
    with pytest.raises(BadOptions, match=next(iter(options))):
        driver(**options)


def test_doors_may_have_spaces_or_commas_between_or_be_missing(start):
    _peer, driver = start()
    assert driver(doors=f"{DOORS[0]} {DOORS[1]}")._doors == driver(doors=f"{DOORS[0]},{DOORS[1]}")._doors
    nameless = driver(doors="")
    assert all(door in str(nameless.info().notes) for door in DOORS)
    with pytest.raises(Refused, match="Door 1"):
        nameless.pulse(1, seconds=1, key="k")


def test_the_doors_are_told_and_those_that_are_gone(start):
    _peer, driver = start()
    notes = str(driver(doors=f"{DOORS[0]}, gone").info().notes)
    assert f"Door 1 = {DOORS[0]}" in notes
    assert "not there: gone" in notes


def test_what_it_promises_depends_on_whose_cards_it_admits(start):
    _peer, driver = start()
    assert driver(staff_cards=True).capabilities.windows is Granularity.NONE
    assert driver(staff_cards=False).capabilities.windows is Granularity.CARD


# Users' cards -----------------------------------------------------------------------------------------------


def test_a_user_gets_the_doors_policy_and_keeps_all_others(start):
    peer, driver = start()
    peer.user("1001")["policies"].append("mine")
    peer.policies["mine"] = {"name": "x", "resources": [("door", DOORS[2])], "schedule_id": OFFICE}
    driver().put("1001", ON)
    (_post, path, made), (_put, users_path, given) = changes(peer)
    assert path == "access_policies"
    assert made == {
        "name": f"Offision door {DOORS[0]}",
        "resources": [{"id": DOORS[0], "type": "door"}],
        "schedule_id": ALWAYS_SCHEDULE,
    }
    assert users_path == f"users/{peer.card('1001')['owner']}/access_policies"
    assert given["access_policy_ids"][:2] == ["edbc80df", "mine"]
    assert len(given["access_policy_ids"]) == 3, "and none of the group's"
    driver().remove("1001")
    assert peer.user("1001")["policies"] == ["edbc80df", "mine"]


def test_a_policy_is_made_once_and_what_is_there_is_not_written_again(start):
    peer, driver = start()
    for _ in range(2):
        driver().put("1001", ON)
    driver().put("1003", ON)
    assert [path.partition("/")[0] for _m, path, _b in changes(peer)] == ["access_policies", "users", "users"]


@pytest.mark.parametrize(
    "change", [{"resources": [("door", DOORS[0]), ("door", DOORS[2])]}, {"schedule_id": OFFICE}, {"resources": []}]
)
def test_a_policy_of_ours_that_somebody_changed_is_made_anew(start, change):
    peer, driver = start()
    driver().put("1001", ON)
    (ours,) = (policy for policy in peer.policies.values() if policy["name"].startswith("Offision"))
    ours.update(change)
    again = driver()
    assert again.read().cards["1001"] != ON, "so that it is written"
    again.put("1001", ON)
    assert driver().read().cards == {"1001": ON}
    assert not peer._admits(peer.card("1001"), DOORS[2])


def test_a_policy_of_a_door_that_is_the_portals_no_more_is_taken_away(start):
    peer, driver = start()
    driver().put("1001", {1: (ALWAYS,), 2: (ALWAYS,)})
    fewer = driver(doors=DOORS[0])
    assert fewer.read().cards["1001"] != ON
    fewer.put("1001", ON)
    assert driver().read().cards == {"1001": ON}
    assert not peer.opens("1001", 2)


def test_other_peoples_policies_are_no_entry_of_ours(start):
    peer, driver = start()
    peer.policies["all"] = {"name": "All", "resources": [("door", DOORS[0])], "schedule_id": ALWAYS_SCHEDULE}
    peer.user("1001")["policies"].append("all")
    assert "1001" not in driver().read().cards


def test_a_deactivated_user_is_refused_by_name_and_never_taken_for_in_step(start):
    peer, driver = start()
    driver().put("1001", ON)
    peer.user("1001")["status"] = "DEACTIVATED"
    again = driver()
    assert again.read().cards["1001"] != ON
    with pytest.raises(Refused, match="User1001 X"):
        again.put("1001", ON)
    again.remove("1001")
    assert peer.user("1001")["policies"] == ["edbc80df"]


@pytest.mark.parametrize("status", ["disable", "loss"])
def test_a_card_that_is_lost_in_unifi_is_refused(start, status):
    peer, driver = start()
    driver().put("1001", ON)
    peer.card("1001")["status"] = status
    again = driver()
    assert again.read().cards["1001"] != ON
    with pytest.raises(Refused, match="lost"):
        again.put("1001", ON)


def test_a_user_whose_card_was_taken_away_does_not_keep_the_policies_unseen(start):
    peer, driver = start()
    driver().put("1001", ON)
    owner = peer.card("1001")["owner"]
    peer.card("1001").update(owner="", kind="", status="pending")
    again = driver()
    (key,) = again.read().cards
    assert owner in key
    again.remove(key)
    assert peer.users[owner]["policies"] == ["edbc80df"]
    assert not driver().read().cards


def test_two_cards_of_one_user_must_be_wanted_alike(start):
    peer, driver = start()
    peer.enrol("1007")
    peer.bind("1007", peer.card("1001")["owner"])
    both = driver()
    wanted(both, _1001=(ALWAYS,), _1007=(ALWAYS,))
    both.put("1001", ON)
    both.put("1007", ON)
    assert driver().read().cards == {"1001": ON, "1007": ON}
    one = driver()
    wanted(one, _1001=(ALWAYS,))
    with pytest.raises(Refused, match="2 cards"):
        one.put("1001", ON)
    one.remove("1007")
    assert not peer.opens("1007", 1)
    peer.card("1007")["status"] = "loss"
    alone = driver()
    wanted(alone, _1001=(ALWAYS,))
    alone.put("1001", ON)
    assert peer.opens("1001", 1)


def test_users_cards_are_left_alone_where_that_is_said(start):
    peer, driver = start(staff_cards=False)
    alone = driver()
    records = wanted(alone, _1001=(Window(NOW + HOUR, NOW + 2 * HOUR),))
    assert records, "so that it is told ahead of time that it will not work"
    with pytest.raises(Refused, match="User1001 X"):
        alone.put("1001", records["1001"])
    assert not changes(peer)


def test_a_user_is_never_given_what_is_to_begin_later(start):
    peer, driver = start()
    with pytest.raises(Refused):
        driver().put("1001", {1: (Window(NOW + HOUR, NOW + 2 * HOUR),)})
    assert not changes(peer)


# Nobody's cards ---------------------------------------------------------------------------------------------


def test_a_visit_as_the_reference_shows_it(start):
    peer, driver = start()
    driver().put("1002", {2: (Window(NOW, NOW + HOUR),), 1: (Window(NOW, NOW + HOUR),)})
    (_post, path, made), (_put, card_path, given) = changes(peer)
    assert path == "visitors"
    assert made == {
        "first_name": "Offision",
        "last_name": "1002",
        "visit_reason": "Others",
        "start_time": int(NOW.timestamp()),
        "end_time": int((NOW + HOUR).timestamp()) - 1,
        "resources": [{"id": DOORS[0], "type": "door"}, {"id": DOORS[1], "type": "door"}],
    }
    (visitor,) = peer.visitors
    assert card_path == f"visitors/{visitor}/nfc_cards"
    assert given["force_add"] is False


def test_a_visit_that_lasts_is_changed_and_one_that_is_over_is_made_anew(start):
    peer, driver = start()
    driver().put("1002", {1: (Window(NOW, NOW + HOUR),)})
    (first,) = peer.visitors
    driver().put("1002", {1: (Window(NOW, NOW + 2 * HOUR),)})
    assert set(peer.visitors) == {first}
    with clock.stopped_at(NOW + 3 * HOUR):
        again = driver()
        assert again.read().cards == {"1002": {}}, "still there, and admits nobody"
        again.put("1002", {1: (Window(NOW + 3 * HOUR, NOW + 4 * HOUR),)})
        assert first not in peer.visitors
        assert peer.opens("1002", 1)


def test_a_visit_without_bounds_comes_back_without(start):
    _peer, driver = start()
    driver().put("1002", ON)
    assert driver().read().cards == {"1002": ON}


def test_a_visit_whose_card_did_not_get_there_is_used_again(start):
    peer, driver = start()
    driver().put("1002", ON)
    peer.card("1002").update(owner="", kind="", status="pending")
    assert not driver().read().cards
    driver().put("1002", ON)
    assert len(peer.visitors) == 1
    assert peer.opens("1002", 1)


def test_a_card_that_somebody_got_meanwhile_is_not_taken_away_from_them(start):
    peer, driver = start()
    late = driver()
    late.read()
    peer.bind("1002", peer.add_user("New", "Owner"))
    with pytest.raises(Refused, match="CODE_CREDS_NFC_HAS_BIND_USER"):
        late.put("1002", ON)


def test_a_card_that_the_reception_gave_to_a_visitor_of_its_own_stays_theirs(start):
    peer, driver = start(UnifiVisitors)
    driver().put("1001", ON)
    peer.put_foreign("1001")
    again = driver()
    assert again.read().cards["1001"] == {}
    with pytest.raises(Refused, match="given to a visitor"):
        again.put("1001", ON)
    again.remove("1001")
    assert peer.card("1001")["owner"] == "of-the-house"
    assert set(peer.visitors) == {"of-the-house"}, "ours is gone"


def test_a_card_that_unifi_does_not_know_is_refused_before_its_time(start):
    peer, driver = start()
    unknown = driver()
    records = wanted(unknown, _77=(Window(NOW + HOUR, NOW + 2 * HOUR),))
    with pytest.raises(Refused, match="enrol"):
        unknown.put("77", records["77"])
    unknown.remove("77")
    assert not changes(peer)


def test_two_cards_of_one_number_are_refused_and_taken_away_both(start):
    peer, driver = start()
    driver().put("1001", ON)
    peer.card("1002")["alias"] = "1001"
    again = driver()
    with pytest.raises(Refused, match="Several"):
        again.put("1001", ON)
    again.remove("1001")
    assert not peer.opens("1001", 1)


# Lists ------------------------------------------------------------------------------------------------------


def test_lists_are_read_to_the_end_however_few_are_given_at_once(start):
    peer, driver = start()
    peer.largest_page = 7
    for number in ("1001", "1003"):
        driver().put(number, ON)
    driver().put("1002", ON)
    assert driver().read().cards == {"1001": ON, "1002": ON, "1003": ON}


def test_a_few_thousand_users_are_some_requests(start, monkeypatch):
    peer, driver = start()
    peer.largest_page = 1000
    for n in range(3000):
        peer.add_user("Crowd", str(n))
    peer.requests.clear()
    driver().read()
    assert len(peer.requests) <= 30


def test_a_list_that_is_not_whole_is_unknown(start, monkeypatch):
    peer, driver = start()
    page = peer._page
    monkeypatch.setattr(peer, "_page", lambda rows, query: {**page(rows, query), "pagination": {"total": 10_000}})
    with pytest.raises(Unknown, match="to the end"):
        driver().read()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("_get_users", {"data": [{"id": "x"}]}),
        ("_get_users", {"data": "x"}),
        ("_get_cards", {"data": [{"alias": ""}]}),
        ("_get_policies", {"data": [{"id": 1}]}),
        ("_get_doors", {"data": None}),
        ("_get_topology", {"data": {"a": 1}}),
        ("_get_rule", {"data": {"type": "custom", "ended_time": 10**30}}),
        ("_logs", {"data": {"hits": [{}], "total": 1}}),
        ("_logs", {"data": {"hits": []}}),
    ],
)
def test_an_answer_of_another_shape_is_unknown(start, monkeypatch, name, answer):
    peer, driver = start()
    monkeypatch.setattr(peer, name, lambda *_a: answer)
    odd = driver()
    with pytest.raises(Unknown):
        for work in (odd.info, odd.read, lambda: odd.events(after=0)):
            work()


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b"[" * 100_000, b'{"code": null}', b'{"data": 1}'])
def test_what_is_no_unifi_is_unknown(start, monkeypatch, answer):
    peer, driver = start()
    monkeypatch.setattr(peer, "answer", lambda *_a: answer)
    with pytest.raises(Unknown):
        driver().info()


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ({"code": "CODE_ACCESS_TOKEN_INVALID", "msg": "x"}, Refused, "token"),
        ({"code": "CODE_UNAUTHORIZED", "msg": "x"}, Refused, "permission"),
        ({"code": "CODE_SYSTEM_ERROR", "msg": "Server system error."}, Unknown, "Server system error"),
        ({"code": 404, "codeS": "CODE_NOT_FOUND", "msg": "x"}, Refused, "CODE_NOT_FOUND"),
        ({"code": "CODE_PARAMS_INVALID", "msg": "Invalid parameters."}, Refused, "Invalid parameters"),
    ],
)
def test_a_no_inside_of_a_yes_is_a_no(start, monkeypatch, answer, error, said):
    peer, driver = start()
    monkeypatch.setattr(peer, "answer", lambda *_a: answer)
    with pytest.raises(error, match=said) as caught:
        driver().pulse(1, seconds=1, key="k")
    assert TOKEN not in str(caught.value)


def test_the_token_is_sent_as_the_reference_says_and_shown_nowhere(start):
    peer, driver = start(token="another")
    with pytest.raises(Refused, match="does not accept the API token") as caught:
        driver().info()
    assert "another" not in f"{caught.value!r} {caught.value.__cause__!r} {driver().options!r}"
    assert peer.requests


# Doors ------------------------------------------------------------------------------------------------------


def test_doors_as_the_reference_shows_them(start):
    peer, driver = start()
    driver().pulse(2, seconds=9, key="k")
    driver().hold(1, (ALWAYS,))
    driver().hold(1, (ALWAYS,))
    driver().hold(1, ())
    driver().hold(1, ())
    assert changes(peer) == [
        ("PUT", f"doors/{DOORS[1]}/unlock", None),
        ("PUT", f"doors/{DOORS[0]}/lock_rule", {"type": "keep_unlock"}),
        ("PUT", f"doors/{DOORS[0]}/lock_rule", {"type": "reset"}),
    ]


def test_a_door_that_somebody_set_to_stay_locked_stays_locked(start):
    peer, driver = start()
    peer.rules[DOORS[0]] = "keep_lock"
    with pytest.raises(Refused, match="stay locked"):
        driver().hold(1, (ALWAYS,))
    driver().hold(1, ())
    assert peer.rules[DOORS[0]] == "keep_lock"
    assert not changes(peer)


def test_unlock_schedules_are_no_holds_and_an_unlocking_for_a_time_is(start):
    peer, driver = start()
    peer.rules.update({DOORS[0]: "schedule", DOORS[1]: "custom"})
    end = datetime.fromtimestamp(3602128309, UTC)
    assert driver().read().holds == {2: (Window(None, end),)}


def test_a_door_that_is_gone_does_not_keep_the_others_from_being_read(start):
    peer, driver = start()
    peer.rules[DOORS[0]] = "keep_unlock"
    assert driver(doors=f"gone {DOORS[0]}").read().holds == {2: (ALWAYS,)}


# Events -----------------------------------------------------------------------------------------------------


def told(driver, after=0):
    return [(event.card, event.kind, event.door) for event in driver.events(after=after) if event.kind]


def test_events_of_one_moment_come_each_once(start):
    peer, driver = start()
    for card in ("1001", "4242", "1003", "1001"):
        peer.present(card, 1)
    with clock.stopped_at(NOW + timedelta(seconds=30)):
        found = driver().events(after=0)
        assert [event.card for event in found] == ["1001", "4242", "1003", "1001"]
        indexes = [event.index for event in found]
        assert indexes == sorted(set(indexes))
        assert not driver().events(after=indexes[-1])
        peer.present("1001", 2)
    with clock.stopped_at(NOW + timedelta(seconds=60)):
        assert told(driver(), indexes[-1]) == [("1001", "denied", 2)]


def test_events_are_left_until_their_second_is_over_by_the_consoles_own_clock(start):
    peer, driver = start()
    peer.present("1001", 1)
    for seconds, count in ((0, 0), (events.SETTLED_AFTER - 1, 0), (events.SETTLED_AFTER, 1)):
        with clock.stopped_at(NOW + timedelta(seconds=seconds)):
            assert len(driver().events(after=0)) == count
    with clock.stopped_at(NOW + HOUR):
        peer.skew = -HOUR  # its clock is late: what it notes now is of an hour ago
        assert driver().events(after=0) == []
        peer.skew = timedelta()


def test_many_events_come_in_parts_oldest_first_and_none_is_lost(start, monkeypatch):
    monkeypatch.setattr(events, "AT_ONCE", 10)
    monkeypatch.setattr(events, "PAGE_SIZE", 4)
    peer, driver = start()
    peer.largest_page = 3
    minutes = 20
    for minute in range(minutes):
        with clock.stopped_at(NOW - timedelta(minutes=minutes - minute)):
            for _ in range(1 + minute % 3):
                peer.present("1001", 1 + minute % 2)
            peer.note(result="ACCESS", target=[{"type": "door", "id": DOORS[2], "display_name": "Elsewhere"}])
    seen, rounds, after = [], 0, 0
    while found := driver().events(after=after):
        seen += [event for event in found if event.kind]
        after, rounds = found[-1].index, rounds + 1
    assert len(seen) == sum(1 + minute % 3 for minute in range(minutes))
    assert [event.index for event in seen] == sorted({event.index for event in seen})
    assert rounds > 3


def test_what_happened_while_the_portal_was_away_is_told_up_to_a_week_back(start):
    peer, driver = start()
    for days in (9, 6, 0.5):
        with clock.stopped_at(NOW - timedelta(days=days)):
            peer.present("1001", 1)
    assert len(driver().events(after=0)) == 1, "the first time, a day back"
    long_ago = int((NOW - timedelta(days=20)).timestamp()) * 1_000_000
    assert len(driver().events(after=long_ago)) == 2


def test_an_index_from_a_clock_that_was_wrong_does_not_silence_the_console(start):
    peer, driver = start()
    peer.present("1001", 1)
    with clock.stopped_at(NOW + timedelta(minutes=1)):
        future = int((NOW + timedelta(days=4000)).timestamp()) * 1_000_000
        assert told(driver(), future) == [("1001", "denied", 1)]


def test_whose_card_it_was(start):
    peer, driver = start()
    user = peer.card("1001")["owner"]
    door = [{"type": "door", "id": DOORS[1], "display_name": "x"}]

    def note(who="", name="N/A", provider="NFC", issuer="", result="ACCESS", target=door):
        actor = {"id": who, "type": "user", "display_name": name}
        proof = {"credential_provider": provider, "issuer": issuer}
        peer.note(result=result, target=target, actor=actor, authentication=proof)

    note(issuer="1003")  # a display ID
    note(who=user, name="User1001 X", issuer="04ABCDEF")  # an NFC ID that no list shows
    note(name="Offision 1002", who="gone")  # a visitor of ours who is gone
    note(issuer="6FC02554", result="BLOCKED", target=[{"type": "UAH", "id": HUBS[0], "display_name": "UA-HUB-3855"}])
    note(who=user, name="User1001 X", provider="REMOTE_THROUGH_UAH")
    note(result="INCOMPLETE", who=user)
    note(target=[{"type": "door", "id": DOORS[2], "display_name": "not ours"}])
    with clock.stopped_at(NOW + timedelta(minutes=1)):
        assert told(driver()) == [
            ("1003", "opened", 2),
            ("1001", "opened", 2),
            ("1002", "opened", 2),
            ("6FC02554", "denied", 1),
            ("", "unlocked", 2),
        ]


def test_the_log_is_asked_for_as_the_reference_says(start):
    peer, driver = start()
    peer.present("1001", 1)
    with clock.stopped_at(NOW + timedelta(minutes=1)):
        driver().events(after=int(NOW.timestamp()) * 1_000_000)
    method, target, content = peer.requests[-2]
    body = json.loads(content or b"{}")
    assert (method, urlsplit(target).path) == ("POST", "/api/v1/developer/system/logs")
    assert parse_qs(urlsplit(target).query).keys() == {"page_num", "page_size"}
    assert body == {"topic": "door_openings", "since": int(NOW.timestamp()) - 1, "until": int(NOW.timestamp()) + 55}
