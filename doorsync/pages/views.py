"""Pages for staff beside the admin's own: the door board, why somebody can or can't pass, and what is unmapped."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.admin.sites import site as admin_site
from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accessmap.models import AccessPolicy, Cardholder, Door, Site
from accessmap.services import quick_fixes
from doorsync.status import board as boards
from doorsync.status import coverage as unmapped_things
from doorsync.status import explain as explanations
from doorsync.status.drift import doors_in_drift
from portal.core import clock

DOORS_A_PAGE = 50


def _may(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


@staff_member_required
@require_GET
def some_board(request: HttpRequest) -> HttpResponse:
    """The first site's board; from there the others are a click away."""
    _may(request, "accessmap.view_door")
    first = Site.objects.order_by("name").first()
    if first is None:
        return redirect("admin:accessmap_site_changelist")
    answer = redirect("board", first.pk)
    answer["Location"] += f"?{request.GET.urlencode()}" if request.GET else ""
    return answer


@never_cache
@staff_member_required
@require_GET
def board(request: HttpRequest, site_id: int) -> HttpResponse:
    """Every door of a site, with its day; by floor, name and state, fifty a page."""
    _may(request, "accessmap.view_door")
    site = get_object_or_404(Site, pk=site_id)
    now, zone = clock.now(), ZoneInfo(site.time_zone)
    drifting = doors_in_drift(now)
    doors = Door.objects.filter(controller__site=site).select_related("controller").order_by("floor", "name")
    floors = list(doors.exclude(floor="").order_by("floor").values_list("floor", flat=True).distinct())
    name, floor, state = (request.GET.get(key, "")[:200] for key in ("name", "floor", "state"))
    if name:
        doors = doors.filter(name__icontains=name)
    if floor:
        doors = doors.filter(floor=floor)
    if state == "drift":
        doors = doors.filter(pk__in=drifting)
    today = now.astimezone(zone).date()
    day = boards.Day.of(_day(request.GET.get("day", ""), today), zone)
    page = Paginator(doors, DOORS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "site": site,
        "zone": zone,
        "now": now,
        "day": day,
        "today": today,
        "now_x": day.x(now) if day.start <= now < day.end else None,
        "width": boards.WIDTH,
        "lines": boards.lines(list(page), day, now, drifting),
        "page": page,
        "filters": {"name": name, "floor": floor, "state": state},
        "floors": floors,
    }
    if request.headers.get("X-Part") == "lines":  # the page refreshes itself
        return render(request, "doorsync/board_lines.html", context)
    others = Site.objects.exclude(pk=site.pk).order_by("name")
    title = _("Doors of %(site)s") % {"site": site}
    return render(
        request, "doorsync/board.html", {**admin_site.each_context(request), **context, "title": title, "sites": others}
    )


def _day(said: str, today: date) -> date:
    """The day asked for, if it is one; else today."""
    try:
        return date.fromisoformat(said)
    except ValueError:
        return today


@never_cache
@staff_member_required
@require_GET
def why(request: HttpRequest) -> HttpResponse:
    """Why can, or can't, somebody open a door at a moment? `who` is an email, a name or a card's number."""
    _may(request, "doorsync.view_storedbooking")
    now = clock.now()
    who, said = (request.GET.get(key, "").strip()[:320] for key in ("who", "at"))
    door = Door.objects.select_related("controller__site").filter(pk=_number(request.GET.get("door", ""))).first()
    zone = ZoneInfo(door.controller.site.time_zone) if door else timezone.get_current_timezone()
    at = _moment(said, zone)
    people = list(_people(who)) if who else []
    context = {
        **admin_site.each_context(request),
        "title": _("Why can, or can't, somebody open a door?"),
        "who": who,
        "door": door,
        "at": (at or now).astimezone(zone),
        "zone": zone,
        "people": people,
        "doors": Door.objects.select_related("controller").order_by("name"),
        "bad_time": bool(said) and at is None,
    }
    if door and len(people) == 1 and not context["bad_time"]:
        moment = at or now
        with timezone.override(zone):
            context["answer"] = explanations.explain(explanations.facts_for(people[0], door, moment), moment, now)
        everything = request.user.has_perm("audit.view_entry")
        context["log"] = explanations.log_around(people[0], door, moment, everything=everything)
    return render(request, "doorsync/why.html", context)


def _people(who: str) -> QuerySet[Cardholder]:
    """Whom these words mean: a card's number or an email if it is one, else part of a name; a few at the most."""
    exact = Cardholder.objects.filter(Q(cards__number=who) | Q(email__iexact=who)).distinct()
    found = exact if exact.exists() else Cardholder.objects.filter(name__icontains=who)
    return found.order_by("name")[:20]


def _moment(said: str, zone: ZoneInfo | tzinfo) -> datetime | None:
    """A local time as a browser's field says it, as an aware moment; None where it is none."""
    try:
        naive = datetime.fromisoformat(said)
    except ValueError:
        return None
    return naive.replace(tzinfo=zone).astimezone(UTC) if naive.tzinfo is None else naive.astimezone(UTC)


def _number(said: str) -> int:
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0


@never_cache
@staff_member_required
@require_GET
def unmapped(request: HttpRequest) -> HttpResponse:
    """Whom bookings admit that has no card, rooms without a door, cards that nobody knows."""
    _may(request, "accessmap.view_cardholder")
    now = clock.now()
    context = {
        **admin_site.each_context(request),
        "title": _("Unmapped"),
        "people": unmapped_things.people(now),
        "rooms": unmapped_things.rooms(now),
        "cards": unmapped_things.cards()[:200],
        "sites": Site.objects.order_by("name"),
        "policies": AccessPolicy.objects.order_by("name"),
        "door_options": _options(Door.objects.select_related("controller").order_by("name")),
    }
    return render(request, "doorsync/unmapped.html", context)


def _options(doors: Iterable[Door]) -> SafeString:
    """The doors to choose from, put together once: each room's form has them all."""
    return format_html_join(
        "", '<option value="{}">{} ({})</option>', ((door.pk, door.name, door.controller) for door in doors)
    )


@staff_member_required
@require_POST
def mend_person(request: HttpRequest) -> HttpResponse:
    """Give somebody whom bookings name a card, and make them known if they are not."""
    for permission in ("accessmap.add_cardholder", "accessmap.add_card"):
        _may(request, permission)
    said = {key: request.POST.get(key, "").strip()[:320] for key in ("email", "name", "number")}
    try:
        person = quick_fixes.give_card(**said, actor=request.user.get_username())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("%(who)s has the card from now on.") % {"who": person.name})
    return redirect(reverse("unmapped") + "#people")


@staff_member_required
@require_POST
def mend_room(request: HttpRequest) -> HttpResponse:
    """Say which door leads to a resource, and make it known if it is not."""
    for permission in ("accessmap.add_resource", "accessmap.add_resourcedoor"):
        _may(request, permission)
    door = Door.objects.filter(pk=_number(request.POST.get("door", ""))).select_related("controller__site").first()
    policy = AccessPolicy.objects.filter(pk=_number(request.POST.get("policy", ""))).first()
    external_id, name = (request.POST.get(key, "").strip()[:200] for key in ("external_id", "name"))
    try:
        room = quick_fixes.give_door(external_id, name, door, policy, actor=request.user.get_username())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("%(door)s leads to %(room)s from now on.") % {"door": door, "room": room})
    return redirect(reverse("unmapped") + "#rooms")
