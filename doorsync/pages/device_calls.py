"""What staff can ask a controller or Offision: each is a job of the worker, so that no web thread waits for it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accessmap.models import Controller
from doorsync.bookings import resources
from doorsync.controllers.connection import check_connection
from doorsync.controllers.preview import preview as preview_of
from doorsync.controllers.preview import rows_of
from doorsync.drivers.base import DriverError
from doorsync.models import Job
from doorsync.pages import jobs as job_pages
from doorsync.pages.problems import ASKING_OFFISION, CONNECTING, NO_LIST_OF_RESOURCES, READING
from doorsync.work.jobs import JobFailed, Report, job_kind
from portal.core import clock
from portal.core.admin.pages import render_staff_page, staff_action, staff_page
from portal.core.problems import Problem, problem_of
from portal.offision.errors import OffisionError, OperationAbsent


@job_kind(
    "controller.preview",
    permission="doorsync.view_controllersync",
    title=gettext_lazy("What would change at %(label)s"),
)
def preview_changes(job: Job, report: Report) -> dict[str, Any]:
    """Compare a controller with what it should hold. Reads it, and writes nothing."""
    controller = Controller.objects.select_related("site").get(pk=job.params["controller"])
    report(READING(controller=str(controller)))
    try:
        _info, plan = preview_of(controller, clock.now())
    except DriverError as error:
        raise JobFailed(problem_of(error)) from error
    return {"in_step": plan.in_step, "rows": rows_of(controller, plan)}


@job_kind(
    "controller.test",
    permission="accessmap.change_controller",
    title=gettext_lazy("Connection test of %(label)s"),
)
def test_controller(job: Job, report: Report) -> dict[str, Any]:
    """Ask a controller who it is."""
    controller = Controller.objects.select_related("site").get(pk=job.params["controller"])
    report(CONNECTING(controller=str(controller)))
    try:
        answer = check_connection(controller, actor=job.actor)
    except DriverError as error:
        raise JobFailed(problem_of(error)) from error
    return {"sentences": [answer.as_json()]}


@job_kind(
    "resources.fetch",
    permission="doorsync.change_resourcesync",
    title=gettext_lazy("Offision's list of resources"),
)
def fetch_resource_list(job: Job, report: Report) -> dict[str, Any]:
    """Fetch Offision's list of resources, so that those that the map does not know can be given doors."""
    report(ASKING_OFFISION())
    try:
        listed, unknown = resources.fetch_resources()
    except OperationAbsent as error:
        raise JobFailed(NO_LIST_OF_RESOURCES()) from error
    except OffisionError as error:
        raise JobFailed(problem_of(error)) from error
    return {"listed": listed, "unknown": unknown}


def sentences_of(job: Job) -> list[Problem]:
    """What a finished job has to say: its result's sentences, or why it has no result."""
    if job.state == Job.State.DONE:
        return [Problem.from_json(stored) for stored in job.result.get("sentences", [])]
    return list(job.problems)


@staff_page()
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """Start a preview of a controller."""
    controller = get_object_or_404(Controller, pk=pk)
    return job_pages.start(request, preview_changes, label=str(controller), controller=pk)


@job_pages.result_page(preview_changes)
def preview_page(request: HttpRequest, job: Job) -> HttpResponse:
    controller = get_object_or_404(Controller, pk=job.params["controller"])
    result = job.result
    context = {
        "controller": controller,
        "job": job,
        "in_step": result.get("in_step"),
        "rows": [(kind, row) for kind, rows in result.get("rows", {}).items() for row in rows],
    }
    title = preview_changes.title % {"label": controller}
    return render_staff_page(request, "doorsync/preview.html", title, context)


@staff_action()
def test_connection(request: HttpRequest, pk: int) -> HttpResponse:
    """Start a connection test of a controller, by its stored options."""
    controller = get_object_or_404(Controller, pk=pk)
    return job_pages.start(request, test_controller, label=str(controller), controller=pk)


@job_pages.result_page(test_controller)
def connection_tested(request: HttpRequest, job: Job) -> HttpResponse:
    url = reverse("admin:accessmap_controller_change", args=[job.params["controller"]])
    return job_pages.redirect_with_message(request, job, url, " ".join(map(str, sentences_of(job))))


@staff_action()
def fetch_resources(request: HttpRequest) -> HttpResponse:
    """Start fetching Offision's list of resources."""
    return job_pages.start(request, fetch_resource_list, label="Offision")


@job_pages.result_page(fetch_resource_list)
def resources_fetched(request: HttpRequest, job: Job) -> HttpResponse:
    success = _("Offision lists %(listed)d resources; the map does not know %(unknown)d of them.")
    counts = {"listed": job.result.get("listed", 0), "unknown": job.result.get("unknown", 0)}
    return job_pages.redirect_with_message(request, job, reverse("coverage") + "#rooms", success % counts)
