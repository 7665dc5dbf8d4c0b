"""The table of staff actions: who may run each, what it audits, what its message says. Unlocking in time."""

import re
import threading
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.admin.sites import AdminSite
from django.contrib.auth.models import Group, User
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.test import RequestFactory
from django.urls import reverse

from accessmap.models import Controller, Door, Resource
from doorsync.admin.actions import WithStaffActions
from doorsync.controllers import unlock
from doorsync.models import Callback, ControllerCard, ControllerSync, ResourceSync, SchedulerState, UnmanagedCard
from doorsync.pages import actions
from portal import roles
from portal.audit.models import Entry
from portal.core import clock
from portal.core.problems import QUOTED

STAFF, INTEGRATOR, ADMINISTRATOR = roles.FACILITY_STAFF, roles.INTEGRATOR, roles.ADMINISTRATOR
ALLOWED = {
    "sync-controller": {STAFF, INTEGRATOR, ADMINISTRATOR},
    "suspend-controller": {STAFF, INTEGRATOR, ADMINISTRATOR},
    "resume-controller": {STAFF, INTEGRATOR, ADMINISTRATOR},
    "approve-plan": {STAFF, ADMINISTRATOR},
    "drop-plan": {STAFF, ADMINISTRATOR},
    "reconsider-plan": {STAFF, ADMINISTRATOR},
    "forget-controller": {INTEGRATOR, ADMINISTRATOR},
    "adopt-cards": {STAFF, ADMINISTRATOR},
    "fetch-resource": {STAFF, INTEGRATOR, ADMINISTRATOR},
    "accept-bookings": {STAFF, ADMINISTRATOR},
    "reprocess-callback": {STAFF, INTEGRATOR, ADMINISTRATOR},
    "unlock-door": {STAFF, ADMINISTRATOR},
}
BUTTONS = [action for action in actions.ACTIONS if action.button]
BULK = [action for action in actions.ACTIONS if action.bulk]


def by_name(action: actions.StaffAction) -> str:
    return action.name


@pytest.fixture
def as_role(client, place):
    def log_in(role):
        user, _made = User.objects.get_or_create(username=role, defaults={"is_staff": True})
        user.groups.set([Group.objects.get(name=role)])
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def undecided(place):
    """Something for each action to do."""
    box = controller()
    ControllerSync.objects.filter(controller=box).update(
        pending_plan={"pairs": [["1001", 1]]},
        dropped=[["1002", 1]],
        last_error=[QUOTED(text="1 card would lose doors.")],
    )
    ResourceSync.objects.filter(resource__external_id="room").update(
        pending_reason=[QUOTED(text="No bookings.")], pending_ids=["b1"]
    )
    UnmanagedCard.objects.create(controller=box, number="9999", wanted=True, first_seen_at=clock.now())
    ControllerCard.objects.create(controller=box, number="1001", state="pending", changed_at=clock.now())
    Callback.objects.create(body=b'{"secret": "words"}', outcome="asked", named_resource="room")


def controller() -> Controller:
    return Controller.objects.get(name="box")


def target(action: actions.StaffAction) -> Any:
    assert action.button is not None
    names = {Controller: {"name": "box"}, Door: {"name": "Room door"}, Resource: {"external_id": "room"}}
    return action.button.target._default_manager.get(**names.get(action.button.target, {}))


def key_of(client: Any, address: str) -> str:
    match = re.search(r'name="key" value="([^"]+)"', client.get(address).content.decode())
    assert match
    return match[1]


def press(client: Any, action: actions.StaffAction, **fields: str) -> Any:
    """Press an action's button, on its page of confirmation where it has one."""
    address = reverse(action.name, args=[target(action).pk])
    if action.button and action.button.confirm_template:
        fields["key"] = key_of(client, address)
    return client.post(address, fields, follow=True)


def test_the_table_names_every_action_once():
    assert [action.name for action in actions.ACTIONS] == list(ALLOWED)


@pytest.mark.parametrize("action", BUTTONS, ids=by_name)
def test_a_button_does_its_work_writes_its_event_and_shows_its_message(undecided, as_role, action):
    role = min(ALLOWED[action.name])
    answer = press(as_role(role), action, reason="A reason.")
    entry = Entry.objects.get(action=action.event)
    assert (entry.actor, entry.outcome) == (role, "done")
    (message,) = answer.context["messages"]
    assert message.level_tag == "success"
    assert str(message) == str(action.button.done) % {"object": target(action)}


