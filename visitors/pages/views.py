"""Pages: the kiosk, and who is inside."""

from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from accessmap.models import Site
from portal.core import clock
from portal.core.admin.pages import render_staff_page, staff_page
from visitors.devices import kiosks
from visitors.devices.protocols.base import MAX_BYTES, json_object
from visitors.models import Turnstile
from visitors.verification.decision import Direction
from visitors.verification.messages import message
from visitors.verification.verify import Scan, verify
from visitors.visits.presence import inside

KIOSK_COOKIE_AGE = 400 * 24 * 3600  # as long as browsers keep one; revoking the key ends it sooner


@never_cache
@ensure_csrf_cookie
@require_GET
def kiosk(request: HttpRequest, turnstile_id: int) -> HttpResponse:
    """The kiosk's page in a paired browser; in any other, the page for the pairing code."""
    turnstile = kiosks.kiosk_of(request, turnstile_id)
    if turnstile is None:
        return _pairing_page(request, turnstile_id, wrong=False)
    return render(request, "visitors/kiosk.html", {"turnstile": turnstile, "both": turnstile.direction == "both"})


@never_cache
@require_POST
def pair(request: HttpRequest, turnstile_id: int) -> HttpResponse:
    """Pair this browser, if the typed code is right."""
    turnstile = Turnstile.objects.filter(pk=turnstile_id).first()
    key = kiosks.pair(turnstile, request.POST.get("code", "")[:40]) if turnstile else None
    if key is None:
        return _pairing_page(request, turnstile_id, wrong=True)
    response = redirect("kiosk", turnstile_id)
    response.set_cookie(
        kiosks.cookie_name(turnstile_id),
        key,
        max_age=KIOSK_COOKIE_AGE,
        path=f"/kiosk/{turnstile_id}/",
        secure=settings.SECURE,
        httponly=True,
        samesite="Strict",
    )
    return response


def _pairing_page(request: HttpRequest, turnstile_id: int, *, wrong: bool) -> HttpResponse:
    # The same page for a turnstile that does not exist: a stranger learns nothing by trying numbers.
    return render(
        request,
        "visitors/kiosk_pair.html",
        {"turnstile_id": turnstile_id, "wrong": wrong},
        status=403 if wrong else 200,
    )


@never_cache
@require_POST
def scan(request: HttpRequest, turnstile_id: int) -> HttpResponse:
    """Answer the kiosk's scan, with the message in every language of the portal."""
    turnstile = kiosks.kiosk_of(request, turnstile_id)
    if turnstile is None:
        return JsonResponse({"error": "not paired"}, status=401)
    try:
        kiosk_scan = _parse(request.read(MAX_BYTES + 1))
    except ValueError as error:
        return JsonResponse({"error": str(error)}, status=400)
    answer = verify(turnstile, kiosk_scan)
    messages = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            messages[language] = message(answer.allowed, answer.reasons)
    return JsonResponse({"allowed": answer.allowed, "messages": messages, "visitor": answer.shown})


def _parse(body: bytes) -> Scan:
    """The scan in a request of the kiosk's script. Raises ValueError."""
    fields = json_object(body if len(body) <= MAX_BYTES else b"")
    code, nonce, direction = fields.get("code"), fields.get("nonce"), fields.get("direction")
    if not (isinstance(code, str) and isinstance(nonce, str) and 0 < len(nonce) <= 100):
        raise ValueError("code or nonce is missing.")
    return Scan(text=code, direction=Direction(direction) if direction else None, nonce=nonce)


@never_cache
@require_GET
def alive(request: HttpRequest, turnstile_id: int) -> HttpResponse:
    """204 while this browser is a paired kiosk, 401 afterwards."""
    return HttpResponse(status=204 if kiosks.kiosk_of(request, turnstile_id) else 401)


@staff_page("visitors.view_passage")
def who_is_inside(request: HttpRequest, site_id: int) -> HttpResponse:
    """Every visitor inside a site, for counting people."""
    site = get_object_or_404(Site, pk=site_id)
    now = clock.now()
    context = {
        "site": site,
        "sites": Site.objects.exclude(pk=site.pk),
        "visitors": inside(site, now),
        "now": now,
        "zone": ZoneInfo(site.time_zone),
    }
    return render_staff_page(request, "visitors/inside.html", _("Who is inside %(site)s") % {"site": site}, context)


@staff_page()
def inside_somewhere(request: HttpRequest) -> HttpResponse:
    """The page of the first site, which links to the others."""
    first = Site.objects.order_by("name").first()
    if first is None:
        return redirect("admin:index")
    return redirect("inside", first.pk)
