"""The page of a job: it shows the progress until there is a result, and then the result."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _

from doorsync.models import Job
from doorsync.work import jobs
from portal.core import clock
from portal.core.admin.pages import render_staff_page, staff_page

ResultPage = Callable[[HttpRequest, Job], HttpResponse]
_result_pages: dict[str, ResultPage] = {}


def result_page(kind: jobs.JobKind) -> Callable[[ResultPage], ResultPage]:
    """The decorated function shows the finished jobs of a kind, those that failed as well."""

    def register(page: ResultPage) -> ResultPage:
        _result_pages[kind.name] = page
        return page

    return register


def start(request: HttpRequest, kind: jobs.JobKind, *, label: str, **params: Any) -> HttpResponseRedirect:
    """Start a job for whoever asks, and lead them to its page."""
    user = request.user
    if not user.is_authenticated or not user.has_perm(kind.permission):
        raise PermissionDenied
    job = jobs.start(kind, user=user, label=label, params=params)
    return HttpResponseRedirect(reverse("job", args=[job.pk]))


def job_for(request: HttpRequest, job_id: UUID) -> Job:
    """The job, for its requester and for superusers. Others get a 404: nobody learns who asks for what."""
    jobs.fail_abandoned(clock.now())
    job = get_object_or_404(Job.objects.select_related("requested_by"), pk=job_id)
    user = request.user
    is_theirs = job.requested_by_id == user.pk and user.has_perm(jobs.kind_of(job).permission)
    if not is_theirs and not user.is_superuser:
        raise Http404
    return job


def redirect_with_message(request: HttpRequest, job: Job, url: str, success: str) -> HttpResponseRedirect:
    """Lead back to a page, with a message of what came of the job."""
    if job.state == Job.State.DONE:
        messages.success(request, success)
    else:
        messages.error(request, str(job.problems))
    return HttpResponseRedirect(url)


@staff_page()
def job_page(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """A job under way, or the page of its result."""
    job = job_for(request, job_id)
    if job.is_finished:
        return _result_pages[job.kind](request, job)
    context = {"job": job, "progress": _progress(job), "no_worker": jobs.is_unanswered(job, clock.now())}
    return render_staff_page(request, "doorsync/job.html", jobs.kind_of(job).title % {"label": job.label}, context)


@staff_page()
def job_progress(request: HttpRequest, job_id: UUID) -> JsonResponse:
    """How far a job is, for the script of its page."""
    job = job_for(request, job_id)
    no_worker = jobs.is_unanswered(job, clock.now())
    return JsonResponse({"finished": job.is_finished, "progress": _progress(job), "no_worker": no_worker})


def _progress(job: Job) -> str:
    return str(job.progress) or _("Waiting for the worker.")
