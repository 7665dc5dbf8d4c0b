"""The Modbus TCP of a relay board: one coil for each relay.

Read Coils (function 1) and Write Single Coil (5) as in "MODBUS Application Protocol Specification V1.1b3". Waveshare's
"flash on" (wiki pages "Modbus POE ETH Relay" and "Modbus RTU Relay") is a Write Single Coil at 0x0200 + the coil, whose
value is the time in tenths of a second, 0x7FFF at most.
"""

import struct
from typing import Any, TypeVar

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

from doorsync.drivers.errors import DriverError, Refused, Unknown, Unreachable
from doorsync.drivers.modbus import problems
from portal.core.http import Deadline

SLOWNESS = 2  # connecting and one request together may take this many time-outs
FLASH_ON = 0x0200
FLASH_STEPS = 10  # a second
LONGEST_FLASH = 0x7FFF

AnswerT = TypeVar("AnswerT", bound=ModbusPDU)


class _FlashOn(WriteSingleCoilRequest):
    """Write Single Coil with a time (`registers[0]`, in tenths of a second) where the standard has on or off."""

    def encode(self) -> bytes:
        return struct.pack(">HH", self.address, self.registers[0])


class Board:
    """The relays by their numbers from 1, over one connection. Every method may raise DriverError."""

    def __init__(self, host: str, port: int, *, unit_id: int, first_coil: int, relays: int, seconds: float) -> None:
        """`seconds`: the time-out."""
        self._host, self._port, self._unit = host, port, unit_id
        self._first_coil, self._relays, self._seconds = first_coil, relays, seconds
        # Any: its methods to connect and close have no types.
        self._client: Any = ModbusTcpClient(host, port=port, timeout=seconds, retries=0)

    def relays_on(self) -> list[int]:
        """The numbers of the relays that are on. Always reads all of them, as the test of the connection does."""
        request = ReadCoilsRequest(self._unit, address=self._first_coil, count=self._relays)
        bits = self._request(request, ReadCoilsResponse).bits
        if len(bits) != -(-self._relays // 8) * 8:
            raise self._unfit_answer()
        return [number for number, on in enumerate(bits[: self._relays], start=1) if on]

    def switch(self, relay: int, *, on: bool) -> None:
        self._write(WriteSingleCoilRequest(self._unit, address=self._coil(relay), bits=[on]), on=on)

    def flash_on(self, relay: int, seconds: int) -> None:
        """Switch a relay on; the board itself switches it off after so many seconds."""
        steps = seconds * FLASH_STEPS
        if not 0 < steps <= LONGEST_FLASH:
            raise Refused(problems.PULSE_TOO_LONG(n=seconds))
        address = FLASH_ON + self._coil(relay)
        self._write(_FlashOn(self._unit, address=address, registers=[steps]), on=True)

    def close(self) -> None:
        self._client.close()

    def _coil(self, relay: int) -> int:
        if not 1 <= relay <= self._relays:
            raise Refused(problems.NO_RELAY(door=relay, n=self._relays))
        return self._first_coil + relay - 1

    def _write(self, request: WriteSingleCoilRequest, *, on: bool) -> None:
        """The answer to a write repeats it."""
        answer = self._request(request, WriteSingleCoilResponse)
        if (answer.address, list(answer.bits)) != (request.address, [on]):
            raise self._unfit_answer()

    def _request(self, request: ModbusPDU, answer_type: type[AnswerT]) -> AnswerT:
        with Deadline(SLOWNESS * self._seconds) as deadline:
            self._connect()
            if self._client.socket is not None:
                deadline.watch(self._client.socket)
            try:
                answer = self._client.execute(False, request)
            except (ModbusException, OSError) as error:
                # A late answer must not count as the answer to the next request.
                self._client.close()
                raise Unknown(problems.NO_ANSWER()) from error
        if isinstance(answer, ExceptionResponse):
            raise _refusal(answer.exception_code)
        # An answer with inputs has the type of an answer with coils, too.
        if not isinstance(answer, answer_type) or answer.function_code != request.function_code:
            raise self._unfit_answer()
        return answer

    def _connect(self) -> None:
        try:
            connected = self._client.connect()
        except UnicodeError:  # a host name that can't exist
            connected = False
        if not connected:
            raise Unreachable(problems.NOT_CONNECTED(host=self._host, port=self._port))

    def _unfit_answer(self) -> Unknown:
        self._client.close()
        return Unknown(problems.UNFIT_ANSWER())


# The exceptions after which nothing was done for sure.
_REFUSALS = {
    ExcCodes.ILLEGAL_FUNCTION: problems.NO_SUCH_FUNCTION,
    ExcCodes.ILLEGAL_ADDRESS: problems.NO_SUCH_ADDRESS,
    ExcCodes.ILLEGAL_VALUE: problems.BAD_VALUE,
    ExcCodes.DEVICE_BUSY: problems.BUSY,
    ExcCodes.GATEWAY_PATH_UNAVIABLE: problems.NO_PATH,
}


def _refusal(code: int) -> DriverError:
    """The error that an exception response means."""
    for exception, why in _REFUSALS.items():
        if code == exception:
            return Refused(problems.REFUSED(why=why(), code=code))
    return Unknown(problems.FAILED(code=code))
