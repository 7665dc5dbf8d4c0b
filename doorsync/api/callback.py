"""The callback endpoint: what Offision calls when an appointment changes."""

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from prometheus_client import Counter
from rest_framework import status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from doorsync.bookings import callbacks
from portal.core.api.errors import TooLarge
from portal.core.api.machine import MachineView, describe

REFUSED = Counter("portal_callbacks_refused_total", "Callbacks refused and not stored", ["reason"])


class CallbackAuthentication(BaseAuthentication):
    """The secret in the path, and the signature where the contract has one. 404 for a caller that is not Offision."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, str]:
        if not callbacks.secret_is_right(request.parser_context["kwargs"]["secret"]):
            REFUSED.labels("secret").inc()
            raise NotFound
        view = request.parser_context["view"]
        if not callbacks.signature_is_right(view.body_of(request), request.headers):
            REFUSED.labels("signature").inc()
            raise NotFound
        return AnonymousUser(), "callback"


@describe(
    {"application/json": {"type": "object"}},
    "Offision's callback: an appointment of a resource has changed. Only the resource's id is read.",
    answers={202: None},
    problems={404: "The secret or the signature is wrong.", 413: "The body is over 64 KiB."},
)
class CallbackView(MachineView):
    """202 once the call is stored; 404 for a wrong secret or signature, 413 for more than 64 KiB."""

    authentication_classes = [CallbackAuthentication]

    def get_max_bytes(self) -> int:
        return int(settings.CALLBACK_MAX_BYTES)

    def body_of(self, request: Request) -> bytes:
        """The body, also before the view has its request. Raises TooLarge."""
        try:
            body = request.data
        except TooLarge:
            REFUSED.labels("size").inc()
            raise
        return body if isinstance(body, bytes) else b""

    def post(self, request: Request, secret: str) -> Response:
        callbacks.receive(
            body=self.body_of(request),
            content_type=(request.content_type or "").partition(";")[0].strip(),
            remote_address=request.META.get("REMOTE_ADDR") or None,
        )
        return Response({"status": "accepted"}, status=status.HTTP_202_ACCEPTED)
