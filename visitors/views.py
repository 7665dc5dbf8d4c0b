"""The verify endpoint, in the portal's own dialect."""

from typing import Any

from rest_framework import serializers, status
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_api_key.permissions import KeyParser

from visitors.decision import Direction
from visitors.models import TurnstileKey, Verification
from visitors.verify import verify
from visitors.words import message

MAX_BYTES = 2048


class ScanSerializer(serializers.Serializer[Any]):
    """`{"code", "direction"?, "nonce"?, "scanned_at"?}`; an empty or over-long code is an answer, not an error."""

    code = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=MAX_BYTES)
    direction = serializers.ChoiceField(choices=["in", "out"], required=False)
    nonce = serializers.CharField(max_length=100, required=False, default="", allow_blank=True)
    scanned_at = serializers.DateTimeField(required=False, default=None, allow_null=True)


class HasTurnstileKey(BasePermission):
    """The request shows the key of a turnstile, which becomes `request.auth`. A wrong one gets 401."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        key = KeyParser().get(request)
        try:
            found = TurnstileKey.objects.get_from_key(key or "")
        except TurnstileKey.DoesNotExist:
            raise AuthenticationFailed from None
        if found.has_expired:
            raise AuthenticationFailed
        request.auth = found
        return True


class VerifyView(APIView):
    """Allow and deny are both answers: HTTP 200. 400 is for what is no request, 401 for what is no turnstile."""

    permission_classes = [HasTurnstileKey]
    parser_classes = [JSONParser]

    def get_authenticate_header(self, request: Request) -> str:
        return KeyParser.keyword

    def post(self, request: Request) -> Response:
        if len(request.body) > MAX_BYTES:
            return Response(
                {"error": f"The body is over {MAX_BYTES} bytes."}, status=status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
            )
        scan = ScanSerializer(data=request.data)
        scan.is_valid(raise_exception=True)
        assert isinstance(request.auth, TurnstileKey)
        turnstile = request.auth.turnstile
        answer = verify(
            turnstile,
            read=scan.validated_data["code"],
            direction=Direction(scan.validated_data.get("direction") or turnstile.direction),
            nonce=scan.validated_data["nonce"],
            scanned_at=scan.validated_data["scanned_at"],
        )
        return Response(_rendered(answer))


def _rendered(answer: Verification) -> dict[str, Any]:
    return {
        "decision": "allow" if answer.allowed else "deny",
        "reason": answer.reasons[0] if answer.reasons else None,
        "reasons": answer.reasons,
        "message": message(answer.allowed, answer.reasons),
        "verification_id": str(answer.pk),
    }
