"""Jobs: slow calls that staff ask for run in a worker, so that no web thread waits for a device.

A kind of job is a function of (job, report) that returns a JSON object; `report` shows a Problem as the progress. It
raises JobFailed for what staff should read. `start` is called by a page, `run` by the Celery task.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import translation
from django.utils.functional import Promise

from doorsync.models import Job
from doorsync.work.problems import JOB_ABANDONED, JOB_BROKEN
from portal.core import clock
from portal.core.problems import Problem
from portal.core.tasks import send_task

Report = Callable[[Problem], None]
Run = Callable[[Job, Report], dict[str, Any]]

KEPT_FOR = timedelta(days=1)
# A worker that is there takes a job within a second.
SILENT_AFTER = timedelta(seconds=5)
# Longer than any kind may take: each call to a device or to Offision has a time-out of seconds.
ABANDONED_AFTER = timedelta(minutes=3)
# The worker's other threads are for bookings and doors, whatever staff ask for.
AT_ONCE = 4

_UNFINISHED = [Job.State.WAITING, Job.State.RUNNING]


class JobFailed(Exception):
    """The job has no result; the problems say why. The first leads."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*map(str, problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job. `permission`: needed to start it and to see its result; `title` may hold %(label)s."""

    name: str
    permission: str
    title: Promise
    run: Run


_kinds: dict[str, JobKind] = {}


def job_kind(name: str, *, permission: str, title: Promise) -> Callable[[Run], JobKind]:
    """Register the decorated function as a kind of job. Raises ValueError for a name that is taken."""

    def register(function: Run) -> JobKind:
        if name in _kinds:
            raise ValueError(f"The kind of job {name} is registered twice.")
        _kinds[name] = JobKind(name, permission, title, function)
        return _kinds[name]

    return register


def kind_of(job: Job) -> JobKind:
    return _kinds[job.kind]


def start(kind: JobKind, *, user: User, label: str, params: dict[str, Any]) -> Job:
    """Have a worker run a job. Who asks for the same again while it is unfinished gets the job that is under way."""
    now = clock.now()
    delete_old(now)
    fail_abandoned(now)
    job, is_new = Job.objects.get_or_create(
        kind=kind.name,
        params=params,
        requested_by=user,
        state__in=_UNFINISHED,
        defaults={"label": label[:300], "language": translation.get_language() or "", "created_at": now},
    )
    if is_new:
        wake_worker(job.pk)
    return job


def wake_worker(job_id: UUID, *, seconds: int = 0) -> None:
    """Send the task once this transaction is committed, for so many seconds later."""
    send_task("doorsync.tasks.run_job", str(job_id), countdown=seconds)


def is_busy(now: datetime) -> bool:
    """Whether as many jobs are under way as may be."""
    running = Job.objects.filter(state=Job.State.RUNNING, started_at__gt=now - ABANDONED_AFTER)
    return running.count() >= AT_ONCE


def is_unanswered(job: Job, now: datetime) -> bool:
    """Whether no worker took the job in time. Wakes a worker again: its message may be lost."""
    if job.state != Job.State.WAITING or now - job.created_at < SILENT_AFTER or is_busy(now):
        return False
    forgotten = Job.objects.filter(pk=job.pk, state=Job.State.WAITING, enqueued_at__lt=now - SILENT_AFTER)
    if forgotten.update(enqueued_at=now):
        wake_worker(job.pk)
    return True


def run(job_id: UUID) -> None:
    """Run a job that waits; later, if AT_ONCE others run. Does nothing for one that is under way or finished: a message
    may come twice."""
    if is_busy(clock.now()):
        wake_worker(job_id, seconds=1)
        return
    waiting = Job.objects.filter(pk=job_id, state=Job.State.WAITING)
    if not waiting.update(state=Job.State.RUNNING, started_at=clock.now()):
        return
    job = Job.objects.select_related("requested_by").get(pk=job_id)
    mine = Job.objects.filter(pk=job_id, state=Job.State.RUNNING)

    def finish(state: Job.State, **values: object) -> None:
        mine.update(state=state, finished_at=clock.now(), **values)

    def report(progress: Problem) -> None:
        mine.update(progress=progress)

    try:
        with translation.override(job.language):
            result = json.dumps(kind_of(job).run(job, report))
    except JobFailed as failure:
        finish(Job.State.FAILED, problems=list(failure.problems))
    except Exception as error:
        finish(Job.State.FAILED, problems=[JOB_BROKEN(error=type(error).__name__)])
        raise
    else:
        finish(Job.State.DONE, encrypted_result=result)


def fail_abandoned(now: datetime) -> None:
    """Fail the jobs that have been under way for longer than one may take: their worker died."""
    abandoned = Job.objects.filter(state__in=_UNFINISHED, created_at__lt=now - ABANDONED_AFTER)
    abandoned.update(state=Job.State.FAILED, problems=[JOB_ABANDONED()], finished_at=now)


def delete_old(now: datetime) -> None:
    """Delete the jobs of more than a day before `now` (aware)."""
    Job.objects.filter(created_at__lt=now - KEPT_FOR).delete()
