"""The callback endpoint."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from prometheus_client import Counter

from doorsync.bookings import callbacks

REFUSED = Counter("portal_callbacks_refused_total", "Callbacks refused and not kept", ["why"])


@csrf_exempt
@require_POST
def callback(request: HttpRequest, secret: str) -> HttpResponse:
    """Offision's call: 202 once it is safely stored, 404 for a wrong secret, 413 for more than 64 KiB."""
    if not callbacks.secret_is_right(secret):
        REFUSED.labels("secret").inc()
        return HttpResponse(status=404)
    body = request.read(settings.CALLBACK_MAX_BYTES + 1)
    if len(body) > settings.CALLBACK_MAX_BYTES:
        REFUSED.labels("size").inc()
        return JsonResponse({"error": f"The body is over {settings.CALLBACK_MAX_BYTES} bytes."}, status=413)
    if not callbacks.signature_is_right(body, request.headers):
        REFUSED.labels("signature").inc()
        return HttpResponse(status=404)
    callbacks.receive(
        body=body,
        content_type=request.content_type or "",
        remote_address=request.META.get("REMOTE_ADDR") or None,
    )
    return JsonResponse({"status": "accepted"}, status=202)
