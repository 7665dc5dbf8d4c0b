"""Control iD in online mode (Access API): `new_qrcode.fcgi`, `device_is_alive.fcgi`, `catra_event`.

Not tested against a real device yet.
"""

from django.http import HttpResponse, JsonResponse

from visitors.devices.protocols.base import (
    SAME_SCAN,
    DeviceProtocol,
    DeviceRequest,
    Heartbeat,
    InvalidRequestError,
    Message,
    PassageReport,
    form_fields,
    json_object,
    nonce_of,
    text_of,
)
from visitors.verification.decision import Direction
from visitors.verification.verify import Answer, Scan

# Access API, "Events": 7 is access granted, 6 access denied.
_GRANTED, _DENIED = 7, 6
_TURN = {Direction.IN: "allow=clockwise", Direction.OUT: "allow=anticlockwise"}


class ControlId(DeviceProtocol):
    def parse(self, request: DeviceRequest) -> Message:
        if request.path.endswith("device_is_alive.fcgi"):
            return Heartbeat()
        is_json = request.media_type == "application/json"
        fields = json_object(request.body) if is_json else form_fields(request.body)
        if request.path.endswith("catra_event"):
            event = fields.get("event")
            if not isinstance(event, dict):
                raise InvalidRequestError("event is missing.")
            # "TURN LEFT", "TURN RIGHT" or "GIVE UP".
            passed = str(event.get("name", "")).upper().startswith("TURN")
            return PassageReport(passed=passed, nonce=nonce_of(event.get("uuid", "")))
        if not request.path.endswith("new_qrcode.fcgi"):
            return Heartbeat()  # another notification, which the device would repeat without a 200
        return Scan(
            text=text_of(fields.get("qrcode_value")),
            reader=text_of(fields.get("portal_id"))[:50],
            nonce=nonce_of(fields.get("uuid")),
            same_within=SAME_SCAN,
        )

    def answer(self, scan: Scan, answer: Answer) -> HttpResponse:
        result = {
            "event": _GRANTED if answer.allowed else _DENIED,
            "user_id": 0,
            "user_name": answer.shown.get("name", ""),
            "user_image": False,
            "portal_id": int(scan.reader) if scan.reader.isascii() and scan.reader.isdigit() else 1,
            "message": answer.message,
            "actions": [{"action": "catra", "parameters": _TURN[answer.direction]}] if answer.allowed else [],
        }
        return JsonResponse({"result": result})

    def acknowledge(self) -> HttpResponse:
        return JsonResponse({})
