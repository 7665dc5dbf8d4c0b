"""What turnstiles ask: the portal's own endpoints, and one address for devices with dialects of their own."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import AuthenticationFailed, ParseError, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_api_key.permissions import KeyParser

from portal.core import clock
from visitors.api.schema import AnswerSerializer, NotedSerializer, WalkedSerializer, described
from visitors.devices.authentication import NotADeviceError, WrongSourceError, turnstile_of
from visitors.devices.protocols import speaker_for
from visitors.devices.protocols.base import MAX_BYTES, NoQuestionError, Past, Walked, object_of
from visitors.models import Turnstile, Verification
from visitors.verification.decision import Direction, Reason
from visitors.verification.verify import Answer, Scan, verify
from visitors.visits import passages

log = structlog.get_logger(__name__)

# What a gate tells of while it was alone: longer ago is a broken clock.
MAX_AGE = timedelta(days=30)
MAX_AHEAD = timedelta(minutes=5)
# A clock that has lost its time shows 1970 or 2000; what is beyond these years is no time, and breaks sums of times.
FIRST_YEAR, LAST_YEAR = 1900, 2200


def _printable(value: str) -> None:
    if not value.isprintable():
        raise serializers.ValidationError("Must hold nothing that can't be printed.")


@extend_schema_field(OpenApiTypes.STR)
class ReadField(serializers.Field[Any, Any, Any, Any]):
    """What a scanner read, whatever it is: it is brought into form, or found to be no code, later."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Must be text.")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class MomentField(serializers.DateTimeField):
    """A moment by a gate's clock, however wrong that may be, aware. Without an offset, in the site's zone."""

    def to_internal_value(self, value: Any) -> datetime:
        try:
            moment: datetime = super().to_internal_value(value)
        except OverflowError:
            self.fail("overflow")
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            self.fail("overflow")
        return moment


class ScanSerializer(serializers.Serializer[Any]):
    """`{"code", "direction"?, "nonce"?, "scanned_at"?}`; an empty or over-long code is an answer, not an error."""

    code = ReadField()
    direction = serializers.ChoiceField(choices=["in", "out"], required=False)
    nonce = serializers.CharField(max_length=100, required=False, default="", allow_blank=True, validators=[_printable])
    scanned_at = MomentField(required=False, default=None, allow_null=True)


class PassageSerializer(serializers.Serializer[Any]):
    """`{"verification_id", "passed", "at"?}`: whether somebody walked through, by the gate's own clock."""

    verification_id = serializers.UUIDField()
    passed = serializers.BooleanField()
    at = MomentField(required=False, default=None, allow_null=True)


class OfflineSerializer(serializers.Serializer[Any]):
    """`{"code", "decision", "at", "direction"?, "nonce"?, "reason"?}`: what a gate decided alone."""

    code = ReadField()
    decision = serializers.ChoiceField(choices=["allow", "deny"])
    at = MomentField()
    direction = serializers.ChoiceField(choices=["in", "out"], required=False)
    nonce = serializers.CharField(max_length=100, required=False, default="", allow_blank=True, validators=[_printable])
    reason = serializers.ChoiceField(choices=[reason.value for reason in Reason], required=False, default="")

    def validate_at(self, value: Any) -> Any:
        now = clock.now()
        if not now - MAX_AGE < value < now + MAX_AHEAD:
            raise serializers.ValidationError(
                f"Must be within the last {MAX_AGE.days} days: the gate's clock seems to be wrong."
            )
        return value


