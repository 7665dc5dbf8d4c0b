"""What is special to Hikvision's devices: persons and cards, logins that lock, what they say on the wire."""

import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

import pytest
import trustme
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from accessmap.models import Controller
from doorsync.controllers import approvals, events
from doorsync.drivers import driver_for
from doorsync.drivers.base import Actual, BadOptions, Full, Refused, Unknown, Unreachable
from doorsync.drivers.hikvision import client
from doorsync.drivers.hikvision.driver import HikvisionDriver, Holder, Memory
from doorsync.models import ControllerCard, EventCursor, UnmanagedCard
from doorsync.policy import windows as policy
from doorsync.policy.windows import ALWAYS, Permission, Window
from portal.audit.models import Entry
from portal.core import clock
from portal.core.problems import Problems
from tests.doorsync.drivers.conftest import NOW
from tests.doorsync.drivers.house import around
from tests.doorsync.drivers.peer import Fault
from tests.doorsync.drivers.peers import hikvision
from tests.doorsync.drivers.peers.hikvision import CLOSED, OPEN, PASSWORD, SERIAL, USER, Hikvision

HOUR = timedelta(hours=1)
LONDON = ZoneInfo("Europe/London")
RECORD = {1: (Window(NOW, NOW + HOUR),)}


class KnowsDaylightSaving(Hikvision):
    own_daylight_saving = True


@pytest.fixture(autouse=True)
def no_logins_known():
    client._wrong.clear()
    client._right.clear()


@pytest.fixture
def peer():
    with clock.stopped_at(NOW):
        peer = Hikvision()
        peer.options = peer.start()
        yield peer
        peer.stop()


@pytest.fixture
def driver(peer):
    driver = HikvisionDriver(peer.options, zone=LONDON, now=NOW)
    yield driver
    driver.close()


@pytest.fixture
def house(move_in):
    return move_in(Hikvision)


def sent(peer, *ends, since=0):
    """The requests to paths with one of these ends: path and body."""
    return [(path, body) for _method, path, body in peer.seen[since:] if path.endswith(ends)]


# On the wire --------------------------------------------------------------------------------------------------


def test_a_card_is_a_person_of_its_own_said_as_the_documentation_says(peer, driver):
    driver.put("1001", {1: (Window(NOW, NOW + HOUR),), 2: (Window(NOW, NOW + HOUR),)})
    person, card = sent(peer, "UserInfo/Record", "CardInfo/Record")
    assert json.loads(person[1]) == {
        "UserInfo": {
            "employeeNo": "portal1001",
            "name": "portal1001",
            "userType": "normal",
            "Valid": {
                "enable": True,
                "beginTime": "2026-03-10T09:00:00",
                "endTime": "2026-03-10T09:59:59",
                "timeType": "local",
            },
            "doorRight": "1,2",
            "RightPlan": [{"doorNo": 1, "planTemplateNo": "1"}, {"doorNo": 2, "planTemplateNo": "1"}],
        }
    }
    assert json.loads(card[1]) == {"CardInfo": {"employeeNo": "portal1001", "cardNo": "1001", "cardType": "normalCard"}}
    assert peer.seen.index(("POST", *person)) < peer.seen.index(("POST", *card)), "rights before the card"


def test_what_is_taken_out_is_the_card_first_and_then_the_person(peer, driver):
    driver.put("1001", RECORD)
    before = len(peer.seen)
    driver.remove("1001")
    assert [
        (path.removeprefix("/ISAPI/AccessControl/"), body) for path, body in sent(peer, "Delete", since=before)
    ] == [
        ("CardInfo/Delete", '{"CardInfoDelCond": {"CardNoList": [{"cardNo": "1001"}]}}'),
        (
            "UserInfoDetail/Delete",
            '{"UserInfoDetail": {"mode": "byEmployeeNo", "EmployeeNoList": [{"employeeNo": "portal1001"}]}}',
        ),
    ]
    assert not peer.memory.people
    driver.remove("1001")  # no error where the device does not have it
    assert len(sent(peer, "Delete")) == 2


