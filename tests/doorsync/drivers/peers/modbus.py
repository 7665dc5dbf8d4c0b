"""Relay boards by Modbus TCP, on the server of the pymodbus library: a plain one with its own store, and one that has
Waveshare's "flash on", written from the wiki page "Modbus POE ETH Relay"."""

import asyncio
import struct
import threading
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from tests.doorsync.drivers.peer import Fault, Peer

UNIT, RELAYS = 1, 8
READ, WRITE = 1, 5  # function codes


class ModbusPlain(Peer):
    """Coils and nothing else: the portal itself times its pulses."""

    driver = "modbus"
    holds_cards = False
    can_be_full = False
    tells_events = False
    has_clock = False
    pulse: ClassVar[str] = "timed by the portal"
    first_coil: ClassVar[int] = 16

    def start(self) -> dict[str, Any]:
        self.fault: Fault | None = None
        self.writes: list[tuple[int, bool]] = []  # carried out: (relay, on)
        self.asked: list[bytes] = []  # every packet that came
        self.written = threading.Condition()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._server: ModbusTcpServer = self._await(self._serve())
        self.port: int = self._server.transport.sockets[0].getsockname()[1]
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "unit_id": UNIT,
            "first_coil": self.first_coil,
            "relays": RELAYS,
            "pulse": self.pulse,
            "timeout_seconds": 0.15,
        }

    async def _serve(self) -> ModbusTcpServer:
        bits, registers = SimData(0, values=[False], datatype=DataType.BITS), SimData(0, datatype=DataType.REGISTERS)
        coils = [SimData(self.first_coil // 16, values=[False] * 16, datatype=DataType.BITS)]
        device = SimDevice(UNIT, simdata=(coils, [bits], [registers], [registers]), action=self._act)
        server = ModbusTcpServer(
            device, address=("127.0.0.1", 0), trace_packet=self._packet, custom_pdu=self._special_requests()
        )
        await server.serve_forever(background=True)
        return server

    def _special_requests(self) -> list[type[ModbusPDU]]:
        return []

    def _await(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    def stop(self) -> None:
        self.fault = None
        for timer in threading.enumerate():
            if isinstance(timer, threading.Timer):
                timer.join()  # the portal lets its doors lock before the board is switched off
        self._await(self._server.shutdown())
        self._loop.call_soon_threadsafe(self._loop.stop)

    # What goes wrong ------------------------------------------------------------------------------

    def set_fault(self, fault: Fault | None) -> None:
        self.fault = fault

    def _packet(self, sending: bool, data: bytes) -> bytes:
        if not sending:
            self.asked.append(data)
            return b"" if self.fault is Fault.SILENT else data
        return b"" if self.fault is Fault.ANSWERS_LOST and data[7] & 0x7F == WRITE else data

    async def _act(
        self, function: int, _start: int, address: int, _count: int, store: list[int], values: Any
    ) -> ExcCodes | None:
        """Called by the store before it is read or written."""
        if function != WRITE or values is None:
            return None
        if self.fault is Fault.REFUSES:
            return ExcCodes.DEVICE_BUSY
        with self.written:
            self.writes.append((address - self.first_coil + 1, bool(values[0])))
            self.written.notify_all()
        return None

    # What it does ---------------------------------------------------------------------------------

    def is_on(self, relay: int) -> bool:
        return bool(self._await(self._server.async_getValues(UNIT, READ, self.first_coil + relay - 1))[0])

    def somebody_switches(self, relay: int, on: bool) -> None:
        """By its buttons, not through the portal."""
        store = self._server.context.async_setValues(UNIT, 15, self.first_coil + relay - 1, [on])
        self._await(store)

    def lose_power(self) -> None:
        for relay in range(1, RELAYS + 1):
            self.somebody_switches(relay, False)

    def held_unlocked(self, door: int) -> bool:
        return self.is_on(door)

    def pulses(self, door: int) -> int:
        return self.writes.count((door, True))  # it can't tell a pulse from a hold

    @property
    def changes_asked(self) -> int:
        return sum(packet[7] == WRITE for packet in self.asked)


class ModbusFlash(ModbusPlain):
    """A board that times a pulse by itself."""

    pulse = "timed by the board"
    first_coil = 0

    def start(self) -> dict[str, Any]:
        self.flashing: dict[int, datetime] = {}  # relay -> when it goes off
        self.flashes: list[tuple[int, int]] = []  # relay, tenths of a second
        return super().start()

    def _special_requests(self) -> list[type[ModbusPDU]]:
        board = self

        class WriteSingleCoil(ModbusPDU):
            """Strict: by the specification 0x0000 and 0xFF00 are the only values; but for the flash addresses."""

            function_code = WRITE

            def encode(self) -> bytes:
                return struct.pack(">HH", self.address, self.value)

            def decode(self, data: bytes) -> None:
                self.address, self.value = struct.unpack(">HH", data)

            async def datastore_update(self, context: Any, device_id: int) -> ModbusPDU:
                refusal = await board.write(context, device_id, self.address, self.value)
                return ExceptionResponse(WRITE, refusal) if refusal else self

        return [WriteSingleCoil]

    async def write(self, context: Any, unit: int, address: int, value: int) -> ExcCodes | None:
        relay = (address & 0xFF) + 1
        if address >> 8 not in (0x00, 0x02) or relay > RELAYS:
            return ExcCodes.ILLEGAL_ADDRESS
        flash = address >> 8 == 0x02
        if (not 0 < value <= 0x7FFF) if flash else (value not in (0x0000, 0xFF00)):
            return ExcCodes.ILLEGAL_VALUE
        refusal: ExcCodes | None = await context.async_setValues(unit, WRITE, relay - 1, [bool(value)])
        if refusal:
            return refusal
        self.flashing.pop(relay, None)
        if flash:
            self.flashes.append((relay, value))
            self.flashing[relay] = self.now() + timedelta(milliseconds=100 * value)
        return None

    async def _act(
        self, function: int, start: int, address: int, count: int, store: list[int], values: Any
    ) -> ExcCodes | None:
        for relay in [relay for relay, end in self.flashing.items() if end <= self.now()]:
            del self.flashing[relay]
            store[0] &= ~(1 << (relay - 1))
        return await super()._act(function, start, address, count, store, values)

    def held_unlocked(self, door: int) -> bool:
        return self.is_on(door) and door not in self.flashing

    def pulses(self, door: int) -> int:
        return sum(relay == door for relay, _tenths in self.flashes)