class HasTurnstileKey(BasePermission):
    """The request shows the key of a turnstile, which becomes `request.auth`. A wrong one gets 401."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        try:
            request.auth = turnstile_of(KeyParser().get(request) or "", request)
        except NotADeviceError:
            raise AuthenticationFailed("No turnstile has this key.") from None
        except WrongSourceError:
            raise PermissionDenied("This turnstile may not ask from this address.") from None
        return True


class TurnstileView(APIView):
    """400 is for what is no request, 401 and 403 for what is no turnstile, 413 for more than 2 KiB.

    Small devices say little of what they send and take, and much of that is wrong: JSON is read and answered whatever
    Content-Type and Accept say.
    """

    permission_classes = [HasTurnstileKey]
    serializer: type[serializers.Serializer[Any]]

    def get_authenticate_header(self, request: Request) -> str:
        return KeyParser.keyword

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        return JSONRenderer(), JSONRenderer.media_type

    def post(self, request: Request) -> Response:
        body = request.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            return Response(
                {"error": f"The body is over {MAX_BYTES} bytes."}, status=status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
            )
        try:
            said = self.serializer(data=object_of(body))
        except NoQuestionError as error:
            raise ParseError(str(error)) from None
        said.is_valid(raise_exception=True)
        assert isinstance(request.auth, Turnstile)
        return self.do(request.auth, said.validated_data)

    def do(self, turnstile: Turnstile, said: dict[str, Any]) -> Response:
        raise NotImplementedError


@described(
    ScanSerializer,
    says="May the bearer of this code pass?",
    code_200=AnswerSerializer,
    code_429=AnswerSerializer,
)
class VerifyView(TurnstileView):
    """Allow and deny are both answers: HTTP 200; 429 where codes are being guessed."""

    serializer = ScanSerializer

    def do(self, turnstile: Turnstile, said: dict[str, Any]) -> Response:
        direction = Direction(said["direction"]) if "direction" in said else None
        scan = Scan(read=said["code"], direction=direction, nonce=said["nonce"], scanned_at=said["scanned_at"])
        answer = verify(turnstile, scan)
        if answer.reasons[:1] == (Reason.THROTTLED.value,):
            return Response(as_json(answer), status=status.HTTP_429_TOO_MANY_REQUESTS, headers={"Retry-After": "60"})
        return Response(as_json(answer))


@described(
    PassageSerializer,
    says="Whether somebody walked through.",
    code_200=WalkedSerializer,
    code_404=OpenApiTypes.OBJECT,
    code_409=OpenApiTypes.OBJECT,
)
class PassageView(TurnstileView):
    """The gate says whether somebody walked through. 404 for another gate's verification, 409 for a contradiction."""

    serializer = PassageSerializer

    def do(self, turnstile: Turnstile, said: dict[str, Any]) -> Response:
        answer = turnstile.verifications.filter(pk=said["verification_id"]).first()
        if answer is None:
            return Response({"error": "This turnstile has no such verification."}, status=status.HTTP_404_NOT_FOUND)
        try:
            passage = passages.report(answer, turnstile, passed=said["passed"], at=said["at"])
        except passages.ContradictionError:
            return Response(
                {"error": "It said the opposite of this verification before; that stands."},
                status=status.HTTP_409_CONFLICT,
            )
        except ValueError:
            return Response({"error": "Nobody was let through by this verification."}, status=status.HTTP_409_CONFLICT)
        return Response({"verification_id": str(answer.pk), "passed": passage.passed, "at": passage.at})


@described(OfflineSerializer, says="What the gate decided while it was alone.", code_201=NotedSerializer)
class OfflineView(TurnstileView):
    """What a gate decided alone is written down as it is."""

    serializer = OfflineSerializer

    def do(self, turnstile: Turnstile, said: dict[str, Any]) -> Response:
        direction = Direction(said.get("direction") or turnstile.direction)
        if direction is Direction.BOTH:
            raise serializers.ValidationError({"direction": ["This turnstile goes both ways: say which way it was."]})
        answer = passages.note_offline(
            turnstile,
            read=said["code"],
            allowed=said["decision"] == "allow",
            direction=direction,
            at=said["at"],
            nonce=said["nonce"],
            reason=said["reason"],
        )
        return Response({"verification_id": str(answer.pk)}, status=status.HTTP_201_CREATED)


def as_json(answer: Answer) -> dict[str, Any]:
    """The answer in the portal's own words."""
    said: dict[str, Any] = {
        "decision": "allow" if answer.allowed else "deny",
        "reason": answer.reasons[0] if answer.reasons else None,
        "reasons": list(answer.reasons),
        "message": answer.message,
        "verification_id": str(answer.verification.pk) if answer.verification else None,
    }
    if answer.open_ms is not None:
        said["open_ms"] = answer.open_ms
    if answer.shown:
        said["visitor"] = answer.shown
    return said


@csrf_exempt
def device(request: HttpRequest, secret: str, rest: str = "") -> HttpResponse:
    """A device that can set no headers: its key stands in the path, and it is answered in its own dialect."""
    try:
        turnstile = turnstile_of(secret, request)
    except NotADeviceError:
        return HttpResponse("No turnstile has this key.", status=401, content_type="text/plain")
    except WrongSourceError:
        return HttpResponse("This turnstile may not ask from here.", status=403, content_type="text/plain")
    speaker = speaker_for(turnstile)
    if speaker is None:
        return JsonResponse(
            {"error": f"This turnstile speaks the portal's own dialect: it asks at {reverse('verify')}."}, status=400
        )
    body = request.read(speaker.max_bytes + 1)
    if len(body) > speaker.max_bytes:
        return JsonResponse({"error": f"The body is over {speaker.max_bytes} bytes."}, status=413)
    try:
        question = speaker.understand(request, body, rest)
    except ValueError as error:
        # What an installer looks for; the texts hold nothing of what the device sent.
        log.warning("a turnstile asked what its dialect does not know", turnstile=turnstile.name, why=str(error))
        return JsonResponse({"error": str(error)}, status=400)
    if isinstance(question, Scan):
        return speaker.answer(question, verify(turnstile, question))
    if isinstance(question, Walked):
        _walked(turnstile, question)
    if isinstance(question, Past):
        passages.note_past(turnstile, read=question.read, at=question.at)
    return speaker.thanks(question)


def _walked(turnstile: Turnstile, walked: Walked) -> None:
    answer: Verification | None = passages.awaited(turnstile, nonce=walked.nonce)
    if answer is not None:
        with suppress(passages.ContradictionError):  # told twice at once: what came first stands
            passages.report(answer, turnstile, passed=walked.passed)