@pytest.mark.parametrize(
    ("act", "command"),
    [
        (lambda driver: driver.pulse(2, seconds=5, key="k"), "open"),
        (lambda driver: driver.hold(2, (ALWAYS,)), "alwaysOpen"),
        (lambda driver: driver.hold(2, ()), "close"),
    ],
    ids=["pulse", "hold", "let go"],
)
def test_a_door_is_commanded_as_the_documentation_says(peer, driver, act, command):
    act(driver)
    assert peer.seen[-1] == (
        "PUT",
        "/ISAPI/AccessControl/RemoteControl/door/2",
        '<?xml version="1.0" encoding="UTF-8"?><RemoteControlDoor version="2.0" '
        f'xmlns="http://www.isapi.org/ver20/XMLSchema"><cmd>{command}</cmd></RemoteControlDoor>',
    )


def test_the_clock_is_set_to_the_sites_time_and_the_zone_left_as_it_is(peer, driver):
    summer = datetime(2026, 7, 1, 10, tzinfo=UTC)
    driver.set_clock(summer)
    assert peer.seen[-1][2] == (
        '<?xml version="1.0" encoding="UTF-8"?><Time version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema">'
        "<timeMode>manual</timeMode><localTime>2026-07-01T11:00:00</localTime><timeZone>CST-0:00:00</timeZone></Time>"
    )


def test_a_device_says_who_it_is(peer, driver):
    info = driver.info()
    assert (info.model, info.firmware, info.serial) == ("DS-K1T671M", "V3.3.5", SERIAL)
    assert (info.time, info.capacity, info.notes) == (NOW, 3000, Problems())


# Persons and cards of others ----------------------------------------------------------------------------------


def test_all_is_read_page_by_page(peer, driver):
    for number in range(hikvision.PAGE * 3 + 1):
        peer.enrol(f"7{number}", str(1000 + number))
    assert len(driver.read().cards) == hikvision.PAGE * 3 + 1
    assert len(sent(peer, "UserInfo/Search")) == 4
    assert len({json.loads(body)["UserInfoSearchCond"]["searchID"] for _p, body in sent(peer, "UserInfo/Search")}) == 1


@pytest.mark.parametrize("state", ["OK", "MORE"])
def test_a_list_that_ends_too_early_is_no_list(peer, driver, state):
    page = {"responseStatusStrg": state, "numOfMatches": 0, "totalMatches": 40}
    peer.overrides["POST", "/ISAPI/AccessControl/CardInfo/Search"] = (200, {"CardInfoSearch": page})
    with pytest.raises(Unknown, match="0 of its 40"):
        driver.read()


def test_a_person_with_several_cards_and_one_with_none_are_told_as_they_are(peer, driver):
    peer.enrol("77", "55", "56")
    peer.enrol("78")
    assert driver.read() == Actual(cards={"55": {1: (ALWAYS,)}, "56": {1: (ALWAYS,)}})


@pytest.mark.parametrize(
    "more",
    [
        {"RightPlan": [{"doorNo": 1, "planTemplateNo": "3"}]},
        {"RightPlan": [{"doorNo": 1, "planTemplateNo": "1,3"}]},
        {"RightPlan": []},
        {"doorRight": ""},
        {"Valid": {"enable": True, "beginTime": "0000-00-00T00:00:00", "endTime": "", "timeType": "local"}},
        {"Valid": {"enable": True, "beginTime": "2000-01-01T00:00:00+08:00", "endTime": "2037-12-31T23:59:59+08:00",
                   "timeType": "UTC"}},
    ],
    ids=["plan", "two plans", "no plan", "no right", "times", "zone"],
)  # fmt: skip
def test_what_the_portal_never_writes_is_shown_and_never_taken_for_its_own(peer, driver, more):
    peer.enrol("77", "55", **more)
    ((door, windows),) = driver.read().cards["55"].items()
    assert door == 1
    assert len(windows) == 2
    driver.put("55", {1: (ALWAYS,)})
    assert driver.read().cards["55"] == {1: (ALWAYS,)}


def test_a_super_card_opens_every_door_until_it_is_adopted(peer, driver):
    peer.enrol("77", "55")
    peer.memory.cards["55"]["cardType"] = "superCard"
    assert driver.read().cards["55"] == {1: (ALWAYS, ALWAYS), 2: (ALWAYS, ALWAYS)}
    peer.enrol("portal55")
    peer.memory.cards["55"]["employeeNo"] = "portal55"
    driver.read()
    driver.put("55", RECORD)
    assert peer.memory.cards["55"]["cardType"] == "normalCard"
    assert driver.read().cards["55"] == RECORD


