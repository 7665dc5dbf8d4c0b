"""Vguang / RTscan readers (RTX200A manual): the code in a body sent as text/html; `code=0000` opens.

Not tested against a real device yet.
"""

import binascii
from urllib.parse import unquote

from django.http import HttpResponse

from visitors.devices.protocols.base import (
    SAME_SCAN,
    DeviceProtocol,
    DeviceRequest,
    InvalidRequestError,
    Message,
    decoded,
)
from visitors.verification.verify import Answer, Scan

_BEGIN = "vgdecoderesult="
_DEVICE = "&&devicenumber="
_REST = "&&otherparams="


class Vguang(DeviceProtocol):
    def parse(self, request: DeviceRequest) -> Message:
        if request.method != "POST":
            raise InvalidRequestError("Readers of this family send POST.")
        code, reader = split(decoded(request.body))
        if self.turnstile.sends_hex:
            code = _from_hex(code)
        return Scan(text=code, reader=reader, same_within=SAME_SCAN)

    def answer(self, scan: Scan, answer: Answer) -> HttpResponse:
        return HttpResponse("code=0000" if answer.allowed else "code=0001", content_type="text/plain")


def split(text: str) -> tuple[str, str]:
    """The code and the device number of a body. A code may hold "&" and "+": the body is split from its right end."""
    if not text.startswith(_BEGIN):
        return text, ""
    code, separator, rest = text.removeprefix(_BEGIN).rpartition(_DEVICE)
    if not separator:
        code, rest = rest, ""
    return code, unquote(rest.partition(_REST)[0])[:50]


def _from_hex(digits: str) -> str:
    """The text of hexadecimal digits; "", which is no code, for anything else."""
    try:
        return binascii.unhexlify(digits.strip()).decode("utf-8")
    except ValueError:
        return ""
