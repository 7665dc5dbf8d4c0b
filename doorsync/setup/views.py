"""The pages of the setup: a list of the steps, a page a step, and what came of an act there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.admin.sites import site as admin_site
from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accessmap.models import AccessPolicy, Controller, Door, Resource, Site
from doorsync.bookings.subscription import callback_url, keep_subscribed
from doorsync.models import UnmappedResource
from doorsync.setup import actions
from doorsync.setup.steps import facts_at, steps
from portal.audit.models import record_alone
from portal.core import clock
from portal.core.clock import local
from portal.offision.errors import OffisionError
from portal.offision.subscription import mask_url

SHOWN = 20  # controllers, or unmapped resources
_MAX_ID = 200


@dataclass(frozen=True, slots=True)
class Link:
    """Where a step is done in the admin. `allowed`: whether whoever looks may do it there."""

    label: str
    url: str
    allowed: bool = True


def _let_in(request: HttpRequest) -> None:
    """Those who set up controllers: integrators and administrators."""
    if not request.user.has_perm("accessmap.change_controller"):
        raise PermissionDenied


@never_cache
@staff_member_required
@require_GET
def index(request: HttpRequest) -> HttpResponse:
    """Every step, how far it is, and the one that is next."""
    _let_in(request)
    now = clock.now()
    every = steps(facts_at(now), now)
    following = next((one for one in every if not one.done), None)
    context = {"title": _("Setup"), "steps": every, "next": following, "done": sum(one.done for one in every)}
    return render(request, "setup/index.html", {**admin_site.each_context(request), **context})


@never_cache
@staff_member_required
@require_http_methods(["GET", "HEAD", "POST"])
def step(request: HttpRequest, key: str) -> HttpResponse:
    """One step. Posting to it does what it is there for, and shows what came of that."""
    _let_in(request)
    came_of_it = _act(request, key) if request.method == "POST" else {}
    now = clock.now()
    every = steps(facts_at(now), now)
    position = next((number for number, one in enumerate(every) if one.key == key), None)
    if position is None:
        raise Http404
    context = {
        "title": every[position].title,
        "step": every[position],
        "number": position + 1,
        "count": len(every),
        "before": every[position - 1] if position else None,
        "after": every[position + 1] if position + 1 < len(every) else None,
        "links": _links(request, key),
        **_shown(key),
        **came_of_it,
    }
    return render(request, "setup/step.html", {**admin_site.each_context(request), **context})


@never_cache
@staff_member_required
@require_GET
def called(request: HttpRequest) -> HttpResponse:
    """Whether Offision has called; asked by the page that waits for it."""
    _let_in(request)
    at = facts_at(clock.now()).called_at
    said = _("Offision has called, at %(time)s.") % {"time": local(at)} if at else _("Nothing has come yet.")
    return JsonResponse({"arrived": at is not None, "said": said})


def _act(request: HttpRequest, key: str) -> dict[str, Any]:
    actor = request.user.get_username()
    try:
        if key == "contract":
            resource = request.POST.get("resource", "").strip()[:_MAX_ID]
            return {"sections": actions.check_offision(resource, actor=actor), "resource": resource}
        if key == "subscription":
            record_alone(actor=actor, action="subscription.look", on=None, label="Offision")
            keep_subscribed()
            return {}
        if key == "callback":
            return {"told": actions.call_ourselves(actor=actor)}
        if key == "controller":
            controller = get_object_or_404(Controller, pk=_number(request.POST.get("controller", "")))
            return {"told": actions.test_controller(controller, actor=actor), "tried": controller}
        if key == "permission":
            return {"told": actions.read_back(clock.now(), actor=actor)}
    except OffisionError as error:
        return {"told": actions.Told(False, error.summary)}
    raise Http404


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Http404
    return int(text)


def _shown(key: str) -> dict[str, Any]:
    """What a step's page shows beside its state."""
    if key == "settings":
        contract = settings.OFFISION_CONTRACT
        return {
            "settings_shown": [
                ("OFFISION_URL", settings.OFFISION_URL or _("not set")),
                ("OFFISION_TOKEN", _("set, and not shown") if settings.OFFISION_TOKEN else _("not set")),
                ("OFFISION_CALLBACK_SECRET", _("set, and not shown")),
                ("PORTAL_PUBLIC_URL", settings.PORTAL_PUBLIC_URL),
                ("OFFISION_CONTRACT", contract),
            ]
        }
    if key in ("callback", "subscription"):
        return {"call_url": mask_url(callback_url())}
    if key == "controller":
        return {"controllers": Controller.objects.select_related("site").order_by("-enabled", "name")[:SHOWN]}
    return {}


def _links(request: HttpRequest, key: str) -> list[Link]:
    """The admin's pages on which a step is done."""
    user = request.user

    def add(model: str, label: str, initial: Mapping[str, object] | None = None) -> Link:
        query = f"?{urlencode(initial)}" if initial else ""
        url = reverse(f"admin:accessmap_{model}_add") + query
        return Link(label, url, allowed=user.has_perm(f"accessmap.add_{model}"))

    only_site = Site.objects.values_list("pk", flat=True).first() if Site.objects.count() == 1 else None
    at_site = {"site": only_site} if only_site else {}
    if key == "site":
        return [add("site", _("Add a site"), {"time_zone": settings.SITE_TIME_ZONE})]
    if key == "controller":
        return [add("controller", _("Add a controller"), at_site)]
    if key == "door":
        return [
            Link(
                _("Doors of %(controller)s") % {"controller": controller},
                reverse("admin:accessmap_controller_change", args=[controller.pk]),
            )
            for controller in Controller.objects.order_by("name")[:SHOWN]
        ] or [add("controller", _("Add a controller"), at_site)]
    if key == "policy":
        return [add("accesspolicy", _("Add an access policy"))]
    if key == "cardholder":
        return [add("cardholder", _("Add a cardholder"))]
    if key == "resource":
        return _resources(add, at_site)
    return []


def _resources(add: Any, at_site: Mapping[str, object]) -> list[Link]:
    """Resources of Offision's to choose from, each with the form already filled in; and an empty form for an id."""
    policies = AccessPolicy.objects.values_list("pk", flat=True)[:2]
    common = {**at_site, **({"policy": policies[0]} if len(policies) == 1 else {})}
    unmapped = UnmappedResource.objects.exclude(external_id__in=Resource.objects.values("external_id"))
    links = [
        add("resource", one.name or one.external_id, {**common, "external_id": one.external_id, "name": one.name})
        for one in unmapped.order_by("name", "external_id")[:SHOWN]
    ]
    doorless = Resource.objects.filter(doors__isnull=True).order_by("name")[:SHOWN] if Door.objects.exists() else []
    links += [
        Link(
            _("%(resource)s, which has no door yet") % {"resource": one.name},
            reverse("admin:accessmap_resource_change", args=[one.pk]),
            allowed=links[0].allowed if links else add("resource", "").allowed,
        )
        for one in doorless
    ]
    return [*links, add("resource", _("Enter its id in Offision"), common)]
