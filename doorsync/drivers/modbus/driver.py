"""Relay boards and turnstile inputs by Modbus TCP: one coil a relay; a relay that is on unlocks its door.

Read Coils (function 1) and Write Single Coil (5) as in "MODBUS Application Protocol Specification V1.1b3". A moment is
timed by the board where it can: Waveshare's "flash on" (wiki pages "Modbus POE ETH Relay" and "Modbus RTU Relay") is a
Write Single Coil at 0x0200 + the coil, whose value is the time in tenths of a second, 0x7FFF at the most.

Modbus knows no keys: nothing but the portal's own care keeps a pulse from being repeated. It knows no serial numbers.
"""

import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import Timer
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

import stamina
import structlog
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pymodbus.client import ModbusTcpClient
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    WriteSingleCoilRequest,
    WriteSingleCoilResponse,
)

from doorsync.drivers.base import (
    Actual,
    Capabilities,
    DeviceInfo,
    DoorEvent,
    Driver,
    DriverError,
    Granularity,
    Hold,
    Refused,
    Unknown,
    Unreachable,
    validated,
)
from doorsync.policy.windows import ALWAYS, Record, Windows
from portal.core.http import Deadline

log = structlog.get_logger(__name__)

SLOWNESS = 2  # connecting and one request together may take this many time-outs
COILS = 0x10000
FLASH_ON = 0x0200
FLASH_STEPS = 10  # a second
LONGEST_FLASH = 0x7FFF
# With "flash on", a coil's address has one byte, and 0xFF means all relays at once.
FLASH_COILS = 0xFF
# A relay that the portal itself must switch off again is told so this often; reconciliation sees to what is left.
LOCK_TRIES = 5

AnswerT = TypeVar("AnswerT", bound=ModbusPDU)


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    host: str = Field(
        pattern=r"^[\w.:-]+$",
        max_length=253,
        title=str(gettext_lazy("host")),
        description=str(gettext_lazy("The board's address in the network, without a port. Give it a fixed one.")),
    )
    port: int = Field(default=502, ge=1, le=65535, title=str(gettext_lazy("port")))
    unit_id: int = Field(
        default=1,
        ge=0,
        le=255,
        title=str(gettext_lazy("unit id")),
        description=str(gettext_lazy("Also called device address or slave id; as the board's manual says.")),
    )
    first_coil: int = Field(
        default=0,
        ge=0,
        lt=COILS,
        title=str(gettext_lazy("first coil")),
        description=str(gettext_lazy("The address of door 1's coil, counted from 0; door 2 has the next, and so on.")),
    )
    relays: int = Field(
        default=8,
        ge=1,
        le=128,
        title=str(gettext_lazy("number of relays")),
        description=str(gettext_lazy("From the first coil on. Leave out relays that are used for something else.")),
    )
    pulse: Literal["timed by the board", "timed by the portal"] = Field(
        default="timed by the board",
        validate_default=True,
        title=str(gettext_lazy("unlocking for a moment")),
        description=str(
            gettext_lazy(
                "By the board, if it has Waveshare's “flash on” function. By the portal: a door stays unlocked if the "
                "portal, or its way to the board, fails in that moment."
            )
        ),
    )
    timeout_seconds: float = Field(default=2, gt=0, le=10, title=str(gettext_lazy("time-out (seconds)")))

    @field_validator("relays", "pulse")
    @classmethod
    def _coils_exist(cls, value: Any, info: ValidationInfo) -> Any:
        """Whether every relay has a coil; once more with the pulse, for there are fewer for "flash on"."""
        first, relays = info.data.get("first_coil", 0), info.data.get("relays", value)
        coils = FLASH_COILS if value == "timed by the board" else COILS
        if isinstance(relays, int) and first + relays > coils:
            raise ValueError(_("the last relay would be coil %(n)d, and there is none") % {"n": first + relays - 1})
        return value


class ModbusDriver(Driver):
    Options = Options
    verified = gettext_lazy(
        "Not verified against a real device: tested against the server of the pymodbus library, and for “flash on” a "
        "fake of our own, written from Waveshare's public documentation."
    )

    def __init__(self, options: Mapping[str, Any], *, zone: ZoneInfo, now: datetime) -> None:
        self.zone, self.now = zone, now
        self._options = validated(Options, options)
        self.capabilities = Capabilities(
            windows=Granularity.NONE,
            resolution_seconds=1,
            holds_cards=False,
            lists_cards=True,
            pulse=True,
            hold=Hold.NOW,
            events=False,
            sets_clock=False,
            pulse_shows=True,
        )
        self._board = Board(self._options)

    def info(self) -> DeviceInfo:
        on = ", ".join(map(str, self._board.relays_on()))
        relays = self._options.relays
        found = ngettext("%(n)d relay", "%(n)d relays", relays) % {"n": relays}
        found += ", " + (_("on: %(relays)s") % {"relays": on} if on else _("none of them on"))
        return DeviceInfo(model="Modbus TCP", firmware="", serial="", time=None, capacity=None, found=found)

    def read(self) -> Actual:
        return Actual(holds=dict.fromkeys(self._board.relays_on(), (ALWAYS,)))

    def put(self, card: str, record: Record) -> None:
        raise Refused(_("A relay holds no cards."))

    def remove(self, card: str) -> None:
        raise Refused(_("A relay holds no cards."))

    def hold(self, door: int, held: Windows) -> None:
        self._board.switch(door, on=bool(held))

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        """Returns as soon as the relay is on: a turnstile waits for its answer. `key` is of no use here."""
        if self._options.pulse == "timed by the board":
            self._board.flash_on(door, seconds)
            return
        lock_after: float | None = 0
        try:
            self._board.switch(door, on=True)
            lock_after = seconds
        except (Refused, Unreachable):
            lock_after = None
            raise
        finally:
            # Also, and at once, where nobody knows whether it is on: to switch off is always safe.
            if lock_after is not None:
                # No daemon: a process that is told to stop lets the door lock first.
                Timer(lock_after, let_lock, (self._options, door)).start()

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        return []

    def set_clock(self, moment: datetime) -> None:
        raise Refused(_("A relay has no clock."))

    def close(self) -> None:
        self._board.close()


