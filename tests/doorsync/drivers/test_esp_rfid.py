"""What is special to esp-rfid readers: their words, answers that prove nothing, events that the broker keeps, TLS."""

import json
import socket
import threading
from datetime import UTC, datetime, timedelta

import paho.mqtt.client as paho
import pytest
import trustme
from paho.mqtt.enums import CallbackAPIVersion

from doorsync.controllers import events
from doorsync.controllers.connection import describe
from doorsync.drivers import driver_for
from doorsync.drivers.base import BadOptions, Full, Refused, Unknown, Unreachable
from doorsync.drivers.esp_rfid.client import WINDOW, Line
from doorsync.models import EventCursor
from doorsync.policy.windows import ALWAYS, Window
from portal.audit.models import Entry
from tests.doorsync.drivers.conftest import NOW
from tests.doorsync.drivers.peers.esp_rfid import OPEN_TO_ALL, RAISES_QOS, Broker, EspRfid, Reader

HOUR = timedelta(hours=1)
CARD = "1f4a90c2"


@pytest.fixture
def house(move_in):
    return move_in(EspRfid)


@pytest.fixture
def reader(house):
    return house.peer.reader


@pytest.fixture
def driver(house):
    return driver_for(house.controller, NOW)


@pytest.fixture
def broker():
    """Start brokers of one's own; they are stopped afterwards."""
    started = []

    def start(*lines, **more):
        started.append(Broker(*lines, **more))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def at_broker(house):
    """Move the house's reader to another broker. Returns a driver for it there."""

    def move(broker, **more):
        house.peer.reader.leave()
        house.peer.reader = Reader(broker, house.peer.reader.topic, house.peer.now, **more)
        return driver_with(house, broker=f"mqtt://127.0.0.1:{broker.port}")

    return move


def driver_with(house, **options):
    house.controller.set_options(house.controller.all_options | options, secret=["password"])
    house.controller.save()
    return driver_for(house.controller, NOW)


@pytest.fixture
def overheard(house):
    """The messages that the reader is sent from now on."""
    message, ready = [], threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    topic = house.peer.reader.topic
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _c, _d, m: message.append(m)
    client.connect("127.0.0.1", int(house.controller.options["broker"].rpartition(":")[2]))
    client.subscribe(f"{topic}/cmd", 2)
    client.loop_start()
    assert ready.wait(10)

    def commands():
        house.peer.reader.settle()
        client.publish("settle", "", qos=1).wait_for_publish(10)
        return message

    yield commands
    client.disconnect()
    client.loop_stop()


# Words --------------------------------------------------------------------------------------------------------


def test_a_card_is_written_in_the_words_of_the_documentation(driver, reader, overheard):
    start, end = datetime(2020, 12, 20, 11, 10, tzinfo=UTC), datetime(2020, 12, 20, 12, 10, 1, tzinfo=UTC)
    driver.put(CARD, {1: (Window(start, end),)})
    assert json.loads(overheard()[0].payload) == {
        "cmd": "adduser",
        "doorip": "192.0.2.17",
        "uid": CARD,
        "user": "Offision",
        "acctype": "1",
        "validsince": "1608462600",
        "validuntil": "1608466200",
    }


def test_no_command_is_kept_for_a_reader_that_is_away(driver, reader, overheard):
    driver.put(CARD, {1: (ALWAYS,)})
    driver.pulse(1, seconds=5, key="k")
    driver.remove(CARD)
    commands = overheard()
    assert [json.loads(command.payload)["cmd"] for command in commands].count("open") == 1
    late = threading.Event()
    late_comer = paho.Client(CallbackAPIVersion.VERSION2)
    late_comer.on_message = lambda *_: late.set()
    late_comer.on_subscribe = lambda *_: late_comer.publish("settle", "", qos=1)
    done = threading.Event()
    late_comer.on_publish = lambda *_: done.set()
    late_comer.connect("127.0.0.1", reader._broker.port)
    late_comer.subscribe(f"{reader.topic}/cmd", 1)
    late_comer.loop_start()
    assert done.wait(10)
    late_comer.disconnect()
    late_comer.loop_stop()
    assert not late.is_set(), "nothing is retained"
    assert all(command.properties.MessageExpiryInterval <= 2 for command in commands)


def test_a_card_without_end_is_read_as_it_was_written(driver):
    driver.put(CARD, {1: (ALWAYS,)})
    assert driver.read().cards == {CARD: {1: (ALWAYS,)}}


