"""The pages of the setup: the list of steps, a page for each step, and the result of its action there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _

from accessmap.models import AccessPolicy, Controller, Door, Resource, Site
from doorsync.bookings.subscription import callback_url
from doorsync.models import Job, UnmappedResource
from doorsync.pages import jobs as job_pages
from doorsync.pages.device_calls import sentences_of
from doorsync.setup import jobs
from doorsync.setup.steps import facts_at, steps
from portal.core import clock
from portal.core.admin.pages import render_staff_page, staff_page
from portal.core.clock import local
from portal.offision.subscription import mask_url

SHOWN = 20  # controllers, or unmapped resources
_MAX_ID = 200


@dataclass(frozen=True, slots=True)
class Link:
    """An admin page for a step. `allowed`: whether the user may do it there."""

    label: str
    url: str
    allowed: bool = True


@staff_page(jobs.PERMISSION)
def index(request: HttpRequest) -> HttpResponse:
    """Every step with its state, and the next one to do."""
    now = clock.now()
    all_steps = steps(facts_at(now), now)
    following = next((step for step in all_steps if not step.done), None)
    done = sum(step.done for step in all_steps)
    context = {"steps": all_steps, "next": following, "done": done}
    return render_staff_page(request, "setup/index.html", _("Setup"), context)


@staff_page(jobs.PERMISSION, methods=["GET", "HEAD", "POST"])
def step(request: HttpRequest, key: str) -> HttpResponse:
    """One step. A POST starts its action as a job, which leads back here with its result."""
    if request.method == "POST":
        return _start(request, key)
    now = clock.now()
    all_steps = steps(facts_at(now), now)
    position = next((number for number, one in enumerate(all_steps) if one.key == key), None)
    if position is None:
        raise Http404
    context = {
        "step": all_steps[position],
        "number": position + 1,
        "count": len(all_steps),
        "before": all_steps[position - 1] if position else None,
        "after": all_steps[position + 1] if position + 1 < len(all_steps) else None,
        "links": _links(request, key),
        **_shown(key),
        **_result(request, key),
    }
    return render_staff_page(request, "setup/step.html", all_steps[position].title, context)


@staff_page(jobs.PERMISSION)
def called(request: HttpRequest) -> HttpResponse:
    """Whether Offision has called, for the script of the page that waits for it."""
    at = facts_at(clock.now()).called_at
    text = _("Offision has called, at %(time)s.") % {"time": local(at)} if at else _("No call has come yet.")
    return JsonResponse({"arrived": at is not None, "text": text})


def _start(request: HttpRequest, key: str) -> HttpResponseRedirect:
    kind = jobs.STEPS.get(key)
    if kind is None:
        raise Http404
    if key == "contract":
        resource = request.POST.get("resource", "").strip()[:_MAX_ID]
        return job_pages.start(request, kind, label="Offision", resource=resource)
    if key == "controller":
        controller = get_object_or_404(Controller, pk=_number(request.POST.get("controller", "")))
        return job_pages.start(request, kind, label=str(controller), controller=controller.pk)
    return job_pages.start(request, kind, label="")


def _result(request: HttpRequest, key: str) -> dict[str, Any]:
    """What came of the finished job that the address names, if it is one of this step."""
    kind = jobs.STEPS.get(key)
    try:
        job_id = UUID(request.GET.get("job", ""))
    except ValueError:
        return {}
    job = job_pages.job_for(request, job_id)
    if kind is None or job.kind != kind.name or not job.is_finished:
        return {}
    return {
        "worked": job.state == Job.State.DONE,
        "sentences": sentences_of(job),
        "tested": job.label if key == "controller" else "",
        "sections": job.result.get("sections"),
        "resource": job.params.get("resource", ""),
    }


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Http404
    return int(text)


def _shown(key: str) -> dict[str, Any]:
    """What the page of a step shows beside its state."""
    if key == "settings":
        contract = settings.OFFISION_CONTRACT
        return {
            "settings_shown": [
                ("OFFISION_URL", settings.OFFISION_URL or _("not set")),
                ("OFFISION_TOKEN", _("set, not shown") if settings.OFFISION_TOKEN else _("not set")),
                ("OFFISION_CALLBACK_SECRET", _("set, not shown")),
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
    """The admin pages for a step."""
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
    """Offision's resources to choose from, each with a form filled in, and an empty form for an id."""
    policies = AccessPolicy.objects.values_list("pk", flat=True)[:2]
    common = {**at_site, **({"policy": policies[0]} if len(policies) == 1 else {})}
    unmapped = UnmappedResource.objects.exclude(external_id__in=Resource.objects.values("external_id"))
    links = [
        add("resource", row.name or row.external_id, {**common, "external_id": row.external_id, "name": row.name})
        for row in unmapped.order_by("name", "external_id")[:SHOWN]
    ]
    doorless = Resource.objects.filter(doors__isnull=True).order_by("name")[:SHOWN] if Door.objects.exists() else []
    links += [
        Link(
            _("%(resource)s, without a door") % {"resource": resource.name},
            reverse("admin:accessmap_resource_change", args=[resource.pk]),
            allowed=links[0].allowed if links else add("resource", "").allowed,
        )
        for resource in doorless
    ]
    return [*links, add("resource", _("Enter its id in Offision"), common)]
