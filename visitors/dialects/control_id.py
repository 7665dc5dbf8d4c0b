"""Control iD in online mode (Access API): `new_qrcode.fcgi` asked, `device_is_alive.fcgi`, `catra_event` told.

Tested against no real device yet.
"""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict

from visitors.decision import Direction
from visitors.dialects.base import SAME_SCAN, Alive, NoQuestionError, Question, Speaker, Walked, number_of
from visitors.verify import Answer, Scan

# Access API, "Events": 7 is access granted, 6 access denied.
_GRANTED, _DENIED = 7, 6
_TURN = {Direction.IN: "allow=clockwise", Direction.OUT: "allow=anticlockwise"}


class ControlId(Speaker):
    def understand(self, request: HttpRequest, body: bytes, rest: str) -> Question:
        if rest.endswith("device_is_alive.fcgi"):
            return Alive()
        said = _said(request, body)
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
            read=str(said.get("qrcode_value", "")),
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


def _said(request: HttpRequest, body: bytes) -> dict[str, Any]:
    if request.content_type == "application/json":
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            raise NoQuestionError("The body is no JSON.") from None
        if not isinstance(said, dict):
            raise NoQuestionError("The body is no JSON object.")
        return said
    try:
        return QueryDict(body, encoding="utf-8").dict()
    except ValueError:
        raise NoQuestionError("The body is no form.") from None


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name, "")
    return str(value)[:100] if isinstance(value, str | int) else ""