@pytest.mark.parametrize("employee", ["77", "portal55"])
def test_who_is_on_the_blocklist_opens_nothing_and_the_portal_does_not_change_that(peer, driver, employee):
    peer.enrol(employee, "55", userType="blackList")
    assert driver.read().cards == {"55": {}}
    with pytest.raises(Refused, match="blocklist"):
        driver.put("55", RECORD)
    assert not peer.changes


def test_adopting_a_card_takes_it_from_its_person_and_leaves_them_their_others(house):
    house.peer.enrol("77", house.ann, "56", name="Ann at the device", numOfFace=1)
    before = dict(house.peer.memory.people["77"])
    house.book("b", NOW + HOUR, NOW + 2 * HOUR, who=["ann"])
    house.work()
    assert set(UnmanagedCard.objects.values_list("number", flat=True)) == {house.ann, "56"}
    approvals.adopt(UnmanagedCard.objects.filter(number=house.ann), actor="ann")
    house.work()
    assert house.peer.memory.cards[house.ann]["employeeNo"] == f"portal{house.ann}"
    house.check(around(NOW + HOUR, NOW + 2 * HOUR))
    with clock.stopped_at(NOW + 3 * HOUR):
        house.work()
        assert set(house.peer.inside()) == {house.fay, "56"}
        assert house.peer.opens("56", 1)
    assert house.peer.memory.people["77"] == before


def test_an_adopted_card_that_nothing_admits_is_taken_from_its_person_who_stays(house):
    house.peer.enrol("77", house.ann)
    house.work()
    approvals.adopt(UnmanagedCard.objects.all(), actor="ann")
    house.work()
    assert set(house.peer.inside()) == {house.fay}
    assert "77" in house.peer.memory.people


def test_a_person_whose_card_was_not_attached_is_known_for_the_portals_own_and_completed(house):
    house.book("b", NOW - HOUR, NOW + HOUR)
    at = ("POST", "/ISAPI/AccessControl/CardInfo/Record")
    house.peer.overrides[at] = hikvision.Rejected("badParameters").answer
    outcome = house.work()
    assert {house.ann, house.bob, house.fay} <= set(outcome.failed)
    assert not house.peer.inside()
    del house.peer.overrides[at]
    house.cancel("b")
    house.book("b", NOW - HOUR, NOW + HOUR, who=["bob"])
    house.work()
    assert set(house.peer.inside()) == {house.bob, house.fay}
    assert set(house.peer.memory.people) == {f"portal{house.bob}", f"portal{house.fay}"}
    assert not UnmanagedCard.objects.exists()


@pytest.mark.parametrize("status", ["processing", "failed"])
def test_a_deletion_that_does_not_end_is_unknown_and_opens_nothing(peer, driver, status):
    driver.put("1001", RECORD)
    at = "/ISAPI/AccessControl/UserInfoDetail/DeleteProcess"
    peer.overrides["GET", at] = (200, {"UserInfoDetailDeleteProcess": {"status": status}})
    driver.deletion_timeouts = 0.1
    with pytest.raises(Unknown, match="delet"):
        driver.remove("1001")
    assert not peer.opens("1001", 1)


def test_after_an_unknown_outcome_the_device_is_asked_before_the_next_change(peer, driver):
    driver.read()
    peer.set_fault(Fault.ANSWERS_LOST)
    with pytest.raises(Unknown):
        driver.put("1001", RECORD)
    peer.set_fault(None)
    driver.put("1001", RECORD)
    assert [path.rpartition("/")[2] for path, _body in sent(peer, "Record", "Modify")] == [
        "Record",
        "Modify",
        "Record",
    ]
    assert driver.read().cards == {"1001": RECORD}


@pytest.mark.parametrize("card", ["12-34", "1" * 21, "１２３", "", "12 34"])
def test_card_numbers_that_no_device_takes_are_refused_in_words(peer, driver, card):
    with pytest.raises(Refused, match="20 letters and digits"):
        driver.put(card, RECORD)
    assert not peer.seen


def test_a_card_that_others_wrote_can_be_taken_out_whatever_its_number(peer, driver):
    peer.enrol("77", "12-34")
    driver.remove("12-34")
    assert not peer.inside()


