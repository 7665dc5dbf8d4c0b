"""Control iD in online mode (Access API): `new_qrcode.fcgi` asked, `device_is_alive.fcgi`, `catra_event` told.

Tested against no real device yet.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from visitors.devices.protocols.base import (
    SAME_SCAN,
    Alive,
    NoQuestionError,
    Question,
    Speaker,
    Walked,
    form_of,
    number_of,
    object_of,
)
from visitors.verification.decision import Direction
from visitors.verification.verify import Answer, Scan

# Access API, "Events": 7 is access granted, 6 access denied.
_GRANTED, _DENIED = 7, 6
_TURN = {Direction.IN: "allow=clockwise", Direction.OUT: "allow=anticlockwise"}


class ControlId(Speaker):
    def understand(self, request: HttpRequest, body: bytes, rest: str) -> Question:
        if rest.endswith("device_is_alive.fcgi"):
            return Alive()
        said = object_of(body) if request.content_type == "application/json" else form_of(body)
        if rest.endswith("catra_event"):
            event = said.get("event")
            if not isinstance(event, dict):
                raise NoQuestionError("event is missing.")
            # "TURN LEFT", "TURN RIGHT" or "GIVE UP".
            return Walked(
                passed=str(event.get("name", "")).upper().startswith("TURN"), nonce=number_of(event.get("uuid", ""))
            )
        if not rest.endswith("new_qrcode.fcgi"):
            return Alive()  # its other notifications; whoever gets no 200 tries them again
        return Scan(
            read=_text(said, "qrcode_value"),
            reader=_text(said, "portal_id")[:50],
            nonce=number_of(said.get("uuid", "")),
            same_within=SAME_SCAN,
        )

    def answer(self, question: Scan, answer: Answer) -> HttpResponse:
        portal: Any = int(question.reader) if question.reader.isascii() and question.reader.isdigit() else 1
        result = {
            "event": _GRANTED if answer.allowed else _DENIED,
            "user_id": 0,
            "user_name": answer.shown.get("name", ""),
            "user_image": False,
            "portal_id": portal,
            "message": answer.message,
            "actions": [{"action": "catra", "parameters": _TURN[answer.direction]}] if answer.allowed else [],
        }
        return JsonResponse({"result": result})

    def thanks(self, question: Question) -> HttpResponse:
        return JsonResponse({})


def _text(said: dict[str, Any], name: str) -> str:
    """A field's text or number; "" for anything else."""
    value = said.get(name, "")
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