@pytest.mark.parametrize("action", BUTTONS, ids=by_name)
def test_a_button_is_for_its_roles_and_is_shown_to_them_alone(undecided, as_role, action):
    if action is actions.RESUME_CONTROLLER:
        Controller.objects.update(enabled=False)
    row = target(action)
    address = reverse(action.name, args=[row.pk])
    form = reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_change", args=[row.pk])
    for role in roles.ROLES:
        client = as_role(role)
        assert (address in client.get(form).content.decode()) == (role in ALLOWED[action.name]), role
        if role not in ALLOWED[action.name]:
            assert client.post(address, {"reason": "x"}).status_code == 403, role
    assert not Entry.objects.filter(action=action.event).exists()
    assert as_role(ADMINISTRATOR).get(address).status_code == (200 if action.button.confirm_template else 405)


@pytest.mark.parametrize(
    "action", [action for action in BUTTONS if action.button and action.button.needs_reason], ids=by_name
)
def test_without_its_reason_a_button_does_nothing(undecided, as_role, action):
    answer = press(as_role(min(ALLOWED[action.name])), action, reason=" ")
    assert str(action.button.needs_reason) in answer.content.decode()
    assert not Entry.objects.filter(action=action.event).exists()


@pytest.mark.parametrize("action", BULK, ids=by_name)
def test_a_bulk_action_does_its_work_writes_its_event_and_shows_its_message(undecided, place, action):
    class Changelist(WithStaffActions):
        staff_actions = actions.ACTIONS

    changelist = Changelist(action.rows, AdminSite())
    offered: dict[str, set[str]] = {}
    for role in roles.ROLES:
        user = User.objects.create_user(role, is_staff=True)
        user.groups.set([Group.objects.get(name=role)])
        request = RequestFactory().post("/")
        request.user, request.session = user, {}
        request._messages = FallbackStorage(request)
        name = action.name.replace("-", "_")
        offered[role] = set(changelist.get_actions(request))
        assert (name in offered[role]) == (role in ALLOWED[action.name]), role
    run = changelist.get_actions(request)[name][0]  # the last role is the administrator's
    rows = action.rows._default_manager.all()
    chosen = (
        rows.filter(resource__external_id="room")
        if action.rows is ResourceSync
        else rows.filter(controller__name="box")
    )
    run(changelist, request, chosen)
    entry = Entry.objects.get(action=action.event)
    assert entry.actor == ADMINISTRATOR
    (message,) = get_messages(request)
    assert str(message) == str(action.bulk.done % {"n": 1})


def test_a_suspended_controller_is_not_reconciled_until_it_is_resumed(place, as_role):
    client = as_role(STAFF)
    place.fetch()
    client.post(reverse("suspend-controller", args=[controller().pk]), {"reason": "The door is being painted."})
    assert not controller().enabled
    assert place.reconcile() is None
    assert str(Entry.objects.get(action="controller.suspend").reasons) == "The door is being painted."
    client.post(reverse("resume-controller", args=[controller().pk]))
    assert place.reconcile().in_step


def test_a_plan_that_somebody_else_decided_is_not_decided_again(undecided, as_role):
    ControllerSync.objects.update(pending_plan=None)
    answer = press(as_role(STAFF), actions.APPROVE_PLAN)
    assert [message.level_tag for message in answer.context["messages"]] == ["warning"]
    assert not Entry.objects.filter(action="plan.approve").exists()


def test_a_controller_that_the_worker_has_not_seen_is_not_said_to_be_reconciled(place, as_role):
    ControllerSync.objects.all().delete()
    answer = press(as_role(STAFF), actions.SYNC_CONTROLLER)
    assert [message.level_tag for message in answer.context["messages"]] == ["warning"]


def test_a_dropped_plan_keeps_its_reasons(undecided, as_role):
    press(as_role(STAFF), actions.DROP_PLAN, reason="Offision's list was wrong.")
    reasons = [reason.params["text"] for reason in Entry.objects.get(action="plan.drop").reasons]
    assert reasons == ["Offision's list was wrong.", "1 card would lose doors."]


