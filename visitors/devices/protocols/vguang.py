"""Vguang / RTscan readers (RTX200A manual): the code in a body sent as text/html, `code=0000` for yes.

Tested against no real device yet.
"""

import binascii
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponse

from visitors.devices.protocols.base import SAME_SCAN, NoQuestionError, Question, Speaker, text_of
from visitors.verification.verify import Answer, Scan

_BEGIN = "vgdecoderesult="
_DEVICE = "&&devicenumber="
_REST = "&&otherparams="


class Vguang(Speaker):
    def understand(self, request: HttpRequest, body: bytes, rest: str) -> Question:
        if request.method != "POST":
            raise NoQuestionError("Readers of this kind POST.")
        code, reader = read(text_of(body))
        if self.turnstile.sends_hex:
            code = _unhexed(code)
        return Scan(read=code, reader=reader, same_within=SAME_SCAN)

    def answer(self, question: Scan, answer: Answer) -> HttpResponse:
        return HttpResponse("code=0000" if answer.allowed else "code=0001", content_type="text/plain")


def read(text: str) -> tuple[str, str]:
    """The code and the device number in a body. A code may hold "&" and "+": it is split from the right, not parsed."""
    if not text.startswith(_BEGIN):
        return text, ""
    code, found, after = text.removeprefix(_BEGIN).rpartition(_DEVICE)
    if not found:
        code, after = after, ""
    return code, unquote(after.partition(_REST)[0])[:50]


def _unhexed(digits: str) -> str:
    """The text that hexadecimal digits stand for; "", which is no code, where they are none."""
    try:
        return binascii.unhexlify(digits.strip()).decode("utf-8")
    except ValueError:
        return ""
