"""Hikvision terminals with synchronous remote check (ISAPI, "Remote verification by a platform").

The terminal POSTs its event as multipart, with pictures if they are switched on. Not tested against a real device yet.
"""

from io import BytesIO
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from visitors.devices.protocols.base import (
    SAME_SCAN,
    DeviceProtocol,
    DeviceRequest,
    Heartbeat,
    InvalidRequestError,
    Message,
    PastScan,
    json_object,
    nonce_of,
)
from visitors.models import Turnstile
from visitors.verification.verify import Answer, Scan

_PART = "AccessControllerEvent"


class Hikvision(DeviceProtocol):
    max_bytes = 64 * 1024  # an event has much beside the code

    def __init__(self, turnstile: Turnstile) -> None:
        super().__init__(turnstile)
        self._serial_number: int | str = 0

    def parse(self, request: DeviceRequest) -> Message:
        message = _message(request)
        event = message.get(_PART)
        if not isinstance(event, dict):
            raise InvalidRequestError(f"{_PART} is missing.")
        text = event.get("cardNo") or event.get("QRCodeInfo") or ""
        text = text if isinstance(text, str) else ""
        # Any other value than true: an event that the terminal stored while it was offline.
        if event.get("currentEvent", True) is not True:
            return PastScan(text=text, at=str(message.get("dateTime", ""))[:50]) if text else Heartbeat()
        if event.get("remoteCheck") is not True:
            return Heartbeat()
        serial_number = event.get("serialNo")
        if isinstance(serial_number, bool) or not isinstance(serial_number, int | str):
            raise InvalidRequestError("serialNo is missing.")
        self._serial_number = serial_number
        reader = event.get("cardReaderNo", "")
        moment = message.get("dateTime")
        return Scan(
            text=text,
            reader=str(reader)[:50] if isinstance(reader, int | str) else "",
            # Serial numbers begin anew when the terminal's memory is cleared: only with the time they name a scan.
            nonce=nonce_of(f"{serial_number}@{moment}") if moment else "",
            same_within=SAME_SCAN,
        )

    def answer(self, scan: Scan, answer: Answer) -> HttpResponse:
        result = "success" if answer.allowed else "failed"
        return JsonResponse({"RemoteCheck": {"serialNo": self._serial_number, "checkResult": result}})


def _message(request: DeviceRequest) -> dict[str, Any]:
    if request.media_type != "multipart/form-data":
        return json_object(request.body)
    meta = {"CONTENT_TYPE": request.content_type, "CONTENT_LENGTH": str(len(request.body))}
    try:
        fields, files = MultiPartParser(meta, BytesIO(request.body), [MemoryFileUploadHandler()]).parse()
    except (MultiPartParserError, ValueError, SuspiciousOperation):
        raise InvalidRequestError("The body is not a multipart form.") from None
    # Some firmware gives the part a file name.
    file: Any = files.get(_PART)
    return json_object(fields.get(_PART) or (file.read() if file else b""))
