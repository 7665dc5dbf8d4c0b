"""The endpoints of turnstiles: three in the portal's own protocol, and one address for devices with other protocols."""

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

import structlog
from django.http import HttpResponseBase
from django.urls import reverse
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core.api.errors import Conflict
from portal.core.api.machine import MachineView
from visitors.api.schema import for_turnstiles
from visitors.api.serializers import (
    AnswerSerializer,
    OfflineSerializer,
    PassageSerializer,
    ScanSerializer,
    StoredDecisionSerializer,
    StoredPassageSerializer,
    answer_json,
)
from visitors.devices.authentication import TurnstileKeyAuthentication
from visitors.devices.protocols import protocol_for
from visitors.devices.protocols.base import (
    MAX_BYTES,
    DeviceRequest,
    InvalidRequestError,
    PassageReport,
    PastScan,
    json_object,
)
from visitors.models import Turnstile
from visitors.verification.decision import Direction, Reason
from visitors.verification.verify import Scan, verify
from visitors.visits import passages

log = structlog.get_logger(__name__)


class TurnstileView(MachineView):
    """A view for a turnstile, which is authenticated by its key."""

    authentication_classes = [TurnstileKeyAuthentication]
    max_bytes = MAX_BYTES

    @property
    def turnstile(self) -> Turnstile:
        assert isinstance(self.request.auth, Turnstile)
        return self.request.auth


class NativeView(TurnstileView, ABC):
    """A view of the portal's own protocol: POST of a JSON object."""

    serializer_class: type[serializers.Serializer[Any]]

    def post(self, request: Request) -> Response:
        try:
            content = json_object(self.body)
        except InvalidRequestError as error:
            raise ParseError(str(error)) from None
        serializer = self.serializer_class(data=content)
        serializer.is_valid(raise_exception=True)
        return self.respond(**serializer.validated_data)

    @abstractmethod
    def respond(self, *args: Any, **fields: Any) -> Response:
        """Answer a valid request. `fields`: those of the serializer."""


@for_turnstiles(
    ScanSerializer, "May the bearer of this code pass?", answers={200: AnswerSerializer, 429: AnswerSerializer}
)
class VerifyView(NativeView):
    """Allow and deny are both answers with status 200. 429: codes are being guessed."""

    serializer_class = ScanSerializer

    def respond(self, *, code: str, direction: str | None = None, **fields: Any) -> Response:
        scan = Scan(text=code, direction=Direction(direction) if direction else None, **fields)
        answer = verify(self.turnstile, scan)
        if answer.reasons[:1] == (Reason.THROTTLED.value,):
            headers = {"Retry-After": "60"}
            return Response(answer_json(answer), status=status.HTTP_429_TOO_MANY_REQUESTS, headers=headers)
        return Response(answer_json(answer))


@for_turnstiles(
    PassageSerializer,
    "Whether somebody walked through.",
    answers={200: StoredPassageSerializer},
    problems={
        404: "The verification is not one of this turnstile.",
        409: "The verification was a deny, or the opposite was reported before.",
    },
)
class PassageView(NativeView):
    serializer_class = PassageSerializer

    def respond(self, *, verification_id: Any, **fields: Any) -> Response:
        verification = self.turnstile.verifications.filter(pk=verification_id).first()
        if verification is None:
            raise NotFound("This turnstile has no such verification.")
        try:
            passage = passages.report_passage(verification, self.turnstile, **fields)
        except passages.ContradictionError:
            raise Conflict("The opposite was reported for this verification before; that stands.") from None
        except passages.NotAllowedError:
            raise Conflict("This verification was a deny: nobody passed.") from None
        return Response({"verification_id": str(verification.pk), "passed": passage.passed, "at": passage.at})


@for_turnstiles(OfflineSerializer, "What the turnstile decided while offline.", answers={201: StoredDecisionSerializer})
class OfflineView(NativeView):
    serializer_class = OfflineSerializer

    def respond(self, *, code: str, decision: str, direction: str = "", **fields: Any) -> Response:
        way = Direction(direction or self.turnstile.direction)
        if way is Direction.BOTH:
            raise serializers.ValidationError({"direction": ["Required: this turnstile goes both ways."]})
        verification = passages.record_offline_decision(
            self.turnstile, text=code, allowed=decision == "allow", direction=way, **fields
        )
        return Response({"verification_id": str(verification.pk)}, status=status.HTTP_201_CREATED)


class DeviceView(TurnstileView):
    """One address for every device that cannot send a header: its key is in the path, its protocol decides the rest."""

    schema = None  # the protocols are their manufacturers'

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        protocol = protocol_for(self.turnstile)
        if protocol is None:
            raise ParseError(f"This turnstile has the portal's own protocol: its address is {reverse('verify')}.")
        self.protocol = protocol

    def get_max_bytes(self) -> int:
        return self.protocol.max_bytes

    def handle(self, request: Request, secret: str, path: str = "") -> HttpResponseBase:
        device_request = DeviceRequest(
            method=request.method or "",
            path=path,
            query=request.META.get("QUERY_STRING", ""),
            content_type=request.META.get("CONTENT_TYPE", ""),
            body=self.body,
        )
        try:
            message = self.protocol.parse(device_request)
        except ValueError as error:
            # For the installer. These texts quote nothing of the request.
            log.warning("request of a turnstile not understood", turnstile=self.turnstile.name, why=str(error))
            raise ParseError(str(error)) from None
        if isinstance(message, Scan):
            return self.protocol.answer(message, verify(self.turnstile, message))
        if isinstance(message, PassageReport):
            self._report_passage(message)
        if isinstance(message, PastScan):
            passages.record_past_scan(self.turnstile, text=message.text, at=message.at)
        return self.protocol.acknowledge()

    get = post = put = patch = delete = handle

    def _report_passage(self, report: PassageReport) -> None:
        verification = passages.verification_to_confirm(self.turnstile, nonce=report.nonce)
        if verification is not None:
            with suppress(passages.ContradictionError):  # two reports at once: the first stands
                passages.report_passage(verification, self.turnstile, passed=report.passed)
