"""Relay boards and turnstile inputs by Modbus TCP: one coil for each relay; a relay that is on unlocks its door.

The board itself times a pulse where it can; otherwise the portal does. Modbus knows no keys: only the portal keeps a
pulse from being repeated. It knows no serial numbers.
"""

from threading import Timer
from typing import Annotated, Any, Literal

import stamina
import structlog
from django.utils.translation import gettext_lazy as _
from pydantic import ValidationInfo, field_validator

from doorsync.drivers.base import (
    Actual,
    Capabilities,
    DeviceInfo,
    Driver,
    DriverError,
    Granularity,
    Hold,
    Refused,
    Unreachable,
)
from doorsync.drivers.modbus import problems
from doorsync.drivers.modbus.client import Board
from doorsync.drivers.options import DriverOptions, matching, option, timeout
from doorsync.policy.windows import ALWAYS, Windows
from portal.core.problems import Problems

log = structlog.get_logger(__name__)

COILS = 0x10000
# With "flash on", a coil's address has one byte, and 0xFF means all relays at once.
FLASH_COILS = 0xFF
# The portal tries this often to switch a relay off that it timed itself; after that, reconciliation does.
LOCK_TRIES = 5


class ModbusOptions(DriverOptions):
    host: Annotated[str, matching(r"^[\w.:-]+$", problems.HOST_EXPECTED)] = option(
        max_length=253,
        title=_("host"),
        description=_("The board's address in the network, without a port. Give it a fixed one."),
    )
    port: int = option(502, ge=1, le=65535, title=_("port"))
    unit_id: int = option(
        1,
        ge=0,
        le=255,
        title=_("unit id"),
        description=_("Also called device address or slave id; as the board's manual says."),
    )
    first_coil: int = option(
        0,
        ge=0,
        lt=COILS,
        title=_("first coil"),
        description=_("The address of door 1's coil, counted from 0; door 2 has the next, and so on."),
    )
    relays: int = option(
        8,
        ge=1,
        le=128,
        title=_("number of relays"),
        description=_("From the first coil on. Leave out relays that are used for something else."),
    )
    pulse: Literal["timed by the board", "timed by the portal"] = option(
        "timed by the board",
        validate_default=True,
        title=_("unlocking for a moment"),
        description=_(
            "By the board, if it has Waveshare's “flash on” function. By the portal: a door stays unlocked if the "
            "portal, or its way to the board, fails in that moment."
        ),
    )
    timeout_seconds: float = timeout(2, at_most=10)

    @field_validator("relays", "pulse")
    @classmethod
    def _coils_exist(cls, value: Any, info: ValidationInfo) -> Any:
        """Whether every relay has a coil; again with the pulse, because "flash on" reaches fewer coils."""
        first, relays = info.data.get("first_coil", 0), info.data.get("relays", value)
        coils = FLASH_COILS if value == "timed by the board" else COILS
        if isinstance(relays, int) and first + relays > coils:
            raise ValueError(problems.NO_SUCH_COIL(n=first + relays - 1))
        return value


class ModbusDriver(Driver):
    Options = ModbusOptions
    options: ModbusOptions
    verified = _(
        "Not verified against a real device: tested against the server of the pymodbus library, and for “flash on” a "
        "fake of our own, written from Waveshare's public documentation."
    )
    capabilities = Capabilities(
        windows=Granularity.NONE, holds_cards=False, hold=Hold.NOW, events=False, pulse_shows=True
    )

    def set_up(self) -> None:
        self._board = board_of(self.options)

    def info(self) -> DeviceInfo:
        on = ", ".join(map(str, self._board.relays_on()))
        notes = [
            problems.RELAYS(n=self.options.relays),
            problems.RELAYS_ON(relays=on) if on else problems.NO_RELAYS_ON(),
        ]
        return DeviceInfo("Modbus TCP", firmware="", serial="", time=None, capacity=None, notes=Problems(notes))

    def read(self) -> Actual:
        return Actual(holds=dict.fromkeys(self._board.relays_on(), (ALWAYS,)))

    def hold(self, door: int, held: Windows) -> None:
        self._board.switch(door, on=bool(held))

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        """Returns as soon as the relay is on: a turnstile waits for its answer. `key` has no use here."""
        if self.options.pulse == "timed by the board":
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
            # At once where nobody knows whether it is on: to switch off is always safe.
            if lock_after is not None:
                # No daemon: a process that is stopped lets the door lock first.
                Timer(lock_after, let_lock, (self.options, door)).start()

    def close(self) -> None:
        self._board.close()


def board_of(options: ModbusOptions) -> Board:
    return Board(
        options.host,
        options.port,
        unit_id=options.unit_id,
        first_coil=options.first_coil,
        relays=options.relays,
        seconds=options.timeout_seconds,
    )


def let_lock(options: ModbusOptions, door: int) -> None:
    """Switch a relay off, with some tries within some seconds. Unlike a pulse, this may be repeated."""
    try:
        for attempt in stamina.retry_context(on=DriverError, attempts=LOCK_TRIES, timeout=None):
            with attempt:
                board = board_of(options)
                try:
                    board.switch(door, on=False)
                finally:
                    board.close()
    except DriverError as error:
        log.warning(
            "a door did not lock; the next reconciliation tries again",
            host=options.host,
            door=door,
            why=error.problem.as_json(),
        )