def let_lock(options: Options, door: int) -> None:
    """Switch a relay off, whatever it takes within some seconds. Unlike a pulse, this may be repeated."""
    try:
        for attempt in stamina.retry_context(on=DriverError, attempts=LOCK_TRIES, timeout=None):
            with attempt:
                board = Board(options)
                try:
                    board.switch(door, on=False)
                finally:
                    board.close()
    except DriverError as error:
        log.warning("a door could not be let lock; the next round will", host=options.host, door=door, why=str(error))


class _FlashOn(WriteSingleCoilRequest):
    """Write Single Coil with a time (`registers[0]`, in tenths of a second) where the standard has on or off."""

    def encode(self) -> bytes:
        return struct.pack(">HH", self.address, self.registers[0])


class Board:
    """The relays by their numbers from 1, over one connection. Every method raises DriverError."""

    def __init__(self, options: Options) -> None:
        self._options = options
        # Any: what connects and closes it has no types.
        self._client: Any = ModbusTcpClient(options.host, port=options.port, timeout=options.timeout_seconds, retries=0)

    def relays_on(self) -> list[int]:
        """The numbers of the relays that are on. Always asks for all of them: the request that a test has proved."""
        count = self._options.relays
        request = ReadCoilsRequest(self._options.unit_id, address=self._options.first_coil, count=count)
        bits = self._ask(request, ReadCoilsResponse).bits
        if len(bits) != -(-count // 8) * 8:
            raise self._not_understood()
        return [number for number, on in enumerate(bits[:count], start=1) if on]

    def switch(self, relay: int, *, on: bool) -> None:
        self._write(WriteSingleCoilRequest(self._options.unit_id, address=self._coil(relay), bits=[on]), on=on)

    def flash_on(self, relay: int, seconds: int) -> None:
        """Switch a relay on; the board itself switches it off after so many seconds."""
        steps = seconds * FLASH_STEPS
        if not 0 < steps <= LONGEST_FLASH:
            raise Refused(_("The board can't unlock a door for %(n)d seconds.") % {"n": seconds})
        address = FLASH_ON + self._coil(relay)
        self._write(_FlashOn(self._options.unit_id, address=address, registers=[steps]), on=True)

    def close(self) -> None:
        self._client.close()

    def _coil(self, relay: int) -> int:
        if not 1 <= relay <= self._options.relays:
            raise Refused(
                _("Door %(door)d is on no relay: the controller has %(n)d of them.")
                % {"door": relay, "n": self._options.relays}
            )
        return self._options.first_coil + relay - 1

    def _write(self, request: WriteSingleCoilRequest, *, on: bool) -> None:
        """The answer to a write repeats it."""
        answer = self._ask(request, WriteSingleCoilResponse)
        if (answer.address, list(answer.bits)) != (request.address, [on]):
            raise self._not_understood()

    def _ask(self, request: ModbusPDU, answer_type: type[AnswerT]) -> AnswerT:
        with Deadline(SLOWNESS * self._options.timeout_seconds) as deadline:
            self._connect()
            if self._client.socket is not None:
                deadline.watch(self._client.socket)
            try:
                answer = self._client.execute(False, request)
            except (ModbusException, OSError) as error:
                # What comes late must not be taken for the answer to something else.
                self._client.close()
                raise Unknown(_("No answer came from the board, or none that can be read.")) from error
        if isinstance(answer, ExceptionResponse):
            raise _refusal(answer.exception_code)
        # A list of inputs is of the type of a list of coils, too.
        if not isinstance(answer, answer_type) or answer.function_code != request.function_code:
            raise self._not_understood()
        return answer

    def _connect(self) -> None:
        try:
            connected = self._client.connect()
        except UnicodeError:  # a host name that can be none
            connected = False
        if not connected:
            raise Unreachable(
                _("No connection to %(host)s, port %(port)d. Is the board on, and Modbus TCP chosen in its settings?")
                % {"host": self._options.host, "port": self._options.port}
            )

    def _not_understood(self) -> Unknown:
        self._client.close()
        return Unknown(_("The board's answer does not fit what it was asked: is it a Modbus TCP device?"))


def _refusal(code: int) -> DriverError:
    """What an exception response means. Only where nothing was done for sure is it a no."""
    noes: dict[int, str] = {
        ExcCodes.ILLEGAL_FUNCTION: _("it does not know the function"),
        ExcCodes.ILLEGAL_ADDRESS: _("it has no such coil; check the first coil, and whether it has “flash on”"),
        ExcCodes.ILLEGAL_VALUE: _("it does not take the value; check the number of relays, and for “flash on”"),
        ExcCodes.DEVICE_BUSY: _("it is busy"),
        ExcCodes.GATEWAY_PATH_UNAVIABLE: _("the gateway has no way to this unit id"),
    }
    if code not in noes:
        return Unknown(_("The board failed (Modbus exception %(code)d): nobody knows what it did.") % {"code": code})
    return Refused(_("The board refused: %(why)s (Modbus exception %(code)d).") % {"why": noes[code], "code": code})