@pytest.mark.parametrize(
    ("entry", "record"),
    [
        # The documentation's own example.
        (
            {"acctype": 1, "acctype2": None, "validsince": 0, "validuntil": 1608336000},
            {1: (Window(None, datetime(2020, 12, 19, 0, 0, 1, tzinfo=UTC)),)},
        ),
        ({"acctype": "1", "validuntil": 4102444800}, {1: (ALWAYS,)}),
        ({"acctype": 99}, {1: (ALWAYS,)}),
        ({"acctype": 0, "validuntil": 4102444800}, {}),
        ({"acctype": None, "validuntil": 4102444800}, {}),
        ({"acctype": 1, "validsince": 1608336000, "validuntil": 1608335999}, {}),
        ({"acctype": 1, "validuntil": "soon"}, {1: (Window(None, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),)}),
        ({"acctype": 1, "validuntil": 10**30}, {1: (ALWAYS,)}),
    ],
)
def test_what_others_wrote_is_understood(driver, reader, entry, record):
    reader.files["77"] = json.dumps({"command": "userfile", "uid": "77", "user": "Somebody", **entry})
    assert driver.read().cards == {"77": record}


def test_ends_and_beginnings_beyond_the_readers_clock(house, driver):
    beyond = datetime(2040, 1, 1, tzinfo=UTC)
    assert driver.encode({1: (Window(NOW, beyond),)}) == {1: (Window(NOW, None),)}
    assert driver.encode({1: (Window(beyond, None),)}) == {}


# Answers that prove nothing -----------------------------------------------------------------------------------


def test_a_change_that_is_answered_and_not_listed_is_not_made(driver, reader):
    reader.room = 0
    with pytest.raises(Full, match="full"):
        driver.put(CARD, {1: (ALWAYS,)})
    assert reader.changes == 1, "and it is not tried again"


def test_a_card_that_is_listed_otherwise_than_it_was_written_is_unknown(driver, reader, monkeypatch):
    def writes_nothing(message, text, *, heard):
        reader._acknowledge("adduser", heard)

    driver.put(CARD, {1: (ALWAYS,)})
    monkeypatch.setattr(reader, "_add", writes_nothing)
    with pytest.raises(Unknown, match="other times"):
        driver.put(CARD, {1: (Window(NOW, NOW + HOUR),)})


def test_a_card_that_is_listed_after_it_was_taken_out_is_unknown(driver, reader, monkeypatch):
    driver.put(CARD, {1: (ALWAYS,)})
    monkeypatch.setattr(reader, "_delete", lambda message, text, *, heard: reader._acknowledge("deletuid", heard))
    with pytest.raises(Unknown, match="still lists"):
        driver.remove(CARD)


def test_late_answers_to_an_earlier_question_do_not_cut_a_list_short(driver, reader, monkeypatch):
    driver.put(CARD, {1: (ALWAYS,)})
    say, late = reader._publish, []
    monkeypatch.setattr(reader, "_publish", lambda topic, message: late.append((topic, message)))
    with pytest.raises(Unknown):
        driver.read()
    assert late[-1][1]["type"] == "deletuid"

    def answers_in_order(message, text, *, heard):
        # First the answer to the earlier request, and only then this one.
        monkeypatch.setattr(reader, "_publish", say)
        say(*late[-1])
        Reader._list(reader, message, text, heard=heard)

    monkeypatch.setattr(reader, "_list", answers_in_order)
    assert driver.read().cards == {CARD: {1: (ALWAYS,)}}


def test_an_answer_that_was_lost_does_not_keep_the_next_list_from_being_read(driver, reader, monkeypatch):
    monkeypatch.setattr(reader, "_acknowledge", lambda command, heard: None)
    with pytest.raises(Unknown):
        driver.put(CARD, {1: (ALWAYS,)})
    monkeypatch.undo()
    assert driver.read().cards == {CARD: {1: (ALWAYS,)}}


def test_others_answers_are_not_taken_for_ours(driver, reader, monkeypatch):
    def publishes_other_messages_first(message, text, *, heard):
        reader._send({"type": "heartbeat", "time": 1, "uptime": 1, "ip": reader.ip, "hostname": reader.hostname})
        reader._acknowledge("adduser", heard)
        reader._client.publish(f"{reader.topic}/send", b"\xff not json")
        reader._client.publish(f"{reader.topic}/send", b"[1]")
        Reader._list(reader, message, text, heard=heard)

    driver.put(CARD, {1: (ALWAYS,)})
    monkeypatch.setattr(reader, "_list", publishes_other_messages_first)
    assert set(driver.read().cards) == {CARD}


