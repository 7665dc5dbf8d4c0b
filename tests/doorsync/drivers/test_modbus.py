"""What is special to relays by Modbus TCP: the bytes, odd answers, and pulses that share their relay with holds."""

import socketserver
import struct
import threading
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.client import ModbusTcpClient

from doorsync.admin import controllers
from doorsync.controllers import preview, store, unlock
from doorsync.controllers.connection import describe
from doorsync.drivers import driver_for
from doorsync.drivers.base import Actual, BadOptions, DriverError, Refused, Unknown, Unreachable
from doorsync.drivers.modbus import driver as modbus_driver
from doorsync.drivers.modbus.driver import ModbusDriver
from doorsync.models import ControllerHold
from doorsync.policy.windows import ALWAYS
from portal.audit.models import Entry
from portal.core import clock
from tests.doorsync.drivers.conftest import NOW
from tests.doorsync.drivers.peer import Fault
from tests.doorsync.drivers.peers.modbus import ModbusFlash, ModbusPlain

UTC = ZoneInfo("UTC")
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
OVER = 3 * SECOND + unlock.MARGIN  # a pulse of three seconds is surely over

both = pytest.mark.parametrize("kind", [ModbusFlash, ModbusPlain], ids=lambda kind: kind.__name__)


@pytest.fixture
def flash(move_in):
    return move_in(ModbusFlash)


@pytest.fixture
def plain(move_in):
    return move_in(ModbusPlain)


def open_up(house: Any, key: str = "k", seconds: int = 3) -> bool | None:
    return unlock.open_for_a_moment(house.door, milliseconds=1000 * seconds, key=key, actor="ann")


def driver_of(**options: Any) -> ModbusDriver:
    return ModbusDriver({"host": "127.0.0.1", "timeout_seconds": 0.2, **options}, zone=UTC, now=NOW)


def dies(monkeypatch: Any) -> list[float]:
    """The process that unlocks a door does not live to let it lock. In how many seconds it would have, each time."""
    meant: list[float] = []

    class Never:
        def __init__(self, seconds: float, *_args: Any) -> None:
            meant.append(seconds)

        def start(self) -> None: ...

    monkeypatch.setattr(modbus_driver, "Timer", Never)
    return meant


# The bytes --------------------------------------------------------------------------------------------------


def test_the_bytes_are_the_specifications_and_waveshares(flash):
    """Each after its transaction number: protocol 0, length 6, unit 1, function, address, count or value."""
    driver = driver_for(flash.controller, NOW)
    driver.read()
    driver.hold(1, (ALWAYS,))
    driver.hold(8, ())
    driver.pulse(1, seconds=1, key="k")
    driver.pulse(8, seconds=60, key="k")
    driver.close()
    assert [packet[2:].hex(" ") for packet in flash.peer.packets] == [
        "00 00 00 06 01 01 00 00 00 08",
        "00 00 00 06 01 05 00 00 ff 00",
        "00 00 00 06 01 05 00 07 00 00",
        "00 00 00 06 01 05 02 00 00 0a",  # as in Waveshare's example, where it is 00 07: 700 ms
        "00 00 00 06 01 05 02 07 02 58",
    ]


def test_one_piece_of_work_is_one_connection(flash):
    driver = driver_for(flash.controller, NOW)
    driver.info()
    driver.read()
    driver.hold(1, ())
    driver.close()
    assert [struct.unpack(">H", packet[:2])[0] for packet in flash.peer.packets] == [1, 2, 3], "numbered on and on"


def test_doors_are_counted_from_the_first_coil(plain):
    plain.peer.somebody_switches(2, on=True)
    driver = driver_for(plain.controller, NOW)
    assert driver.read() == Actual(holds={2: (ALWAYS,)})
    driver.hold(1, (ALWAYS,))
    driver.close()
    assert plain.peer.packets[-1].hex(" ").endswith("01 05 00 10 ff 00")