def test_a_door_that_the_device_has_not_is_named(peer, driver):
    driver.read()
    with pytest.raises(Refused, match="no door 3"):
        driver.put("1001", {1: RECORD[1], 3: RECORD[1]})
    assert not peer.changes


def test_the_room_of_persons_without_cards_is_counted(peer, driver):
    peer.room_for(2)
    peer.enrol("77")
    driver.read()
    driver.put("1001", RECORD)
    with pytest.raises(Full, match="room for 2"):
        driver.put("1002", RECORD)
    assert len(sent(peer, "UserInfo/Record")) == 1


def test_a_device_that_says_itself_that_it_is_full_is_believed(peer, driver):
    driver.read()
    driver.put("1001", RECORD)
    peer.room_for(1)
    with pytest.raises(Full):
        driver.put("1002", RECORD)


# Times --------------------------------------------------------------------------------------------------------


def test_access_ends_with_its_last_second(house):
    end = NOW + HOUR
    house.book("b", NOW - HOUR, end)
    house.work()
    for ahead, opens in ((timedelta(seconds=-1), True), (timedelta(), False)):
        with clock.stopped_at(end + ahead):
            assert house.peer.opens(house.ann, 1) == opens


def test_access_beyond_the_devices_calendar_is_written_once(house):
    house.book("b", NOW - HOUR, datetime(2050, 1, 1, tzinfo=UTC))
    assert house.work().in_step
    again = house.work()
    assert again.in_step
    assert not again.done


@pytest.mark.parametrize(
    "change", [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)], ids=["forward", "back"]
)
def test_a_clock_that_changes_by_itself_in_those_nights_does_no_harm(move_in, change):
    house = move_in(KnowsDaylightSaving, change - 6 * HOUR)
    first, last = change - HOUR * 1.5, change + HOUR * 1.5
    house.book("across", first, last, who=["ann"])
    house.book("after", change + HOUR / 4, last, who=["bob"])
    house.work()
    house.check(around(first, change - HOUR, change, change + HOUR / 4, change + HOUR, last))
    assert abs(house.sync.clock_skew_seconds) < 5


moments = st.integers(min_value=-60 * 48, max_value=60 * 48)


@given(
    change=st.sampled_from([datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)]),
    at=moments,
    windows=st.lists(st.tuples(st.sampled_from([1, 2]), moments | st.none(), moments | st.none()), max_size=6),
)
@example(change=datetime(2026, 10, 25, 1, tzinfo=UTC), at=-1, windows=[(1, None, None), (2, 0, 61)])
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a machine may be busy
def test_what_is_written_is_read_as_it_was_meant(change, at, windows):
    def moment(minutes):
        return None if minutes is None else change + timedelta(minutes=minutes)

    now = moment(at)
    options = {"url": "http://127.0.0.1:1", "username": USER, "password": PASSWORD}
    driver = HikvisionDriver(options, zone=LONDON, now=now)
    permissions = {1: [], 2: []}
    for door, start, end in windows:
        if start is None or end is None or start < end:
            permissions[door].append(Permission(Window(moment(start), moment(end)), ()))
    wanted = {door: policy.windows(policy.merged(of_door)) for door, of_door in permissions.items()}
    record = driver.encode(wanted)
    if record:
        memory = Memory({"portal1": driver.person_of("portal1", record)}, {"1": Holder("portal1", "normalCard")})
        assert driver.record_of(memory, memory.cards["1"]) == record
    driver.close()


def test_a_clock_that_follows_a_server_is_not_set_and_said_to_be_off(house):
    house.peer.memory.time_mode = "NTP"
    house.peer.skew = HOUR
    house.work()
    assert not [path for method, path, _body in house.peer.seen if method == "PUT" and path.endswith("time")]
    assert "set by NTP" in str(house.sync.last_error)
    assert "3600 seconds" in str(house.sync.last_error)


# Logging in ---------------------------------------------------------------------------------------------------


def with_password(peer, password, now=NOW):
    return HikvisionDriver({**peer.options, "password": password}, zone=LONDON, now=now)


