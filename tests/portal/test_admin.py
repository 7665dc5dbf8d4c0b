"""The admin, as each role sees it."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.urls import reverse

from accessmap.models import Card, Cardholder
from doorsync.models import Callback, ControllerCard, ControllerSync, ResourceSync, SchedulerState
from portal import roles
from portal.audit.models import record
from portal.core import clock

CHANGE = {
    roles.FACILITY_STAFF: {"accessmap.cardholder", "accessmap.resource", "doorsync.resourcesync"},
    roles.SECURITY: set(),
    roles.INTEGRATOR: {"accessmap.controller", "doorsync.controllersync"},
    roles.ADMINISTRATOR: {"accessmap.cardholder", "accessmap.controller", "auth.user"},
}


@pytest.fixture
def as_role(client, db):
    def log_in(role):
        user = User.objects.create_user(role, password="x", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        return user

    return log_in


@pytest.mark.parametrize("role", roles.ROLES)
def test_every_page_that_a_role_is_offered_opens(place, client, as_role, role):
    place.fetch()
    place.reconcile()
    Callback.objects.create(body=b"\xff{", outcome="unreadable")
    with transaction.atomic():
        record(actor="ann", action="work.requested", on=None)
    user = as_role(role)
    assert client.get(reverse("admin:index")).status_code == 200
    seen = 0
    for model, model_admin in admin.site._registry.items():
        allowed = user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}")
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert client.get(reverse(f"{name}_changelist")).status_code == (200 if allowed else 403), model
        row = model._default_manager.first()
        if allowed and row is not None:
            assert client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200, model
            seen += 1
        may_change = model_admin.opts.label_lower in CHANGE[role]
        if may_change:
            assert user.has_perm(f"{model._meta.app_label}.change_{model._meta.model_name}")
    assert seen > 10


def test_security_reads_everything_and_changes_nothing(as_role):
    user = as_role(roles.SECURITY)
    assert all(permission.split(".")[1].startswith("view_") for permission in user.get_all_permissions())
    assert user.has_perm("audit.view_entry")


def test_card_numbers_are_masked_where_nobody_needs_them(place, client, as_role):
    place.fetch()
    place.reconcile()
    as_role(roles.SECURITY)
    row = ControllerCard.objects.get(number="1001")
    for address in (
        reverse("admin:doorsync_controllercard_changelist"),
        reverse("admin:doorsync_controllercard_change", args=[row.pk]),
        reverse("admin:audit_entry_changelist"),
    ):
        assert "1001" not in client.get(address).content.decode()


def test_staff_have_a_controller_reconciled_and_security_cannot(place, client, as_role):
    address = reverse("admin:doorsync_controllersync_changelist")
    sync = ControllerSync.objects.get(controller__name="box")
    press = {"action": "sync_controller", "_selected_action": [sync.pk]}
    as_role(roles.SECURITY)
    client.post(address, press)
    assert ControllerSync.objects.get(pk=sync.pk).generation == sync.generation
    as_role(roles.FACILITY_STAFF)
    client.post(address, press)
    assert ControllerSync.objects.get(pk=sync.pk).generation == sync.generation + 1


def test_staff_enter_a_card_with_its_holder(client, as_role):
    as_role(roles.FACILITY_STAFF)
    answer = client.post(
        reverse("admin:accessmap_cardholder_add"),
        {
            "name": "Mei",
            "email": " mei@pier.example ",
            "cards-TOTAL_FORMS": 1,
            "cards-INITIAL_FORMS": 0,
            "cards-0-number": "1001",
            "cards-0-status": "active",
            "membership_set-TOTAL_FORMS": 0,
            "membership_set-INITIAL_FORMS": 0,
        },
    )
    assert answer.status_code == 302, answer.content.decode()
    assert Card.objects.get().cardholder == Cardholder.objects.get(email="mei@pier.example")


def test_what_is_wrong_stands_in_a_sentence(place, client, as_role):
    place.offision_fault("html")
    place.fetch()
    as_role(roles.SECURITY)
    page = client.get(reverse("admin:doorsync_resourcesync_changelist")).content.decode()
    assert "access was taken away" in page
    assert ResourceSync.objects.exclude(last_error=[]).count() == 1


@pytest.mark.django_db(transaction=True)  # the checks look from connections of their own
@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json"])
def test_health_answers_whoever_asks_and_however(client, accept):
    """A monitor that names no form gets an answer, too: well while somebody ticks, unwell while nobody does."""
    state, _created = SchedulerState.objects.get_or_create(pk=1)
    client.raise_request_exception = False
    answers = []
    for ticked_at in (None, clock.now()):
        SchedulerState.objects.filter(pk=state.pk).update(ticked_at=ticked_at)
        answers.append(client.get("/healthz", headers={"accept": accept}))
    assert [answer.status_code for answer in answers] == [500, 200]
    assert all(b"Worker" in answer.content for answer in answers), "it names what it looked at"


def test_health_and_metrics_tell_a_monitor_and_nobody_else(client, db, settings):
    assert client.get("/healthz", headers={"accept": "application/json"}).status_code == 500, "nobody ticks"
    assert client.get("/metrics").status_code == 404
    settings.METRICS_TOKEN = "t" * 20
    assert client.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 404
    answer = client.get("/metrics", headers={"authorization": f"Bearer {'t' * 20}"})
    assert b"portal_callbacks_refused_total" in answer.content


def test_an_administrator_makes_accounts_and_no_superusers(client, as_role):
    chief = User.objects.create_superuser("chief", password="a-long-password")
    me = as_role(roles.ADMINISTRATOR)
    assert client.get(reverse("admin:auth_user_change", args=[chief.pk])).status_code == 302, "it is not there for them"
    page = reverse("admin:auth_user_change", args=[me.pk])
    form = client.get(page).context["adminform"].form
    assert "is_superuser" not in form.fields
    assert "user_permissions" not in form.fields
    client.post(page, {"username": me.username, "is_superuser": "on", "is_staff": "on", "is_active": "on"})
    me.refresh_from_db()
    assert not me.is_superuser
    assert client.get(reverse("admin:auth_group_changelist")).status_code == 200
    assert client.get(reverse("admin:auth_group_add")).status_code == 403, "roles are not made by hand"


def test_integrators_do_not_approve_what_is_held(place, client, as_role):
    address = reverse("admin:doorsync_controllersync_changelist")
    sync = ControllerSync.objects.get(controller__name="box")
    ControllerSync.objects.filter(pk=sync.pk).update(pending_plan={"pairs": [["1001", 1]]})
    press = {"action": "approve_plan", "_selected_action": [sync.pk]}
    as_role(roles.INTEGRATOR)
    client.post(address, press)
    assert ControllerSync.objects.get(pk=sync.pk).approved == []
    as_role(roles.FACILITY_STAFF)
    client.post(address, press)
    assert ControllerSync.objects.get(pk=sync.pk).approved == [["1001", 1]]


def test_who_is_inside_is_for_those_who_count_people(place, client, as_role):
    page = reverse("inside-somewhere")
    assert client.get(page).status_code == 302, "first log in"
    as_role(roles.INTEGRATOR)
    assert client.get(page, follow=True).status_code == 403
    as_role(roles.SECURITY)
    assert "0 visitors inside" in client.get(page, follow=True).content.decode()


def test_a_turnstile_for_a_device_without_headers_gets_an_address_and_a_door_must_be_chosen(place, client, as_role):
    from visitors.models import Turnstile

    gate = Turnstile.objects.create(site=place.site(), name="gate", direction="in", protocol="vguang")
    as_role(roles.INTEGRATOR)
    press = {"action": "make_key", "_selected_action": [gate.pk]}
    content = client.post(reverse("admin:visitors_turnstile_changelist"), press, follow=True).content.decode()
    assert "/api/visitors/devices/" in content
    page = reverse("admin:visitors_turnstile_change", args=[gate.pk])
    form = client.get(page).context["adminform"].form
    fields = {name: form.initial.get(name) for name in form.fields if form.initial.get(name) is not None}
    inlines = {f"{prefix}-{part}": 0 for prefix in ("readers", "template") for part in ("TOTAL_FORMS", "INITIAL_FORMS")}
    sent = {**fields, **inlines, "sources": "10.0.0.0/8", "opens": "door"}
    assert "Choose the door" in client.post(page, sent).content.decode()
    assert client.post(page, {**sent, "opens": "answer", "sources": "10.0.0.300"}).status_code == 200
    assert client.post(page, {**sent, "opens": "answer"}).status_code == 302
    gate.refresh_from_db()
    assert gate.sources == ["10.0.0.0/8"]


def test_a_turnstile_that_lets_nobody_in_is_not_saved_without_a_word(place, client, as_role):
    as_role(roles.INTEGRATOR)
    page = reverse("admin:visitors_turnstile_add")
    form = client.get(page).context["adminform"].form
    assert form["statuses_in"].value() == ["checked_in"]
    fields = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    inlines = {f"{prefix}-{part}": 0 for prefix in ("readers", "template") for part in ("TOTAL_FORMS", "INITIAL_FORMS")}
    sent = {**fields, **inlines, "site": place.site().pk, "name": "gate", "direction": "in", "sources": ""}
    sent.pop("door", None)
    content = client.post(page, {**sent, "statuses_in": []}).content.decode()
    assert "nobody could pass this way" in content
    assert "10.1.2.0/24" in client.post(page, {**sent, "sources": "nonsense"}).content.decode()
    assert client.post(page, sent).status_code == 302


def test_roles_are_named_in_the_readers_language(client, as_role):
    user = as_role(roles.ADMINISTRATOR)
    for page in (reverse("admin:auth_user_change", args=[user.pk]), reverse("admin:auth_group_changelist")):
        content = client.get(page, headers={"accept-language": "zh-hant"}).content.decode()
        assert "設施管理人員" in content
        assert "Facility staff" not in content
