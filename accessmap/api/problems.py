"""Errors as problem details (RFC 9457): what is wrong, with what, in plain words."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

MEDIA_TYPE = "application/problem+json"


class Conflict(APIException):
    """It can't be done now, and nothing was."""

    status_code = HTTPStatus.CONFLICT


class LengthRequired(APIException):
    status_code = HTTPStatus.LENGTH_REQUIRED


class TooLarge(APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Unprocessable(APIException):
    """It is understood, and can't be done."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY


def problem(status: int, detail: str, errors: list[dict[str, str]] | None = None, **more: Any) -> Response:
    """An answer that says what is wrong. `more` are members of its own."""
    return Response({**_said(status, detail, errors or []), **more}, status=status, content_type=MEDIA_TYPE)


@csrf_exempt
def nothing_here(_request: HttpRequest) -> JsonResponse:
    """The answer at an address that does not exist."""
    detail = _("There is nothing at this address; /api/v1/docs/ lists what there is.")
    return JsonResponse(_said(HTTPStatus.NOT_FOUND, detail, []), status=HTTPStatus.NOT_FOUND, content_type=MEDIA_TYPE)


def _said(status: int, detail: str, errors: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "errors": errors,
    }


def as_problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's exception handler for this API; None for what is no answer but a fault of ours."""
    plain = exception_handler(error, context)
    if plain is None:
        return None
    if isinstance(error, ValidationError):
        errors = flat(error.detail)
        said = problem(plain.status_code, _("Something in the request is wrong; errors says what."), errors)
    else:
        said = problem(plain.status_code, str(plain.data["detail"]))
    for name in ("WWW-Authenticate", "Retry-After"):
        if name in plain.headers:
            said[name] = plain.headers[name]
    return said


def flat(detail: Any, path: str = "") -> list[dict[str, str]]:
    """REST framework's nested errors as a plain list."""
    if isinstance(detail, dict):
        parts = [(key, value) for key, value in detail.items()]
    elif isinstance(detail, list):
        # A list of messages, or of what is wrong with each item ({} where nothing is).
        parts = [(str(i) if isinstance(value, dict | list) else "", value) for i, value in enumerate(detail)]
    else:
        return [{"field": path, "message": str(detail)}]
    found = []
    for key, value in parts:
        name = "" if key == "non_field_errors" else str(key)
        found += flat(value, ".".join(filter(None, [path, name])))
    return found
