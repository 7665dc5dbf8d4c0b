"""Pages for people: the kiosk, and who is inside."""

from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.admin.sites import site as admin_site
from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from accessmap.models import Site
from portal.core import clock
from visitors.devices import kiosks
from visitors.devices.protocols.base import MAX_BYTES, object_of
from visitors.models import Turnstile
from visitors.verification.decision import Direction
from visitors.verification.messages import message
from visitors.verification.presence import inside
from visitors.verification.verify import Scan, verify

KIOSK_COOKIE_AGE = 400 * 24 * 3600  # as long as browsers keep one; a key that is revoked ends it sooner


@never_cache
@ensure_csrf_cookie
@require_GET
def kiosk(request: HttpRequest, turnstile_id: int) -> HttpResponse:
    """The kiosk's page, on a browser that is paired; else the page on which the code is typed."""
    turnstile = kiosks.kiosk_of(request, turnstile_id)
    if turnstile is None:
        return _pairing_page(request, turnstile_id, wrong=False)
    return render(request, "visitors/kiosk.html", {"turnstile": turnstile, "both": turnstile.direction == "both"})


@never_cache
@require_POST
def pair(request: HttpRequest, turnstile_id: int) -> HttpResponse:
    """A code was typed. The right one pairs this browser."""
    turnstile = Turnstile.objects.filter(pk=turnstile_id).first()
    key = kiosks.pair(turnstile, request.POST.get("code", "")[:40]) if turnstile else None
    if key is None:
        return _pairing_page(request, turnstile_id, wrong=True)
    answer = redirect("kiosk", turnstile_id)
    answer.set_cookie(
        kiosks.cookie_name(turnstile_id),
        key,
        max_age=KIOSK_COOKIE_AGE,
        path=f"/kiosk/{turnstile_id}/",
        secure=settings.SECURE,
        httponly=True,
        samesite="Strict",
    )
    return answer


def _pairing_page(request: HttpRequest, turnstile_id: int, *, wrong: bool) -> HttpResponse:
    # The same for a turnstile that there is not: whoever tries numbers learns nothing.
    return render(
        request,
        "visitors/kiosk_pair.html",
        {"turnstile_id": turnstile_id, "wrong": wrong},
        status=403 if wrong else 200,
    )


@never_cache
@require_POST
def scan(request: HttpRequest, turnstile_id: int) -> HttpResponse:
    """The kiosk read a code. The answer holds the words in every language of the portal."""
    turnstile = kiosks.kiosk_of(request, turnstile_id)
    if turnstile is None:
        return JsonResponse({"error": "not paired"}, status=401)
    try:
        question = _question(request.read(MAX_BYTES + 1))
    except ValueError:
        return JsonResponse({"error": "no question"}, status=400)
    answer = verify(turnstile, question)
    messages = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            messages[language] = message(answer.allowed, answer.reasons)
    return JsonResponse({"allowed": answer.allowed, "messages": messages, "visitor": answer.shown})


def _question(body: bytes) -> Scan:
    """What the kiosk's page asks. Raises ValueError for anything else."""
    try:
        said = object_of(body if len(body) <= MAX_BYTES else b"")
        read, nonce, way = said["code"], said["nonce"], said.get("direction")
    except KeyError as error:
        raise ValueError("no question") from error
    if not (isinstance(read, str) and isinstance(nonce, str) and 0 < len(nonce) <= 100):
        raise ValueError("no question")
    return Scan(read=read, direction=Direction(way) if way else None, nonce=nonce)


@never_cache
@require_GET
def alive(request: HttpRequest, turnstile_id: int) -> HttpResponse:
    """The kiosk asks whether the portal is there, and whether it still is a kiosk."""
    return HttpResponse(status=204 if kiosks.kiosk_of(request, turnstile_id) else 401)


@never_cache
@staff_member_required
@require_GET
def who_is_inside(request: HttpRequest, site_id: int) -> HttpResponse:
    """Everybody inside a site, for an evacuation's roll-call."""
    if not request.user.has_perm("visitors.view_passage"):
        raise PermissionDenied
    site = get_object_or_404(Site, pk=site_id)
    now = clock.now()
    return render(
        request,
        "visitors/inside.html",
        {
            **admin_site.each_context(request),
            "title": _("Who is inside %(site)s") % {"site": site},
            "site": site,
            "sites": Site.objects.exclude(pk=site.pk),
            "people": inside(site, now),
            "now": now,
            "zone": ZoneInfo(site.time_zone),
        },
    )


@staff_member_required
@require_GET
def inside_somewhere(request: HttpRequest) -> HttpResponse:
    """The first site's page; from there the others are a click away."""
    first = Site.objects.order_by("name").first()
    if first is None:
        return redirect("admin:index")
    return redirect("inside", first.pk)
