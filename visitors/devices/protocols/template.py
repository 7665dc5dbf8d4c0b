"""The template protocol: staff configure which field of a request holds what, and the two answers."""

from typing import Any

import jmespath
from django.http import HttpResponse

from visitors.devices.protocols.base import (
    SAME_SCAN,
    DeviceProtocol,
    DeviceRequest,
    InvalidRequestError,
    Message,
    decoded,
    form_fields,
    json_object,
    nonce_of,
)
from visitors.models import Template, Turnstile
from visitors.verification.decision import Direction
from visitors.verification.verify import Answer, Scan

Body = Template.Body


class TemplateProtocol(DeviceProtocol):
    def __init__(self, turnstile: Turnstile) -> None:
        super().__init__(turnstile)
        self._template = Template.objects.filter(turnstile=turnstile).first()

    def parse(self, request: DeviceRequest) -> Message:
        template = self._template
        if template is None:
            raise InvalidRequestError("This turnstile has no template: add one in the admin.")
        if (request.method == "GET") != (template.body == Body.QUERY):
            raise InvalidRequestError("The template of this turnstile expects another method.")
        if template.body == Body.RAW:
            return Scan(text=decoded(request.body), same_within=SAME_SCAN)
        fields = _fields(template, request)
        code = _value(fields, template.code_at)
        if code is None:
            raise InvalidRequestError(f"There is no {template.code_at} in the request.")
        return Scan(
            text=code,
            reader=(_value(fields, template.reader_at) or "")[:50],
            direction=_direction(template, _value(fields, template.direction_at)),
            nonce=nonce_of(_value(fields, template.nonce_at) or ""),
            same_within=SAME_SCAN,
        )

    def answer(self, scan: Scan, answer: Answer) -> HttpResponse:
        assert self._template is not None
        body = self._template.allow_body if answer.allowed else self._template.deny_body
        return HttpResponse(body, content_type=self._template.content_type)


def _fields(template: Template, request: DeviceRequest) -> dict[str, Any]:
    if template.body == Body.QUERY:
        return form_fields(request.query)
    return form_fields(request.body) if template.body == Body.FORM else json_object(request.body)


def _direction(template: Template, word: str | None) -> Direction | None:
    """The direction that the device names; None for no word and for a word that is not configured."""
    if not word:
        return None
    return {template.word_in: Direction.IN, template.word_out: Direction.OUT}.get(word)


def _value(fields: dict[str, Any], name: str) -> str | None:
    """The text or number of a field, by its name or by a path in JSON; None for anything else."""
    if not name:
        return None
    value = fields.get(name)
    if value is None:
        try:
            value = jmespath.search(name, fields)
        except (jmespath.exceptions.JMESPathError, ValueError):
            return None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