def test_a_wrong_password_is_tried_once_and_not_again_until_it_changes_or_the_lock_would_be_over(peer):
    acts = (
        lambda driver: driver.info(),
        lambda driver: driver.read(),
        lambda driver: driver.events(after=0),
        lambda driver: driver.pulse(1, seconds=1, key=""),
    )
    for act in acts * 5:
        with pytest.raises(Refused, match="User name or password wrong"):
            act(with_password(peer, "wrong-one"))
    assert peer.wrong_passwords == 1
    with pytest.raises(Refused):
        with_password(peer, "wrong-one", NOW + client.WRONG_FOR).info()
    assert peer.wrong_passwords == 2
    assert with_password(peer, PASSWORD).info().serial == SERIAL
    assert not peer.wrong_passwords


def test_nobody_logs_in_where_the_next_wrong_password_could_lock_the_device(peer, driver):
    peer.wrong_passwords = 5 - client.TRIES_TO_SPARE
    with pytest.raises(Refused, match="Log in by hand"):
        driver.info()
    assert peer.wrong_passwords == 5 - client.TRIES_TO_SPARE


def test_a_locked_login_is_said_to_be_and_is_not_tried(peer, driver):
    peer.wrong_passwords = 5
    with pytest.raises(Refused, match="locked this login after wrong passwords, for 30 more minutes"):
        driver.info()
    assert not peer.seen


def test_a_login_that_worked_before_is_tried_once_more(peer, driver):
    driver.info()
    peer.spurious = 1
    with pytest.raises(Refused, match="accepted the time before"):
        driver.read()
    driver.read()
    peer.spurious = 2
    for expected in ("accepted the time before", "password wrong", "password wrong"):
        with pytest.raises(Refused, match=expected):
            driver.read()
    assert not peer.spurious


def test_each_request_answers_a_challenge_of_its_own(peer, driver):
    driver.info()
    driver.read()
    assert not peer.wrong_passwords  # a nonce that is used twice counts as one


def test_a_challenge_without_end_is_not_read_to_it(peer, driver, monkeypatch):
    monkeypatch.setattr(Hikvision, "_user_check", lambda *_said: "x" * 100_000)
    with pytest.raises(Unknown, match="longer than"):
        driver.pulse(1, seconds=1, key="")
    assert not peer.seen


def test_a_device_that_asks_for_no_digest_is_told_no_password(peer, driver, monkeypatch):
    monkeypatch.setattr(Hikvision, "_admit", lambda *_asked: ("", [("WWW-Authenticate", 'Basic realm="x"')]))
    with pytest.raises(Refused, match="no digest"):
        driver.info()


def test_the_password_is_in_no_text(house, caplog):
    house.controller.set_options({**house.controller.all_options, "password": "Not-the-one"}, secret=["password"])
    house.controller.save()
    house.work()
    driver = driver_for(house.controller, NOW)
    with pytest.raises(Refused) as caught:
        driver.read()
    for text in (repr(caught.value), repr(driver.options), str(house.sync.last_error), caplog.text):
        assert "Not-the-one" not in text
    assert "Not-the-one" not in json.dumps(Controller.objects.get().options)


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"url": "192.168.1.64"}, "url"),
        ({"url": "http://admin:secret@192.168.1.64"}, "url"),
        ({"username": ""}, "username"),
        ({"fingerprint": "ab:cd"}, "fingerprint"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
    ],
)
def test_options_that_do_not_fit_are_named(changes, option):
    options = {"url": "http://192.168.1.64", "username": "portal", "password": "x", **changes}
    with pytest.raises(BadOptions, match=option):
        HikvisionDriver(options, zone=LONDON, now=NOW)


# Its certificate ----------------------------------------------------------------------------------------------


