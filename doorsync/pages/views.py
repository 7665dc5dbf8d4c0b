"""Pages for staff beside the admin's own: the door board, explain, and missing cards and doors."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accessmap.models import AccessPolicy, Cardholder, Door, Site
from accessmap.services import quick_fixes
from doorsync.status import board as boards
from doorsync.status import coverage as missing
from doorsync.status import explain as explanations
from doorsync.status.drift import doors_in_drift
from portal.core import clock
from portal.core.admin.pages import render_staff_page, staff_action, staff_page

DOORS_A_PAGE = 50


@staff_page("accessmap.view_door")
def some_board(request: HttpRequest) -> HttpResponse:
    """The first site's board; from there the others are a click away."""
    first = Site.objects.order_by("name").first()
    if first is None:
        return redirect("admin:accessmap_site_changelist")
    answer = redirect("board", first.pk)
    answer["Location"] += f"?{request.GET.urlencode()}" if request.GET else ""
    return answer


@staff_page("accessmap.view_door")
def board(request: HttpRequest, site_id: int) -> HttpResponse:
    """Every door of a site, with its day; by floor, name and state, fifty a page."""
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
    context["sites"] = Site.objects.exclude(pk=site.pk).order_by("name")
    return render_staff_page(request, "doorsync/board.html", _("Doors of %(site)s") % {"site": site}, context)


def _day(text: str, today: date) -> date:
    """The day asked for, if it is one; else today."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return today


@staff_page("doorsync.view_storedbooking")
def explain(request: HttpRequest) -> HttpResponse:
    """Why can, or can't, somebody open a door at a moment? `who` is an email, a name or a card's number."""
    now = clock.now()
    who, when = (request.GET.get(key, "").strip()[:320] for key in ("who", "at"))
    door = Door.objects.select_related("controller__site").filter(pk=_number(request.GET.get("door", ""))).first()
    zone = ZoneInfo(door.controller.site.time_zone) if door else timezone.get_current_timezone()
    at = _moment(when, zone)
    people = list(_people(who)) if who else []
    context: dict[str, Any] = {
        "who": who,
        "door": door,
        "at": (at or now).astimezone(zone),
        "zone": zone,
        "people": people,
        "doors": Door.objects.select_related("controller").order_by("name"),
        "bad_time": bool(when) and at is None,
    }
    if door and len(people) == 1 and not context["bad_time"]:
        moment = at or now
        with timezone.override(zone):
            context["answer"] = explanations.explain(explanations.facts_for(people[0], door, moment), moment, now)
        everything = request.user.has_perm("audit.view_entry")
        context["log"] = explanations.log_around(people[0], door, moment, everything=everything)
    title = _("Why can, or can't, somebody open a door?")
    return render_staff_page(request, "doorsync/explain.html", title, context)


def _people(who: str) -> QuerySet[Cardholder]:
    """The cardholders with this card number or email; else those with this part of a name, a few at most."""
    exact = Cardholder.objects.filter(Q(cards__number=who) | Q(email__iexact=who)).distinct()
    people = exact if exact.exists() else Cardholder.objects.filter(name__icontains=who)
    return people.order_by("name")[:20]


def _moment(text: str, zone: ZoneInfo | tzinfo) -> datetime | None:
    """A local time as a browser's field says it, as an aware moment; None where it is none."""
    try:
        naive = datetime.fromisoformat(text)
    except ValueError:
        return None
    return naive.replace(tzinfo=zone).astimezone(UTC) if naive.tzinfo is None else naive.astimezone(UTC)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


@staff_page("accessmap.view_cardholder")
def coverage(request: HttpRequest) -> HttpResponse:
    """Missing cards and doors: who is admitted and has no card, rooms without a door, unmanaged cards."""
    now = clock.now()
    context = {
        "people": missing.people(now),
        "rooms": missing.rooms(now),
        "cards": missing.cards()[:200],
        "sites": Site.objects.order_by("name"),
        "policies": AccessPolicy.objects.order_by("name"),
        "door_options": _options(Door.objects.select_related("controller").order_by("name")),
    }
    return render_staff_page(request, "doorsync/coverage.html", _("Missing cards and doors"), context)


def _options(doors: Iterable[Door]) -> SafeString:
    """The doors to choose from, put together once: each room's form has them all."""
    return format_html_join(
        "", '<option value="{}">{} ({})</option>', ((door.pk, door.name, door.controller) for door in doors)
    )


@staff_action("accessmap.add_cardholder", "accessmap.add_card")
def fix_person(request: HttpRequest) -> HttpResponse:
    """Give a card to somebody that bookings name; the cardholder is created if needed."""
    fields = {key: request.POST.get(key, "").strip()[:320] for key in ("email", "name", "number")}
    try:
        person = quick_fixes.give_card(**fields, actor=request.user.get_username())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("%(who)s has the card from now on.") % {"who": person.name})
    return redirect(reverse("coverage") + "#people")


@staff_action("accessmap.add_resource", "accessmap.add_resourcedoor")
def fix_room(request: HttpRequest) -> HttpResponse:
    """Connect a door to a resource; the resource is created if needed."""
    door = Door.objects.filter(pk=_number(request.POST.get("door", ""))).select_related("controller__site").first()
    policy = AccessPolicy.objects.filter(pk=_number(request.POST.get("policy", ""))).first()
    external_id, name = (request.POST.get(key, "").strip()[:200] for key in ("external_id", "name"))
    try:
        room = quick_fixes.give_door(external_id, name, door, policy, actor=request.user.get_username())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("%(door)s leads to %(room)s from now on.") % {"door": door, "room": room})
    return redirect(reverse("coverage") + "#rooms")