def test_a_hundred_cards_are_listed(driver, reader):
    for n in range(100):
        reader.files[str(n)] = json.dumps(
            {"command": "userfile", "uid": str(n), "acctype": 1, "validuntil": 2145916800}
        )
    assert len(driver.read().cards) == 100


# Its availability and identity --------------------------------------------------------------------------


def test_it_says_who_it_is(house, reader):
    assert str(describe(house.controller)) == (
        "It answers: esp-rfid, firmware 2.0.0, serial number 5C:CF:7F:0A:1B:2C, 0 cards in it."
    )


def test_a_reader_that_lost_its_power_is_known_to_be_off_by_its_last_will(driver, reader, overheard):
    reader.switch_off()
    watch = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _c, _d, message: message.payload == b"offline" and watch.set()
    client.connect("127.0.0.1", reader._broker.port)
    client.subscribe(f"{reader.topic}/avty", 1)
    client.loop_start()
    assert watch.wait(10)
    client.disconnect()
    client.loop_stop()
    for ask in (driver.info, driver.read, lambda: driver.pulse(1, seconds=1, key="k")):
        with pytest.raises(Unreachable, match="offline"):
            ask()
    reader.switch_on()
    assert overheard() == [], "no command was kept for it"
    assert driver.info().serial == reader.mac


def test_a_reader_that_left_is_unreachable_also_without_a_last_will(driver, reader):
    reader.leave()
    with pytest.raises(Unreachable, match="No reader listens"):
        driver.pulse(1, seconds=1, key="k")
    reader.switch_on()
    assert reader.openings == 0


def test_a_reader_that_goes_off_before_it_answers(driver, reader, monkeypatch):
    monkeypatch.setattr(reader, "_open", lambda message, text, *, heard: reader._publish_offline())
    monkeypatch.setattr(
        reader, "_publish_offline", lambda: reader._client.publish(f"{reader.topic}/avty", "offline"), raising=False
    )
    with pytest.raises(Unknown, match="went off"):
        driver.pulse(1, seconds=1, key="k")


def test_a_wrong_address_of_the_reader_is_named(house):
    with pytest.raises(Unknown, match=r"192\.0\.2\.99"):
        driver_with(house, reader_ip="192.0.2.99").info()


@pytest.mark.parametrize(
    ("version", "home_assistant", "why"),
    [("1.3.3", True, "1.3.3"), ("dev", True, "2.0 or later"), ("2.0.0", False, "Home Assistant")],
)
def test_a_reader_of_which_it_is_not_known_that_it_keeps_to_beginnings_is_not_written_to(
    house, broker, version, home_assistant, why
):
    own = broker(OPEN_TO_ALL, RAISES_QOS)
    reader = Reader(own, "old", house.peer.now, version=version, home_assistant=home_assistant)
    driver_with(house, broker=f"mqtt://127.0.0.1:{own.port}", topic="old")
    house.work()
    assert why in str(house.sync.last_error)
    assert not reader.files
    reader.leave()


def test_it_has_one_door_and_short_card_numbers(driver, reader):
    for door in (0, 2):
        with pytest.raises(Refused, match="one door"):
            driver.put(CARD, {door: (ALWAYS,)})
        with pytest.raises(Refused, match="one door"):
            driver.pulse(door, seconds=1, key="k")
    with pytest.raises(Refused, match="one door"):
        driver.put(CARD, {1: (ALWAYS,), 2: (ALWAYS,)})
    with pytest.raises(Refused, match="19"):
        driver.put("4" * 20, {1: (ALWAYS,)})
    assert reader.changes == 0


# Door events --------------------------------------------------------------------------------------------------


def kinds(door_events):
    return [(event.kind, event.card) for event in door_events]


def test_events_come_again_until_they_are_known_to_be_written(driver, reader):
    driver.info()
    reader.present("a1")
    reader.present("a2")
    reader.settle()
    first = driver.events(after=0)
    assert kinds(first) == [("denied", "a1"), ("denied", "a2")]
    assert driver.events(after=0) == first, "they are not known to be in the log"
    reader.present("a3")
    reader.settle()
    second = driver.events(after=first[-1].index)
    assert kinds(second) == [("denied", "a3")]
    assert second[0].index > first[-1].index > first[0].index > 0
    assert driver.events(after=second[-1].index) == []
    assert driver.events(after=second[-1].index) == []


