"""The buttons at controllers, resources, doors and callbacks: who may press them, and what they do."""

import re

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from accessmap.models import Controller, Door, Resource
from doorsync.controllers import unlock
from doorsync.models import Callback, ControllerSync, SchedulerState
from portal import roles
from portal.audit.models import Entry
from portal.core.problems import QUOTED


@pytest.fixture
def as_role(client, place):
    def log_in(role):
        user, _made = User.objects.get_or_create(username=role, defaults={"is_staff": True})
        user.groups.set([Group.objects.get(name=role)])
        client.force_login(user)
        return client

    return log_in


def box():
    return Controller.objects.get(name="box")


def door():
    return Door.objects.get(name="Room door")


def test_a_preview_reads_and_writes_nothing(place, as_role):
    place.fetch()
    place.box("PUT", "cards/9999", {"doors": {"2": [[None, None]]}})
    page = as_role(roles.SECURITY).get(reverse("preview-controller", args=[box().pk]))
    assert page.status_code == 200
    said = page.content.decode()
    assert said.count("to be added") == 3
    assert "unmanaged" in said
    assert "1001" not in said
    assert set(place.cards()) == {"9999"}
    place.box("PUT", "faults", {"down": True})
    assert "errornote" in as_role(roles.SECURITY).get(reverse("preview-controller", args=[box().pk])).content.decode()


def test_a_suspended_controller_is_left_alone_with_a_reason_until_it_is_resumed(place, as_role):
    client = as_role(roles.FACILITY_STAFF)
    place.fetch()
    client.post(reverse("suspend-controller", args=[box().pk]), {"reason": " "})
    assert box().enabled, "not without a reason"
    client.post(reverse("suspend-controller", args=[box().pk]), {"reason": "The door is being painted."})
    assert not box().enabled
    assert place.reconcile() is None
    assert str(Entry.objects.get(action="controller.suspend").reasons) == "The door is being painted."
    client.post(reverse("resume-controller", args=[box().pk]))
    assert place.reconcile().in_order


@pytest.mark.parametrize(
    ("name", "row", "allowed"),
    [
        ("sync-controller", box, {roles.FACILITY_STAFF, roles.INTEGRATOR, roles.ADMINISTRATOR}),
        ("suspend-controller", box, {roles.FACILITY_STAFF, roles.INTEGRATOR, roles.ADMINISTRATOR}),
        ("approve-plan", box, {roles.FACILITY_STAFF, roles.ADMINISTRATOR}),
        ("drop-plan", box, {roles.FACILITY_STAFF, roles.ADMINISTRATOR}),
        ("take-up-plan", box, {roles.FACILITY_STAFF, roles.ADMINISTRATOR}),
        (
            "fetch-resource",
            lambda: Resource.objects.get(external_id="room"),
            {roles.FACILITY_STAFF, roles.INTEGRATOR, roles.ADMINISTRATOR},
        ),
        ("unlock-door", door, {roles.FACILITY_STAFF, roles.ADMINISTRATOR}),
    ],
)
def test_each_button_is_for_its_roles_and_is_shown_to_them_alone(place, as_role, name, row, allowed):
    for role in roles.ROLES:
        client = as_role(role)
        address = reverse(name, args=[row().pk])
        ControllerSync.objects.update(pending_plan={"pairs": [["1001", 1]]}, dropped=[["1002", 1]])
        form = reverse(f"admin:{row()._meta.label_lower.replace('.', '_')}_change", args=[row().pk])
        assert (address in client.get(form).content.decode()) == (role in allowed), role
        assert (client.post(address, {"reason": ""}).status_code == 403) == (role not in allowed), role
    assert as_role(roles.ADMINISTRATOR).get(reverse("sync-controller", args=[box().pk])).status_code == 405


def test_a_door_is_unlocked_for_a_reason_and_once(place, as_role):
    client = as_role(roles.FACILITY_STAFF)
    page = reverse("unlock-door", args=[door().pk])
    key = re.search(r'name="key" value="([^"]+)"', client.get(page).content.decode()).group(1)
    assert "Say why" in client.post(page, {"key": key}).content.decode()
    for _ in range(2):
        client.post(page, {"key": key, "reason": "A parcel."})
    client.post(page, {"key": "made up", "reason": "A parcel."})
    assert not unlock.is_first(key), "used, whoever asks next"
    assert [e["kind"] for e in place.box("GET", "events?after=0")["events"]] == ["opened"]
    entry = Entry.objects.get(action="door.pulse")
    assert (entry.actor, entry.detail["reason"]) == (roles.FACILITY_STAFF, "A parcel.")


def test_a_callback_is_looked_at_again_and_its_words_are_for_administrators(place, as_role):
    known = Callback.objects.create(body=b'{"secret": "words"}', outcome="enqueued", named_resource="room")
    lost = Callback.objects.create(body=b"?", outcome="unreadable")
    page = reverse("admin:doorsync_callback_change", args=[known.pk])
    assert "secret" not in as_role(roles.FACILITY_STAFF).get(page).content.decode()
    assert "secret" in as_role(roles.ADMINISTRATOR).get(page).content.decode()
    before = place.room().generation
    client = as_role(roles.FACILITY_STAFF)
    client.post(reverse("reprocess-callback", args=[known.pk]))
    assert place.room().generation == before + 1
    client.post(reverse("reprocess-callback", args=[lost.pk]))
    assert SchedulerState.objects.get().full_resync_wanted_at is not None
    assert as_role(roles.SECURITY).post(reverse("reprocess-callback", args=[known.pk])).status_code == 403


def test_a_plan_is_dropped_for_a_reason(place, as_role):
    ControllerSync.objects.update(
        pending_plan={"pairs": [["1001", 1]]}, last_error=[QUOTED(text="1 card would lose doors.")]
    )
    client = as_role(roles.FACILITY_STAFF)
    client.post(reverse("drop-plan", args=[box().pk]), {"reason": " "})
    assert not Entry.objects.filter(action="plan.drop").exists()
    client.post(reverse("drop-plan", args=[box().pk]), {"reason": "Offision's list was wrong."})
    said = [one.params["text"] for one in Entry.objects.get(action="plan.drop").reasons]
    assert said == ["Offision's list was wrong.", "1 card would lose doors."]
