"""How the endpoints of turnstiles are described in the API's schema. Nothing here answers a request."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import serializers

from portal.core.api.machine import describe

_PROBLEMS = {
    400: "The request is not readable, or a field is wrong.",
    401: "No turnstile has this key.",
    403: "This turnstile may not ask from this address.",
    413: "The body is over 2 KiB.",
}


class TurnstileKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "visitors.devices.authentication.TurnstileKeyAuthentication"
    name = "TurnstileKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key KEY`, the key of a turnstile.",
        }


def for_turnstiles(
    request: type[serializers.Serializer[Any]],
    description: str,
    *,
    answers: dict[int, Any],
    problems: dict[int, str] | None = None,
) -> Any:
    """A class decorator: what the view's POST takes and answers."""
    return describe(request, description, answers=answers, problems={**_PROBLEMS, **(problems or {})})