def test_a_log_that_could_not_be_written_loses_no_event(house, reader, monkeypatch):
    house.work()
    reader.present("a1")
    reader.settle()

    def fails(*_args):
        raise SystemError("the disk is full")

    with monkeypatch.context() as patch, pytest.raises(SystemError):
        patch.setattr(events, "_write", fails)
        events.drain_events(house.controller.pk)
    reader.present("a2")
    reader.settle()
    for _ in range(3):
        events.drain_events(house.controller.pk)
    assert Entry.objects.filter(action="door.denied").count() == 2


def test_a_long_absence_is_caught_up_with_in_order(driver, reader):
    driver.info()
    count = 2 * WINDOW + 5
    for n in range(count):
        reader.present(f"c{n}")
    reader.settle()
    door_events, after = [], 0
    for _ in range(6):
        page = driver.events(after=after)
        assert len(page) <= WINDOW
        door_events += page
        after = page[-1].index if page else after
    assert [event.card for event in door_events] == [f"c{n}" for n in range(count)]
    assert [event.index for event in door_events] == sorted({event.index for event in door_events})


def test_acknowledgements_that_were_lost_log_no_event_twice(driver, reader, monkeypatch):
    driver.info()
    reader.present("a1")
    reader.settle()
    first = driver.events(after=0)
    reader.present("a2")
    reader.settle()
    with monkeypatch.context() as patch:
        patch.setattr(Line, "acknowledge", lambda self, message: None)
        second = driver.events(after=first[-1].index)
    assert kinds(second) == [("denied", "a2")]
    assert driver.events(after=second[-1].index) == []
    assert driver.events(after=second[-1].index) == []


def test_a_list_of_many_cards_between_does_not_hide_events(driver, reader):
    driver.info()
    for n in range(WINDOW + 50):
        reader.files[str(n)] = json.dumps({"command": "userfile", "uid": str(n), "acctype": 1})
    driver.read()
    reader.present("a1")
    reader.settle()
    assert kinds(driver.events(after=0)) == [("denied", "a1")]


def test_what_readers_tell(driver, reader):
    driver.info()
    driver.put(CARD, {1: (ALWAYS,)})
    driver.pulse(1, seconds=1, key="k")
    reader.present(CARD)
    reader.log("WARN", "tamper", "Door was tampered!")
    reader.log("WARN", "tamper", "Door wasn't closed within max open time!")
    reader.log("INFO", "door", "Door Open")
    reader._client.publish(f"{reader.topic}/tag", b"{")
    reader._publish("tag", {"uid": "b1", "username": "x", "access": ["Admin", "Disabled"], "time": 1773133200})
    reader._publish("tag", {"uid": "b2", "username": "x", "access": ["Disabled", "Always"], "time": 1773133200})
    reader._publish("tag", {"uid": "b3", "username": "x", "access": "Something new", "time": "1773133200"})
    reader._publish("tag", {"uid": "b4", "username": "x", "access": "Expired", "time": 7})
    reader._publish("tag", {"uid": "b5", "username": "x", "access": None, "time": None})
    reader.settle()
    door_events = driver.events(after=0)
    assert kinds(door_events) == [
        ("unlocked", ""),
        ("opened", CARD),
        ("forced", ""),
        ("held_open", ""),
        ("opened", "b1"),
        ("denied", "b2"),
        ("denied", "b3"),
        ("denied", "b4"),
        ("denied", "b5"),
    ]
    assert door_events[6].at == datetime(2026, 3, 10, 9, tzinfo=UTC)
    assert door_events[7].at == NOW, "its clock was never set"


def test_a_broker_that_was_down_has_kept_them(house, broker, at_broker, tmp_path):
    own = broker(OPEN_TO_ALL, RAISES_QOS, "persistence true", f"persistence_location {tmp_path}/", "user root")
    driver = at_broker(own)
    driver.info()
    house.peer.reader.present("a1")
    house.peer.reader.settle()
    house.peer.reader.leave()
    own.stop()
    with pytest.raises(Unreachable):
        driver.events(after=0)
    own.start()
    house.peer.reader.switch_on()
    assert kinds(driver.events(after=0)) == [("denied", "a1")]


