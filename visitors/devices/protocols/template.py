"""The template dialect: staff say where the question holds what, and what the device takes for yes and no."""

from typing import Any

import jmespath
from django.http import HttpRequest, HttpResponse

from visitors.devices.protocols.base import (
    SAME_SCAN,
    NoQuestionError,
    Question,
    Speaker,
    form_of,
    number_of,
    object_of,
    text_of,
)
from visitors.models import Template, Turnstile
from visitors.verification.decision import Direction
from visitors.verification.verify import Answer, Scan

Body = Template.Body


class TemplateSpeaker(Speaker):
    def __init__(self, turnstile: Turnstile) -> None:
        super().__init__(turnstile)
        self._template = Template.objects.filter(turnstile=turnstile).first()

    def understand(self, request: HttpRequest, body: bytes, rest: str) -> Question:
        template = self._template
        if template is None:
            raise NoQuestionError("This turnstile has no template yet: staff must configure it.")
        if (request.method == "GET") != (template.body == Body.QUERY):
            raise NoQuestionError("This turnstile's template expects another method.")
        if template.body == Body.RAW:
            return Scan(read=text_of(body), same_within=SAME_SCAN)
        said = _said(template, request, body)
        code = _at(said, template.code_at)
        if code is None:
            raise NoQuestionError(f"There is no {template.code_at} in the request.")
        return Scan(
            read=code,
            reader=(_at(said, template.reader_at) or "")[:50],
            direction=_direction(template, _at(said, template.direction_at)),
            nonce=number_of(_at(said, template.nonce_at) or ""),
            same_within=SAME_SCAN,
        )

    def answer(self, question: Scan, answer: Answer) -> HttpResponse:
        assert self._template is not None
        body = self._template.allow_body if answer.allowed else self._template.deny_body
        return HttpResponse(body, content_type=self._template.content_type)


def _said(template: Template, request: HttpRequest, body: bytes) -> dict[str, Any]:
    if template.body == Body.QUERY:
        return form_of(request.META.get("QUERY_STRING", ""))
    return form_of(body) if template.body == Body.FORM else object_of(body)


def _direction(template: Template, word: str | None) -> Direction | None:
    """The way that the device names. None where it names none, or in a word that nobody configured."""
    if not word:
        return None
    return {template.word_in: Direction.IN, template.word_out: Direction.OUT}.get(word)


def _at(said: dict[str, Any], where: str) -> str | None:
    """The text at a field's name, or a path in JSON; None where there is none."""
    if not where:
        return None
    found = said.get(where)
    if found is None:
        try:
            found = jmespath.search(where, said)
        except (jmespath.exceptions.JMESPathError, ValueError):
            return None
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else None