def test_a_door_without_a_relay_and_a_time_that_no_board_takes_are_refused_unsent(flash):
    driver = driver_for(flash.controller, NOW)
    for door in (0, 9, -1):
        with pytest.raises(Refused, match="on no relay"):
            driver.hold(door, (ALWAYS,))
        with pytest.raises(Refused, match="on no relay"):
            driver.pulse(door, seconds=1, key="k")
    with pytest.raises(Refused, match="3277 seconds"):
        driver.pulse(1, seconds=3277, key="k")
    driver.close()
    assert not flash.peer.packets


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"host": ""}, "host"),
        ({"host": "10.0.0.1:502/x"}, "host"),
        ({"port": 0}, "port"),
        ({"unit_id": 256}, "unit_id"),
        ({"relays": 129}, "relays"),
        ({"first_coil": 65535, "relays": 2, "pulse": "timed by the portal"}, "coil 65536"),
        ({"first_coil": 250, "relays": 6}, "coil 255"),  # with "flash on", coil 0xFF is all relays
        ({"first_coil": 0x200}, "coil 519"),
        ({"pulse": "somehow"}, "pulse"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"password": "x"}, "password"),
    ],
)
def test_options_that_do_not_fit_are_named(options, why):
    with pytest.raises(BadOptions, match=why):
        driver_of(**options)


def test_the_last_coils_that_there_are_fit():
    driver_of(first_coil=247, relays=8).close()
    driver_of(first_coil=65534, relays=2, pulse="timed by the portal").close()


def test_staff_are_told_what_it_is(flash):
    assert str(describe(flash.controller)) == "It answers: Modbus TCP, 8 relays, none of them on."
    for relay in (2, 5):
        flash.peer.somebody_switches(relay, on=True)
    assert str(describe(flash.controller)) == "It answers: Modbus TCP, 8 relays, on: 2, 5."
    driver = driver_for(flash.controller, NOW)
    driver.close()
    words = " ".join(controllers.capabilities_in_words(driver.capabilities))
    assert "Holds no cards" in words
    assert "what others switched is noticed" in words
    assert "depends on the portal being up" in words


# Noes, silence and nonsense ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "error"),
    [
        *((code, Refused) for code in (1, 2, 3, 6, 10)),
        *((code, Unknown) for code in (4, 5, 7, 8, 11, 77)),  # a gateway whose board does not answer, too
    ],
)
def test_exceptions_are_told_apart(answering, code, error):
    driver = driver_of(port=answering(lambda request: bytes([request[0] | 0x80, code])))
    with pytest.raises(error, match=f"exception {code}"):
        driver.hold(1, (ALWAYS,))
    driver.close()


@pytest.fixture
def answering():
    """Start a server that answers requests with `payload(request)`, or hands the connection to `raw`."""
    servers = []

    def start(payload: Any = None, raw: Any = None) -> int:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                while request := self.request.recv(300):
                    try:
                        if raw is not None:
                            raw(self.request)
                            return
                        answer = payload(request[7:])
                        header = request[:4] + struct.pack(">H", len(answer) + 1) + request[6:7]
                        self.request.sendall(header + answer)
                    except OSError:
                        return  # the driver has had enough

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return int(server.server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def dribble(connection: Any) -> None:
    """One byte after the other of an answer that never ends; ends when the driver hangs up."""
    connection.sendall(b"\x00\x01\x00\x00\xff\xff\x01")
    gone = threading.Event()
    while not gone.wait(0.02):
        connection.sendall(b"\x01")


@pytest.mark.parametrize(
    "raw",
    [
        lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        lambda connection: connection.sendall(b"\x00"),
        lambda connection: connection.close(),
        lambda connection: connection.sendall(b"\x00\x01\x00\x00\x00\x04\x02\x01\x01\x00"),  # another unit
        lambda connection: connection.sendall(b"\x00\x09\x00\x00\x00\x04\x01\x01\x01\x00"),  # another transaction
        dribble,
    ],
    ids=["HTTP", "one byte", "hangs up", "another unit", "another transaction", "never ends"],
)
def test_what_is_no_answer_is_unknown_and_takes_no_longer_than_that(answering, raw):
    driver = driver_of(port=answering(raw=raw))
    with pytest.raises(Unknown):
        driver.read()
    driver.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"\x01\x00",
        b"\x02\x01\xff",
        b"\x01\x02\x00\x00",
        b"\x03\x02\x00\x00",
        b"\x05\x00\x00\xff\x00",
        b"\x01",
        b"\x80\x01",
        b"\x00\x00",
    ],
    ids=lambda answer: answer.hex(" "),
)
def test_a_list_of_relays_that_does_not_fit_is_unknown(answering, answer):
    driver = driver_of(port=answering(lambda _request: answer))
    with pytest.raises(Unknown):
        driver.read()
    driver.close()


