"""How the turnstiles' own endpoints are described in the API's schema. Nothing of it is used to answer."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers

_KEY: Any = [{"TurnstileKey": []}]
_REFUSED = {
    code: OpenApiResponse(OpenApiTypes.OBJECT, description=why)
    for code, why in {
        400: "No request of this kind.",
        401: "No turnstile has this key.",
        403: "This turnstile may not ask from this address.",
        413: "The body is over 2 KiB.",
        415: "Not JSON.",
    }.items()
}


class AnswerSerializer(serializers.Serializer[Any]):
    """Whether the bearer may pass."""

    decision = serializers.ChoiceField(choices=["allow", "deny"])
    reason = serializers.CharField(allow_null=True)
    reasons = serializers.ListField(child=serializers.CharField())
    message = serializers.CharField()
    verification_id = serializers.UUIDField(allow_null=True)
    open_ms = serializers.IntegerField(required=False)
    visitor = serializers.DictField(required=False)


class WalkedSerializer(serializers.Serializer[Any]):
    verification_id = serializers.UUIDField()
    passed = serializers.BooleanField()
    at = serializers.DateTimeField()


class NotedSerializer(serializers.Serializer[Any]):
    verification_id = serializers.UUIDField()


def described(request: type[serializers.Serializer[Any]], *, says: str, **answers: Any) -> Any:
    """For a turnstile's view: its POST takes this, and answers so (`code_200=...`)."""
    responses = {int(code.removeprefix("code_")): answer for code, answer in answers.items()}
    return extend_schema_view(
        post=extend_schema(description=says, request=request, responses={**responses, **_REFUSED}, auth=_KEY)
    )