@pytest.fixture
def tls(peer):
    """The device by https, with a certificate of its own making; the options, and the certificate's fingerprint."""
    certificate = trustme.CA().issue_cert("device.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server = hikvision.LocalServer(peer._serve)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    yield {**peer.options, "url": f"https://127.0.0.1:{server.server_port}"}, sha256(der).hexdigest()
    server.shutdown()
    server.server_close()


def test_the_certificate_with_the_fingerprint_is_the_one(peer, tls):
    options, fingerprint = tls
    colons = ":".join(fingerprint[n : n + 2] for n in range(0, 64, 2)).upper()
    driver = HikvisionDriver({**options, "fingerprint": colons}, zone=LONDON, now=NOW)
    assert driver.info().serial == SERIAL
    driver.put("1001", RECORD)
    assert driver.read().cards == {"1001": RECORD}
    driver.close()


@pytest.mark.parametrize(("pinned", "text"), [("0" * 64, "stored fingerprint"), ("", "enter its fingerprint")])
def test_another_certificate_gets_no_request(peer, tls, pinned, text):
    driver = HikvisionDriver({**tls[0], "fingerprint": pinned}, zone=LONDON, now=NOW)
    with pytest.raises(Unreachable, match=text):
        driver.put("1001", RECORD)
    assert not peer.seen
    driver.close()


# Odd answers --------------------------------------------------------------------------------------------------

BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><DeviceInfo><model>&a;</model></DeviceInfo>'


@pytest.mark.parametrize(
    ("answer", "expected", "text"),
    [
        ((200, "<html>hello"), Unknown, "no XML"),
        ((200, BOMB), Unknown, "no XML"),
        ((200, {"DeviceInfo": {}}), Unknown, "no XML"),
        ((200, "<DeviceInfo><model>x</model></DeviceInfo>"), Unknown, "does not fit"),
        ((200, "<R><statusCode>4</statusCode><subStatusCode>lowPrivilege</subStatusCode></R>"), Refused, "lowPriv"),
        ((403, "<R><statusCode>4</statusCode><subStatusCode>notSupport</subStatusCode></R>"), Refused, "notSupport"),
        ((503, {"statusCode": 2, "subStatusCode": "deviceBusy"}), Refused, "deviceBusy"),
        ((200, {"statusCode": 3, "statusString": "Device Error"}), Unknown, "Device Error"),
        ((200, {"statusCode": 7, "statusString": "Reboot Required"}), Unknown, "Reboot Required"),
        ((500, "oops"), Unknown, "500"),
        ((404, "nothing here"), Refused, "404"),
        ((302, ""), Refused, "https://"),
        ((200, "<a>" + "x" * client.MAX_BYTES + "</a>"), Unknown, "longer than"),
    ],
)
def test_an_answer_that_is_none_is_no_crash(peer, driver, answer, expected, text):
    peer.overrides["GET", "/ISAPI/System/deviceInfo"] = answer
    with pytest.raises(expected, match=text):
        driver.info()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("POST UserInfo/Search", {"UserInfoSearch": []}),
        ("POST UserInfo/Search", {"UserInfoSearch": {"responseStatusStrg": "OK", "UserInfo": ["x"]}}),
        ("POST UserInfo/Search", {"UserInfoSearch": {"responseStatusStrg": "OK", "UserInfo": [{}], "totalMatches": 1}}),
        ("POST CardInfo/Search", {"CardInfoSearch": {"responseStatusStrg": "OK", "totalMatches": "many"}}),
        ("GET AcsWorkStatus", {"AcsWorkStatus": {"doorLockStatus": [0, 0]}}),
        ("GET AcsWorkStatus", {"AcsWorkStatus": {"doorStatus": ["open"]}}),
    ],
)
def test_what_does_not_fit_the_documentation_is_unknown(peer, driver, path, answer):
    method, _space, path = path.partition(" ")
    peer.overrides[method, f"/ISAPI/AccessControl/{path}"] = (200, answer)
    with pytest.raises(Unknown, match="does not fit"):
        driver.read()


def test_one_entry_alone_may_come_without_a_list(peer, driver):
    peer.enrol("77", "55")
    person = peer.memory.people["77"]
    page = {"responseStatusStrg": "OK", "totalMatches": "1", "UserInfo": person}
    peer.overrides["POST", "/ISAPI/AccessControl/UserInfo/Search"] = (200, {"UserInfoSearch": page})
    assert driver.read().cards == {"55": {1: (ALWAYS,)}}


def test_a_device_that_knows_no_capabilities_is_asked_for_small_pages(peer, driver, monkeypatch):
    monkeypatch.setattr(hikvision, "PAGE", 10)
    for kind in ("UserInfo", "CardInfo"):
        answer = hikvision.Rejected("notSupport", code=4, status=403).answer
        peer.overrides["GET", f"/ISAPI/AccessControl/{kind}/capabilities"] = answer
    assert driver.info().capacity is None
    driver.read()
    assert json.loads(sent(peer, "CardInfo/Search")[0][1])["CardInfoSearchCond"]["maxResults"] == 10


def test_nothing_listens_there(peer):
    driver = HikvisionDriver({**peer.options, "url": "http://127.0.0.1:9"}, zone=LONDON, now=NOW)
    with pytest.raises(Unreachable):
        driver.pulse(1, seconds=1, key="")


