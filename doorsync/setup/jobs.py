"""The calls of the setup, as jobs of the worker. The page of a step starts them and shows what came of them."""

from typing import Any
from urllib.parse import urlencode

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accessmap.models import Controller
from doorsync.bookings.subscription import keep_subscribed
from doorsync.controllers.connection import check_connection
from doorsync.drivers.base import DriverError
from doorsync.models import Job
from doorsync.pages import jobs as job_pages
from doorsync.pages.problems import ASKING_OFFISION, CONNECTING
from doorsync.setup import actions
from doorsync.setup.problems import CALLING_ITSELF, READING_BACK
from doorsync.work.jobs import JobFailed, JobKind, Report, job_kind
from portal.audit.models import record
from portal.core import clock
from portal.core.problems import Problem, problem_of
from portal.offision.errors import OffisionError

PERMISSION = "accessmap.change_controller"  # of those who set up controllers: integrators and administrators


def _sentences(problems: list[Problem]) -> dict[str, Any]:
    return {"sentences": [one.as_json() for one in problems]}


@job_kind("setup.contract", permission=PERMISSION, title=_("The contract, checked"))
def check_contract(job: Job, report: Report) -> dict[str, Any]:
    report(ASKING_OFFISION())
    try:
        sections = actions.check_offision(job.params["resource"], actor=job.actor)
    except OffisionError as error:
        raise JobFailed(problem_of(error)) from error
    return {
        "sections": [
            {
                "title": str(section.title),
                "lines": [str(line) for line in section.lines],
                "misfits": [str(line) for line in section.misfits],
                "remarks": [str(line) for line in section.remarks],
            }
            for section in sections
        ]
    }


@job_kind("setup.subscription", permission=PERMISSION, title=_("The subscription"))
def subscribe(job: Job, report: Report) -> dict[str, Any]:
    report(ASKING_OFFISION())
    with transaction.atomic():
        record(actor=job.actor, action="subscription.look", on=None, label="Offision")
    keep_subscribed()
    return {}  # the step shows the state of the subscription


@job_kind("setup.callback", permission=PERMISSION, title=_("The portal calls itself"))
def call_ourselves(job: Job, report: Report) -> dict[str, Any]:
    report(CALLING_ITSELF())
    return _result(actions.call_ourselves(actor=job.actor))


@job_kind("setup.controller", permission=PERMISSION, title=_("Connection test of %(label)s"))
def test_controller(job: Job, report: Report) -> dict[str, Any]:
    controller = Controller.objects.select_related("site").get(pk=job.params["controller"])
    report(CONNECTING(controller=str(controller)))
    try:
        return _sentences([check_connection(controller, actor=job.actor)])
    except DriverError as error:
        raise JobFailed(problem_of(error)) from error


@job_kind("setup.permission", permission=PERMISSION, title=_("A first permission, read back"))
def read_back(job: Job, report: Report) -> dict[str, Any]:
    report(READING_BACK())
    return _result(actions.read_back(clock.now(), actor=job.actor))


def _result(answer: actions.Answer) -> dict[str, Any]:
    if not answer.worked:
        raise JobFailed(*answer.sentences)
    return _sentences(list(answer.sentences))


STEPS: dict[str, JobKind] = {
    "contract": check_contract,
    "subscription": subscribe,
    "callback": call_ourselves,
    "controller": test_controller,
    "permission": read_back,
}


def _show_on_step(request: HttpRequest, job: Job) -> HttpResponse:
    key = next(key for key, kind in STEPS.items() if kind.name == job.kind)
    query = urlencode({"job": job.pk})
    return HttpResponseRedirect(f"{reverse('setup-step', args=[key])}?{query}")


for kind in STEPS.values():
    job_pages.result_page(kind)(_show_on_step)
