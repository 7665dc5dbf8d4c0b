"""Jobs: slow calls of staff that a worker runs, each once."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import translation
from django.utils.translation import gettext_lazy

from doorsync import tasks
from doorsync.models import Job
from doorsync.work import jobs
from doorsync.work.jobs import JobFailed, JobKind
from portal.core import clock
from portal.core.problems import QUOTED

SECRET = "mei@pier.example"


@pytest.fixture
def calls(monkeypatch):
    """The runs of the kind of this test."""
    return []


@pytest.fixture
def kind(calls, monkeypatch):
    def run(job, report):
        report(QUOTED(text="half way"))
        calls.append((job.params, translation.get_language(), str(Job.objects.get(pk=job.pk).progress)))
        if job.params.get("fail"):
            raise JobFailed(QUOTED(text="It is off."))
        if job.params.get("break"):
            raise RuntimeError("a bug")
        return {"n": 1, "who": SECRET}

    made = JobKind("test", "accessmap.view_door", gettext_lazy("Doors"), run)
    monkeypatch.setitem(jobs._kinds, "test", made)
    return made


@pytest.fixture
def woken(monkeypatch):
    """The jobs that a worker was woken for; none runs by itself."""
    woken = []
    monkeypatch.setattr(jobs, "wake_worker", lambda job_id, seconds=0: woken.append(job_id))
    return woken


@pytest.fixture
def ann(db):
    return User.objects.create_user("ann")


def start(kind, user, **params):
    return jobs.start(kind, user=user, label="Doors", params=params)


def test_a_job_runs_once_in_its_requesters_language(kind, calls, woken, ann):
    with translation.override("zh-hant"):
        job = start(kind, ann, door=1)
    assert woken == [job.pk]
    tasks.run_job(str(job.pk))
    tasks.run_job(str(job.pk))
    job.refresh_from_db()
    assert job.state == Job.State.DONE
    assert job.result == {"n": 1, "who": SECRET}
    assert calls == [({"door": 1}, "zh-hant", "half way")]


def test_a_second_click_gets_the_job_that_is_under_way(kind, woken, ann):
    first = start(kind, ann, door=1)
    assert start(kind, ann, door=1) == first
    assert start(kind, ann, door=2) != first
    assert start(kind, User.objects.create_user("ben"), door=1) != first
    assert len(woken) == 3
    jobs.run(first.pk)
    assert start(kind, ann, door=1) != first, "it is finished"


def test_a_failure_is_kept_as_problems(kind, woken, ann):
    job = start(kind, ann, fail=True)
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, str(job.problems), job.result) == (Job.State.FAILED, "It is off.", {})


def test_a_bug_ends_the_job_and_reaches_the_log(kind, woken, ann):
    job = start(kind, ann, **{"break": True})
    with pytest.raises(RuntimeError):
        jobs.run(job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    assert "RuntimeError" in str(job.problems)


def test_a_result_is_encrypted_in_the_database(kind, woken, ann):
    jobs.run(start(kind, ann).pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT job::text FROM doorsync_job AS job")
        assert SECRET not in str(cursor.fetchall())


def test_a_lost_message_is_sent_again_while_somebody_looks(kind, woken, ann):
    job = start(kind, ann)
    now = clock.now()
    assert not jobs.is_unanswered(job, now)
    later = now + jobs.SILENT_AFTER + timedelta(seconds=1)
    assert jobs.is_unanswered(job, later)
    assert jobs.is_unanswered(job, later)
    assert woken == [job.pk, job.pk], "again, and not with every look"
    jobs.run(job.pk)
    job.refresh_from_db()
    assert not jobs.is_unanswered(job, later)


def test_a_job_whose_worker_died_does_not_block_the_next(kind, woken, ann):
    job = start(kind, ann)
    Job.objects.update(state=Job.State.RUNNING, created_at=clock.now() - 2 * jobs.ABANDONED_AFTER)
    assert start(kind, ann) != job
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    assert "The worker stopped" in str(job.problems)


def test_jobs_are_deleted_after_a_day(kind, woken, ann):
    job = start(kind, ann)
    Job.objects.update(created_at=clock.now() - jobs.KEPT_FOR - timedelta(seconds=1))
    start(kind, ann, door=2)
    assert not Job.objects.filter(pk=job.pk).exists()


def test_jobs_leave_the_worker_threads_for_doors(kind, woken, ann):
    for door in range(jobs.AT_ONCE):
        start(kind, ann, door=door)
    Job.objects.update(state=Job.State.RUNNING, started_at=clock.now())
    job = start(kind, ann)
    jobs.run(job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.WAITING
    assert woken[-2:] == [job.pk, job.pk], "it is tried again"
    assert not jobs.is_unanswered(job, clock.now() + 2 * jobs.SILENT_AFTER), "the worker is there, and busy"
    Job.objects.exclude(pk=job.pk).update(state=Job.State.DONE)
    jobs.run(job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.DONE
