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
    """The state of the object does not allow the request; nothing was changed."""

    status_code = HTTPStatus.CONFLICT


class LengthRequired(APIException):
    status_code = HTTPStatus.LENGTH_REQUIRED


class TooLarge(APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Unprocessable(APIException):
    """The request is well-formed and cannot be carried out."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY


def problem(status: int, detail: str, errors: list[dict[str, str]] | None = None, **members: Any) -> Response:
    """A response with problem details. `members` are added to those of the RFC."""
    return Response({**_details(status, detail, errors or []), **members}, status=status, content_type=MEDIA_TYPE)


@csrf_exempt
def nothing_here(_request: HttpRequest) -> JsonResponse:
    """The response at an address that does not exist."""
    detail = _("There is nothing at this address; /api/v1/docs/ lists what there is.")
    return JsonResponse(
        _details(HTTPStatus.NOT_FOUND, detail, []), status=HTTPStatus.NOT_FOUND, content_type=MEDIA_TYPE
    )


def _details(status: int, detail: str, errors: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "errors": errors,
    }


def as_problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's exception handler: problem details, or None for an exception that is a fault of the portal."""
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, ValidationError):
        detail = _("Something in the request is wrong; errors says what.")
        details = problem(response.status_code, detail, flat(error.detail))
    else:
        details = problem(response.status_code, str(response.data["detail"]))
    for name in ("WWW-Authenticate", "Retry-After"):
        if name in response.headers:
            details[name] = response.headers[name]
    return details


def flat(detail: Any, path: str = "") -> list[dict[str, str]]:
    """REST framework's nested errors as a list without nesting."""
    if isinstance(detail, dict):
        parts = [(key, value) for key, value in detail.items()]
    elif isinstance(detail, list):
        # A list of messages, or of the errors of each item ({} where an item has none).
        parts = [(str(i) if isinstance(value, dict | list) else "", value) for i, value in enumerate(detail)]
    else:
        return [{"field": path, "message": str(detail)}]
    errors = []
    for key, value in parts:
        name = "" if key == "non_field_errors" else str(key)
        errors += flat(value, ".".join(filter(None, [path, name])))
    return errors