def test_a_callback_is_reprocessed_and_its_body_is_for_administrators(place, as_role):
    known = Callback.objects.create(body=b'{"secret": "words"}', outcome="asked", named_resource="room")
    unknown = Callback.objects.create(body=b"?", outcome="unreadable")
    page = reverse("admin:doorsync_callback_change", args=[known.pk])
    assert "secret" not in as_role(STAFF).get(page).content.decode()
    assert "secret" in as_role(ADMINISTRATOR).get(page).content.decode()
    before = place.room().generation
    client = as_role(STAFF)
    client.post(reverse("reprocess-callback", args=[known.pk]))
    assert place.room().generation == before + 1
    client.post(reverse("reprocess-callback", args=[unknown.pk]))
    assert SchedulerState.objects.get().full_resync_requested_at is not None


# Unlocking ----------------------------------------------------


def test_each_opening_of_the_page_unlocks_a_door_once(place, as_role):
    client = as_role(STAFF)
    page = reverse("unlock-door", args=[Door.objects.get(name="Room door").pk])
    key = key_of(client, page)
    for _ in range(2):
        client.post(page, {"key": key, "reason": "A parcel."})
    client.post(page, {"key": "made up", "reason": "A parcel."})
    assert not unlock.is_first(key), "used, whoever presses next"
    assert [event["kind"] for event in place.box("GET", "events?after=0")["events"]] == ["opened"]
    entry = Entry.objects.get(action="door.pulse")
    assert (entry.actor, entry.detail["reason"]) == (STAFF, "A parcel.")


@pytest.fixture
def silent(transactional_db, place, monkeypatch):
    """A driver whose pulse ends only when the test says so."""

    class Silent:
        released, ended = threading.Event(), threading.Event()
        error: Exception | None = None

    from doorsync.drivers.simulated.driver import SimulatedDriver

    pulse, close = SimulatedDriver.pulse, SimulatedDriver.close

    def slow_pulse(self, door, *, seconds, key):
        Silent.released.wait(30)
        if Silent.error:
            raise Silent.error
        pulse(self, door, seconds=seconds, key=key)

    def last_close(self):
        close(self)
        Silent.ended.set()

    monkeypatch.setattr(SimulatedDriver, "pulse", slow_pulse)
    monkeypatch.setattr(SimulatedDriver, "close", last_close)
    monkeypatch.setattr(unlock, "UNLOCK_SECONDS", 0.05)
    yield Silent
    Silent.released.set()


def test_a_silent_controller_keeps_nobody_waiting_and_a_late_unlocking_is_noted(silent, as_role, place):
    answer = press(as_role(STAFF), actions.UNLOCK_DOOR, reason="A parcel.")
    assert not silent.released.is_set(), "the answer came first"
    assert "It is not known whether Room door was unlocked" in answer.content.decode()
    entry = Entry.objects.get(action="door.pulse")
    assert entry.outcome == "failed"
    assert "No answer from the controller within 0.05 seconds." in str(entry.reasons)
    assert not silent.ended.is_set(), "its driver is still in use"
    silent.released.set()
    assert silent.ended.wait(10)
    late = Entry.objects.filter(action="door.pulse").order_by("id").last()
    assert (late.outcome, late.detail["key"]) == ("done", entry.detail["key"])
    assert "after the portal had stopped waiting" in str(late.reasons)
    assert [event["kind"] for event in place.box("GET", "events?after=0")["events"]] == ["opened"]


def test_a_call_that_ends_at_the_last_moment_counts(place, monkeypatch):
    """The function ends between the end of the wait and the look at it."""

    def wait_too_short(self, timeout=None):
        monkeypatch.undo()
        self.exception()
        raise TimeoutError

    monkeypatch.setattr(Future, "result", wait_too_short)
    driver = unlock.BoundedDriver(SimpleNamespace(), seconds=10)
    assert driver.call(lambda: "unlocked") == "unlocked"


def test_a_late_failure_adds_nothing_to_the_log(silent, as_role):
    silent.error = RuntimeError("broken")
    press(as_role(STAFF), actions.UNLOCK_DOOR, reason="A parcel.")
    silent.released.set()
    assert silent.ended.wait(10)
    assert Entry.objects.filter(action="door.pulse").count() == 1