@pytest.mark.parametrize("answer", ["05 00 01 ff 00", "05 00 00 00 00", "0f 00 00 00 01", "01 01 01"])
def test_an_answer_to_a_write_must_repeat_it(answering, answer):
    driver = driver_of(port=answering(lambda _request: bytes.fromhex(answer)))
    with pytest.raises(Unknown):
        driver.hold(1, (ALWAYS,))
    driver.close()


def test_whatever_answers_nothing_but_our_own_errors_comes_out(answering):
    answer = b""
    port = answering(lambda _request: answer)

    @settings(max_examples=60, deadline=None)
    @given(payload=st.binary(min_size=1, max_size=12))
    def never_breaks(payload):
        nonlocal answer
        answer = payload
        for work in (ModbusDriver.read, lambda driver: driver.hold(1, (ALWAYS,))):
            driver = driver_of(port=port, timeout_seconds=0.02)
            try:
                work(driver)
            except DriverError:
                pass
            finally:
                driver.close()

    never_breaks()


@pytest.mark.parametrize("host", ["127.0.0.1", "..", "x" * 70])
def test_nobody_there_is_unreachable(host):
    driver = driver_of(host=host, port=9)
    with pytest.raises(Unreachable, match="port 9"):
        driver.hold(1, ())
    driver.close()


def test_a_door_is_not_unlocked_where_the_board_does_not_say_how_it_stands(flash):
    flash.peer.set_fault(Fault.SILENT)
    assert open_up(flash) is False, "only a question was sent: nothing could unlock"
    assert flash.peer.changes_asked == 0
    assert not ControllerHold.objects.exists()


# Whose relay it is ------------------------------------------------------------------------------------------


@both
def test_a_relay_that_somebody_else_switched_is_said_and_left_alone(move_in, kind):
    house = move_in(kind)
    house.peer.somebody_switches(1, on=True)
    house.work()
    house.work()
    assert "Door 1: held unlocked, and not by the portal" in str(house.sync.last_error)
    assert house.peer.changes_asked == 0
    assert open_up(house) is True, "it stands unlocked as it is"
    assert Entry.objects.get(action="door.pulse").detail["stood_unlocked"] is True
    assert house.peer.changes_asked == 0, "the end of a pulse would lock it"
    house.peer.somebody_switches(1, on=False)
    house.work()
    assert not house.sync.last_error


@both
def test_a_hold_that_the_board_lost_is_set_again_and_survives_a_pulse(move_in, kind):
    house = move_in(kind)
    hall = house.door if house.peer.doors[-1] == 1 else house.controller.doors.get(number=2)
    house.book("open", NOW - HOUR, NOW + HOUR, room="hall")
    house.work()
    assert house.peer.held_unlocked(2)
    house.peer.lose_power()
    assert not preview.preview(house.controller, NOW)[1].in_step
    house.work()
    assert house.peer.held_unlocked(2)
    before = house.peer.changes_asked
    assert unlock.open_for_a_moment(hall, milliseconds=1000, key="k", actor="ann") is True
    assert house.peer.changes_asked == before
    assert house.peer.held_unlocked(2)


# Pulses -----------------------------------------------------------------------------------------------------


def test_while_a_pulse_lasts_it_is_nobody_elses_hold_and_not_cut_short(flash):
    flash.work()
    assert open_up(flash) is True
    before = flash.peer.changes_asked
    assert flash.work().in_step
    assert not flash.sync.last_error
    assert preview.preview(flash.controller, NOW)[1].in_step
    assert flash.peer.is_on(1)
    assert flash.sync.next_edge_at == NOW + OVER, "and is looked at again when it must be over"
    with flash.at(NOW + OVER):
        assert not flash.peer.is_on(1), "by the board's own clock"
        assert flash.peer.changes_asked == before
        assert not ControllerHold.objects.exists()
    assert flash.sync.next_edge_at is None


def test_a_booking_that_begins_in_the_middle_of_a_pulse_holds_the_door_after_it(flash):
    hall = flash.controller.doors.get(number=2)
    flash.book("open", NOW + SECOND, NOW + HOUR, room="hall")
    flash.work()
    assert unlock.open_for_a_moment(hall, milliseconds=3000, key="k", actor="ann") is True
    with flash.at(NOW + SECOND):
        assert not flash.peer.held_unlocked(2)
    with flash.at(NOW + OVER):
        assert flash.peer.held_unlocked(2)
    with flash.at(NOW + HOUR):
        assert not flash.peer.held_unlocked(2)