# Doors and events ---------------------------------------------------------------------------------------------


def test_a_door_that_others_hold_open_is_told_and_one_that_they_keep_locked_stays_so(peer, driver):
    peer.memory.doors = {1: OPEN, 2: CLOSED}
    assert driver.read().holds == {1: (ALWAYS,)}
    with pytest.raises(Refused, match="stay locked"):
        driver.hold(2, (ALWAYS,))
    with pytest.raises(Refused, match="no door 3"):
        driver.hold(3, (ALWAYS,))
    assert not peer.changes


def test_events_are_told_by_their_kinds(peer, driver):
    for minor in (0x01, 0x06, 0x07, 0x08, 0x09, 0x17, 0x1B, 0x1C, 0x15, 0x4B, 0x999):
        peer.happens(minor, 2, cardNo="1001")
    door_events = driver.events(after=0)
    assert [event.index for event in door_events] == list(range(1, 12))
    assert [event.kind for event in door_events] == [
        "opened", "denied", "denied", "denied", "denied", "unlocked", "forced", "held_open", "", "opened", ""
    ]  # fmt: skip
    assert {(event.door, event.card, event.at) for event in door_events} == {(2, "1001", NOW)}


def test_some_hundreds_of_events_at_once_and_the_rest_when_asked_again(peer, driver):
    for _number in range(hikvision.PAGE * 10 + 5):
        peer.happens(0x01, 1)
    first = driver.events(after=0)
    assert len(first) == hikvision.PAGE * 10
    assert [event.index for event in driver.events(after=first[-1].index)] == list(range(31, 36))
    assert driver.events(after=35) == []


def test_a_log_that_was_emptied_is_read_from_its_new_beginning(house):
    house.work()
    for _number in range(5):
        house.peer.present(house.fay, 1)
    events.drain_events(house.controller.pk)
    house.peer.memory.events.clear()
    events.drain_events(house.controller.pk)
    house.peer.present("4242", 2)
    events.drain_events(house.controller.pk)
    events.drain_events(house.controller.pk)
    assert Entry.objects.filter(action="door.opened").count() == 5
    assert Entry.objects.filter(action="door.denied").count() == 1
    assert EventCursor.objects.get().index == 1


@pytest.mark.parametrize("serials", [[1, 2], [9, 8]], ids=["all of them", "newest first"])
def test_firmware_that_does_not_search_by_serial_number_is_not_taken_at_its_word(peer, driver, serials):
    info = {"major": 5, "minor": 1, "time": "2026-03-10T09:00:00+00:00", "doorNo": 1}
    page = {"responseStatusStrg": "OK", "InfoList": [{**info, "serialNo": serial} for serial in serials]}
    peer.overrides["POST", "/ISAPI/AccessControl/AcsEvent"] = (200, {"AcsEvent": page})
    with pytest.raises(Refused, match="serial number"):
        driver.events(after=7)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-07-01T10:00:00+01:00", datetime(2026, 7, 1, 9, tzinfo=UTC)),
        ("2026-07-01T10:00:00+00:00", datetime(2026, 7, 1, 9, tzinfo=UTC)),
        ("2026-07-01T10:00:00+08:00", datetime(2026, 7, 1, 9, tzinfo=UTC)),
        ("2026-07-01T10:00:00", datetime(2026, 7, 1, 9, tzinfo=UTC)),
        ("2026-10-25T01:30:00+01:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-10-25T01:30:00+00:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_an_events_time_is_what_the_clock_showed_at_the_site(peer, driver, text, meant):
    info = {"major": 5, "minor": 1, "time": text, "doorNo": 1, "serialNo": 1}
    page = {"responseStatusStrg": "OK", "InfoList": [info]}
    peer.overrides["POST", "/ISAPI/AccessControl/AcsEvent"] = (200, {"AcsEvent": page})
    assert driver.events(after=0)[0].at == meant


def test_no_name_leaves_the_portal(house):
    house.book("b", NOW - HOUR, NOW + HOUR)
    house.work()
    bodies = " ".join(body for _method, _path, body in house.peer.seen)
    assert ControllerCard.objects.count() == 3
    assert not any(name in bodies for name in ("Ann", "Bob", "Fay", "@"))
