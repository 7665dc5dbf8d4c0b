"""Hikvision terminals with synchronous remote check (ISAPI, "Remote verification by a platform").

Tested against no real device yet. The terminal POSTs its event as multipart, with pictures if it is set so.
"""

from io import BytesIO
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.datastructures import MultiValueDict

from visitors.devices.protocols.base import (
    SAME_SCAN,
    Alive,
    NoQuestionError,
    Past,
    Question,
    Speaker,
    number_of,
    object_of,
)
from visitors.verification.verify import Answer, Scan

_PART = "AccessControllerEvent"


class Hikvision(Speaker):
    max_bytes = 64 * 1024  # its events carry a great deal beside the code
    _serial: int | str = 0

    def understand(self, request: HttpRequest, body: bytes, rest: str) -> Question:
        event = _event(request, body)
        about = event.get(_PART)
        if not isinstance(about, dict):
            raise NoQuestionError(f"{_PART} is missing.")
        read = about.get("cardNo") or about.get("QRCodeInfo") or ""
        read = read if isinstance(read, str) else ""
        # Anything but true is what it kept while nobody listened: history, which opens nothing now.
        if about.get("currentEvent", True) is not True:
            return Past(read=read, at=str(event.get("dateTime", ""))[:50]) if read else Alive()
        if about.get("remoteCheck") is not True:
            return Alive()
        serial = about.get("serialNo")
        if isinstance(serial, bool) or not isinstance(serial, int | str):
            raise NoQuestionError("serialNo is missing.")
        self._serial = serial
        reader = about.get("cardReaderNo", "")
        return Scan(
            read=read,
            reader=str(reader)[:50] if isinstance(reader, int | str) else "",
            # A serial number begins anew when the device's memory is cleared; without the time it tells nothing.
            nonce=number_of(f"{serial}@{event['dateTime']}") if event.get("dateTime") else "",
            same_within=SAME_SCAN,
        )

    def answer(self, question: Scan, answer: Answer) -> HttpResponse:
        check = {
            "serialNo": self._serial,
            "checkResult": "success" if answer.allowed else "failed",
        }
        return JsonResponse({"RemoteCheck": check})


def _event(request: HttpRequest, body: bytes) -> dict[str, Any]:
    text: Any = body
    if request.content_type == "multipart/form-data":
        try:
            fields, files = MultiPartParser(request.META, BytesIO(body), request.upload_handlers).parse()
        except (MultiPartParserError, ValueError, SuspiciousOperation):
            raise NoQuestionError("The body is no multipart form.") from None
        text = fields.get(_PART) or _content(files)
    return object_of(text)


def _content(files: MultiValueDict[str, Any]) -> bytes:
    """Some firmware gives the part a file name."""
    part = files.get(_PART)
    return part.read() if part is not None else b""