def test_a_broker_that_keeps_nothing_is_named(house, broker, at_broker):
    driver = at_broker(broker(OPEN_TO_ALL))
    assert "upgrade_outgoing_qos" in str(driver.info().notes)
    house.work()
    assert not house.sync.last_error, "doors work all the same"
    events.drain_events(house.controller.pk)
    assert "upgrade_outgoing_qos" in str(EventCursor.objects.get().last_error)


# The broker ---------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_refused_and_never_shown(house, broker, tmp_path):
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    own = broker(f"password_file {passwords}", "user root")
    driver = driver_with(house, broker=f"mqtt://127.0.0.1:{own.port}", username="portal", password="correct horse")
    with pytest.raises(Refused, match="Not authorized") as failed:
        driver.info()
    assert "horse" not in str(failed.value) + repr(driver.__dict__) + repr(house.controller.options)


def test_a_broker_that_does_not_let_the_portal_write_is_named(broker, at_broker, tmp_path):
    rules = tmp_path / "rules"
    rules.write_text("topic read #\nuser reader\ntopic readwrite #\n")
    driver = at_broker(broker(OPEN_TO_ALL, f"acl_file {rules}", "user root"), username="reader")
    with pytest.raises(Refused, match="write doors"):
        driver.pulse(1, seconds=1, key="k")


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def secured(broker, authority, tmp_path):
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    return broker(OPEN_TO_ALL, RAISES_QOS, "user root", certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem")


def test_a_broker_is_trusted_by_its_authority(house, secured, at_broker, authority):
    at_broker(secured)
    pem = authority.cert_pem.bytes().decode()
    for text in (pem, pem.replace("\n", " "), pem.replace("\n", "")):
        driver = driver_with(house, broker=f"mqtts://localhost:{secured.secure_port}", ca=text)
        assert driver.info().serial == house.peer.reader.mac


def test_a_broker_that_nobody_vouches_for_is_not_spoken_to(house, secured, authority):
    pem = authority.cert_pem.bytes().decode()
    another = trustme.CA().cert_pem.bytes().decode()
    for host, text in (("localhost", ""), ("localhost", another), ("127.0.0.1", pem)):
        with pytest.raises(Unreachable, match="No secure connection"):
            driver_with(house, broker=f"mqtts://{host}:{secured.secure_port}", ca=text).info()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x20\x03\x00\x00",
        b"\x20\xff\xff\xff\xff\x7f",
        b"\x90\x01\x00",
        bytes(range(256)),
    ],
)
@pytest.mark.parametrize("scheme", ["mqtt", "mqtts"])
def test_what_is_no_broker_is_unreachable(house, answer, scheme):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            line, _address = server.accept()
            with line:
                line.recv(65536)
                line.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(Unreachable):
            driver_with(house, broker=f"{scheme}://127.0.0.1:{server.getsockname()[1]}").read()


def test_nonsense_after_the_welcome_is_unknown(house):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            line, _address = server.accept()
            with line:
                line.recv(65536)
                line.sendall(b"\x20\x03\x00\x00\x00")
                line.recv(65536)
                line.sendall(b"\x30\x05\x00\x02\xff\xfe\x00")

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(Unknown):
            driver_with(house, broker=f"mqtt://127.0.0.1:{server.getsockname()[1]}").read()


def test_no_broker_at_all(house):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable, match="not reached"):
        driver_with(house, broker=f"mqtt://127.0.0.1:{port}").info()
    with pytest.raises(Unreachable, match="not reached"):
        driver_with(house, broker=f"mqtt://{'a' * 64}.example").info()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("broker", "http://127.0.0.1"),
        ("broker", "mqtts://portal:secret@127.0.0.1"),
        ("broker", "mqtts://127.0.0.1:99999"),
        ("broker", "mqtts://127.0.0.1:0"),
        ("ca", "-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----"),
        ("ca", "none"),
        ("topic", "doors/#"),
        ("topic", "doors/"),
        ("topic", "doors/+/x"),
        ("reader_ip", "reader.example"),
        ("timeout_seconds", 0),
        ("insecure", True),
    ],
)
def test_options_that_can_not_be_used(house, option, value):
    with pytest.raises(BadOptions, match=option):
        driver_with(house, **{option: value})
