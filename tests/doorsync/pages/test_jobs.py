"""The page of a job, and the calls that staff start: preview, connection test, list of resources."""

import threading
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from accessmap.models import Controller
from doorsync.models import Job
from doorsync.work import jobs
from portal import roles
from portal.core import clock
from portal.core.problems import QUOTED


@pytest.fixture
def as_role(client, place):
    def log_in(role):
        user, _made = User.objects.get_or_create(username=role, defaults={"is_staff": True})
        user.groups.set([Group.objects.get(name=role)])
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def unanswered(place, monkeypatch):
    """No worker takes a job by itself. The jobs that one was woken for."""
    woken: list[Any] = []
    monkeypatch.setattr(jobs, "wake_worker", woken.append)
    return woken


def controller() -> Controller:
    return Controller.objects.get(name="box")


def preview() -> str:
    return reverse("preview-controller", args=[controller().pk])


def test_a_preview_reads_and_writes_nothing(place, as_role):
    place.fetch()
    place.box("PUT", "cards/9999", {"doors": {"2": [[None, None]]}})
    page = as_role(roles.SECURITY).get(preview(), follow=True)
    assert page.status_code == 200
    text = page.content.decode()
    assert text.count("to be added") == 3
    assert "unmanaged" in text
    assert "1001" not in text
    assert set(place.cards()) == {"9999"}
    place.box("PUT", "faults", {"down": True})
    assert "errornote" in as_role(roles.SECURITY).get(preview(), follow=True).content.decode()


def test_a_job_shows_its_progress_and_then_its_result(unanswered, as_role):
    client = as_role(roles.SECURITY)
    address = client.get(preview()).url
    assert client.get(preview()).url == address, "a double click"
    job = Job.objects.get()
    page = client.get(address).content.decode()
    assert "Waiting for the worker." in page
    assert roles.SECURITY in page
    progress = reverse("job-progress", args=[job.pk])
    assert client.get(progress).json() == {
        "finished": False,
        "progress": "Waiting for the worker.",
        "no_worker": False,
    }
    jobs.run(job.pk)
    assert client.get(progress).json()["finished"] is True
    assert "to be added" in client.get(address).content.decode()


def test_a_silent_worker_is_named(unanswered, as_role):
    client = as_role(roles.SECURITY)
    address = client.get(preview()).url
    assert '<div id="no-worker" hidden>' in client.get(address).content.decode()
    with clock.stopped_at(clock.now() + 2 * jobs.SILENT_AFTER):
        assert '<div id="no-worker">' in client.get(address).content.decode()
        assert client.get(reverse("job-progress", args=[Job.objects.get().pk])).json()["no_worker"] is True
    assert len(unanswered) == 2, "woken again"


def test_a_job_whose_worker_died_ends_while_somebody_looks(unanswered, as_role):
    client = as_role(roles.SECURITY)
    address = client.get(preview()).url
    Job.objects.update(state=Job.State.RUNNING)
    with clock.stopped_at(clock.now() + 2 * jobs.ABANDONED_AFTER):
        assert client.get(f"{address}progress/").json()["finished"] is True
        assert "The worker stopped" in client.get(address, follow=True).content.decode()


def test_a_job_is_for_its_requester_and_superusers(unanswered, as_role, client):
    requester = as_role(roles.SECURITY)
    address = requester.get(preview()).url
    progress = f"{address}progress/"
    assert requester.get(address).status_code == 200
    User.objects.get(username=roles.SECURITY).groups.clear()
    assert [client.get(url).status_code for url in (address, progress)] == [404, 404], "the permission is gone"
    other = as_role(roles.ADMINISTRATOR)
    assert [other.get(url).status_code for url in (address, progress)] == [404, 404]
    client.force_login(User.objects.create_superuser("chief"))
    assert [client.get(url).status_code for url in (address, progress)] == [200, 200]
    client.logout()
    assert client.get(address).status_code == 302


def test_each_call_needs_its_permission(place, as_role):
    for role in roles.ROLES:
        client = as_role(role)
        may_test = role in (roles.INTEGRATOR, roles.ADMINISTRATOR)
        answer = client.post(reverse("test-controller", args=[controller().pk]))
        assert (answer.status_code == 302) == may_test, role
        may_fetch = role != roles.SECURITY
        assert (client.post(reverse("fetch-resources")).status_code == 302) == may_fetch, role
        assert client.get(reverse("fetch-resources")).status_code == 405


def test_the_list_of_resources_is_fetched_and_counted(place, as_role):
    client = as_role(roles.FACILITY_STAFF)
    text = client.post(reverse("fetch-resources"), follow=True).content.decode()
    assert "Offision lists 3 resources; the map does not know 0 of them." in text
    place.offision_fault("error")
    answer = client.post(reverse("fetch-resources"), follow=True)
    assert [message.level_tag for message in answer.context["messages"]] == ["error"]


def test_no_device_is_called_in_the_thread_of_the_page(place, as_role, monkeypatch):
    """The page answers while the worker's call still hangs at the controller."""
    from doorsync.drivers.simulated.driver import SimulatedDriver

    threads = []
    read = SimulatedDriver.info
    monkeypatch.setattr(SimulatedDriver, "info", lambda self: threads.append(threading.current_thread()) or read(self))
    waiting = []
    monkeypatch.setattr(jobs, "wake_worker", waiting.append)
    client = as_role(roles.ADMINISTRATOR)
    setup = reverse("setup-step", args=["controller"])
    for answer in (
        client.get(preview(), follow=True),
        client.post(reverse("test-controller", args=[controller().pk]), follow=True),
        client.post(setup, {"controller": controller().pk}, follow=True),
    ):
        assert "Waiting for the worker." in answer.content.decode()
    assert not threads
    assert len(waiting) == 3


@pytest.mark.django_db(transaction=True)
def test_the_page_follows_the_job_by_itself(browser_page, live_server, unanswered, as_role):
    """In a real browser on a phone: progress, a silent worker, the result."""
    client = as_role(roles.SECURITY)
    page = browser_page
    page.set_viewport_size({"width": 390, "height": 800})
    cookie = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    page.goto(live_server.url + preview())
    assert page.locator("#progress").inner_text() == "Waiting for the worker."
    assert page.locator("#no-worker").is_hidden()
    job = Job.objects.get()
    Job.objects.update(progress=[QUOTED(text="Half way.")], created_at=clock.now() - 2 * jobs.SILENT_AFTER)
    page.get_by_text("Half way.").wait_for()
    page.get_by_text("The worker does not answer.").wait_for()
    jobs.run(job.pk)
    page.get_by_text("Read it again").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