def test_a_pulse_in_the_time_of_another_begins_anew(flash):
    assert open_up(flash, "k1") is True
    with clock.stopped_at(NOW + 2 * SECOND):
        assert open_up(flash, "k2") is True
    with flash.at(NOW + 4 * SECOND):
        assert flash.peer.is_on(1)
    with flash.at(NOW + 2 * SECOND + OVER):
        assert not flash.peer.is_on(1)
        assert not ControllerHold.objects.exists()


def test_the_portal_ends_a_pulse_that_it_times_itself(plain):
    assert open_up(plain, seconds=1) is True
    assert plain.peer.is_on(1), "the turnstile has its answer, and the second is not over"
    with plain.peer.written:
        assert plain.peer.written.wait_for(lambda: (1, False) in plain.peer.writes, timeout=10)
    assert not plain.peer.is_on(1)


def test_where_nobody_knows_whether_it_is_on_it_is_switched_off_until_that_is_answered(plain):
    plain.peer.set_fault(Fault.ANSWERS_LOST)
    assert open_up(plain, seconds=60) is None
    with plain.peer.written:
        assert plain.peer.written.wait_for(lambda: plain.peer.writes.count((1, False)) == 2, timeout=10)
    plain.peer.set_fault(None)
    assert plain.peer.pulses(1) == 1
    assert ControllerHold.objects.get().state == "pending", "late as it may come, it is known for the portal's own"


@pytest.mark.parametrize("fault", [Fault.REFUSES, None], ids=["refused", "unreachable"])
def test_where_it_is_surely_off_nothing_is_left_to_do(plain, monkeypatch, fault):
    meant = dies(monkeypatch)
    real = ModbusDriver.pulse

    def unplugged(driver: ModbusDriver, *args: Any, **kwargs: Any) -> None:
        driver.close()
        monkeypatch.setattr(ModbusTcpClient, "connect", lambda _client: False)
        real(driver, *args, **kwargs)

    if fault is None:
        monkeypatch.setattr(ModbusDriver, "pulse", unplugged)
    plain.peer.set_fault(fault)
    assert open_up(plain) is False
    assert not ControllerHold.objects.exists()
    assert meant == []


def test_a_door_left_unlocked_by_a_process_that_died_is_let_lock_when_its_time_is_over(plain, monkeypatch):
    plain.work()
    dies(monkeypatch)
    assert open_up(plain) is True
    with plain.at(NOW + OVER - SECOND):
        assert plain.peer.is_on(1)
    with plain.at(NOW + OVER):
        assert not plain.peer.is_on(1)
        assert Entry.objects.filter(action="door.locked", object_label="Door 1").exists()
        assert not ControllerHold.objects.exists()


def test_so_it_is_where_the_process_died_before_it_heard_that_the_relay_is_on(plain, monkeypatch):
    plain.work()
    dies(monkeypatch)
    real = modbus_driver.Board.switch

    def dies_then(board: Any, relay: int, *, on: bool) -> None:
        real(board, relay, on=on)
        raise SystemError("the power went")

    with monkeypatch.context() as patch, pytest.raises(SystemError):
        patch.setattr(modbus_driver.Board, "switch", dies_then)
        open_up(plain)
    assert plain.peer.is_on(1)
    with plain.at(NOW + OVER):
        assert not plain.peer.is_on(1)


def test_a_pulse_in_the_middle_of_a_round_is_looked_at_after_it(plain, monkeypatch):
    dies(monkeypatch)
    real = store.write_intents

    def meanwhile(*args: Any) -> None:
        assert open_up(plain) is True
        real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_intents", meanwhile)
        plain.work()
    assert plain.peer.is_on(1)
    assert plain.sync.next_edge_at == NOW + OVER
    with plain.at(NOW + OVER):
        assert not plain.peer.is_on(1)


def test_a_refusal_in_the_time_of_another_pulse_does_not_forget_that(plain, monkeypatch):
    dies(monkeypatch)
    assert open_up(plain, "k1") is True
    plain.peer.set_fault(Fault.REFUSES)
    assert open_up(plain, "k2") is False
    plain.peer.set_fault(None)
    with plain.at(NOW + OVER):
        assert not plain.peer.is_on(1)
