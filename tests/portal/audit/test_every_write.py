"""Every write that staff or a program can make leaves an entry: each admin, each action and page, each REST method.

What is registered is walked; a new admin, action, page or method without a row in the tables here fails.
"""

import json
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms import MultiWidget
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from accessmap.api.models import ApiKey, Scope
from accessmap.imports import service
from accessmap.models import AccessLevel, Card, Cardholder, Controller, Door, MapImport, Resource, Site
from doorsync import models as sync
from doorsync.pages.actions import StaffAction
from doorsync.setup import jobs
from portal import roles
from portal.audit.models import Entry
from portal.core import clock
from portal.core.problems import QUOTED
from visitors.models import Turnstile

# What is filled in beside the form's own values. None: nobody adds, or nobody changes, such rows in the admin.
FORMS: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None]] = {
    "accessmap.Site": ({"name": "Two", "time_zone": "UTC"}, {"name": "Three"}),
    "accessmap.AccessLevel": ({"name": "Guests"}, {"name": "Visitors"}),
    "accessmap.Cardholder": ({"name": "Nan"}, {"name": "Nancy"}),
    "accessmap.Card": (None, {"status": "returned"}),
    "accessmap.Controller": (
        {"site": 0, "name": "third", "driver": "simulated"},
        {"name": "fourth", "option_url": "http://127.0.0.1:9"},
    ),
    "accessmap.Door": ({"controller": 0, "number": 9, "name": "Back door"}, {"name": "Front door"}),
    "accessmap.AccessPolicy": ({"name": "guests"}, {"lead_minutes": 5}),
    "accessmap.Resource": ({"site": 0, "external_id": "loft", "name": "Loft", "policy": 0}, {"name": "Attic two"}),
    "accessmap.MapImport": ({"kind": "people", "file": b"email,name\nnan@pier.example,Nan\n"}, None),
    "api.ApiKey": ({"name": "HR", "scopes": ["read:doors"]}, {"revoked": "on"}),
    "doorsync.Recipient": ({"name": "desk", "email": "desk@pier.example"}, {"digest_hour": 9}),
    "visitors.Turnstile": ({"site": 0, "name": "gate", "direction": "in", "sources": ""}, {"name": "exit"}),
    "auth.User": (
        {"username": "bob", "usable_password": "true", "password1": "a-long-password", "password2": "a-long-password"},
        {"first_name": "Bob"},
    ),
}
# The actions of the lists, and the code of the entry that each leaves.
ACTIONS = {
    "accessmap.Card.report_lost": "card.lost",
    "doorsync.ResourceSync.fetch_resource": "work.requested",
    "doorsync.ResourceSync.accept_bookings": "bookings.approve",
    "doorsync.ControllerSync.sync_controller": "work.requested",
    "doorsync.ControllerSync.approve_plan": "plan.approve",
    "doorsync.ControllerSync.forget_controller": "controller.forget",
    "doorsync.UnmanagedCard.adopt_cards": "card.adopt",
    "doorsync.Recipient.send_test": "recipient.test",
    "visitors.Turnstile.make_key": "turnstile.key",
    "visitors.Turnstile.pair_kiosk": "kiosk.pairing",
    "visitors.Turnstile.unpair_kiosks": "visitors.turnstilekey.changed",
}
# The pages beside the admin's own that do something: whose key their address has, what is posted, the code.
PAGES: dict[str, tuple[str, dict[str, Any], str]] = {
    "fix-person": ("", {"email": "nan@pier.example", "name": "Nan", "number": "5005"}, "card.given"),
    "fix-room": ("", {"external_id": "loft", "name": "Loft", "door": 0, "policy": 0}, "door.given"),
    "sync-controller": ("controller", {}, "work.requested"),
    "suspend-controller": ("controller", {"reason": "Painted."}, "controller.suspend"),
    "resume-controller": ("controller", {}, "controller.resume"),
    "approve-plan": ("controller", {}, "plan.approve"),
    "drop-plan": ("controller", {"reason": "Wrong."}, "plan.drop"),
    "reconsider-plan": ("controller", {}, "plan.reconsider"),
    "fetch-resource": ("resource", {}, "work.requested"),
    "reprocess-callback": ("callback", {}, "callback.reprocess"),
    "unlock-door": ("door", {"reason": "A visitor."}, "door.pulse"),
    "test-controller": ("controller", {}, "controller.test"),
}
READ_ONLY_PAGES = {
    "boards",
    "board",
    "explain",
    "coverage",
    "job",
    "job-progress",
    "preview-controller",
    "inside",
    "inside-somewhere",
    "fetch-resources",  # starts a job that reads Offision's list; only the list of unmapped resources follows it
}
# The pages that an admin has beside Django's own: the method, the rest of the address, the code. None: only looks, or
# changes no row that the log covers.
ADMIN_PAGES: dict[str, tuple[str, list[str], str] | None] = {
    "accessmap_cardholder_sheet": ("get", ["csv"], "map.export"),
    "accessmap_resource_sheet": ("get", ["csv"], "map.export"),
    "accessmap_card_lost": ("post", ["{card}"], "card.lost"),
    "accessmap_card_number": ("post", ["{card}"], "card.number_shown"),
    "accessmap_mapimport_carry_out": ("post", ["{checked}"], "map.import"),
    "accessmap_mapimport_undo": ("post", ["{imported}"], "map.import_undone"),
    "accessmap_mapimport_drop": None,  # a sheet that was never imported
} | dict.fromkeys(
    # What they do is in test_putting_back_a_deleted_row.
    [
        f"accessmap_{model}_deleted"
        for model in ("accesslevel", "accesspolicy", "card", "cardholder", "door", "resource", "site")
    ]
)
# The steps of the setup that do something: what is posted, the code.
SETUP_STEPS: dict[str, tuple[dict[str, Any], str]] = {
    "contract": ({"resource": "room"}, "contract.check"),
    "subscription": ({}, "subscription.look"),
    "callback": ({}, "callback.test"),
    "controller": ({"controller": 0}, "controller.test"),
    "permission": ({}, "permission.read_back"),
}
# Methods of REST: the path, the body, the code.
REST: dict[str, list[tuple[str, dict[str, Any] | None, str]]] = {
    "api-cardholders POST": [
        ("cardholders", {"name": "Nan", "email": "nan@pier.example"}, "accessmap.cardholder.added")
    ],
    "api-cardholder PATCH": [("cardholders/{cardholder}", {"name": "Nancy"}, "accessmap.cardholder.changed")],
    "api-cardholder DELETE": [("cardholders/{cardholder}", None, "accessmap.cardholder.deleted")],
    "api-bulk PUT": [
        (
            "cardholders/bulk",
            {"cardholders": [{"email": "nan@pier.example", "name": "N"}]},
            "accessmap.cardholder.added",
        )
    ],
    "api-cards POST": [("cards", {"cardholder": "{cardholder}", "number": "7007"}, "accessmap.card.added")],
    "api-card PATCH": [("cards/{card}", {"status": "lost"}, "accessmap.card.changed")],
    "api-card DELETE": [("cards/{card}", None, "accessmap.card.deleted")],
}


@pytest.fixture
def administrator(client, place):
    """Somebody with the role, in a building where each act has something to act on."""
    user = User.objects.create_user(roles.ADMINISTRATOR, is_staff=True)
    user.groups.add(Group.objects.get(name=roles.ADMINISTRATOR))
    client.force_login(user)
    box = Controller.objects.get(name="box")
    Controller.objects.filter(name="old").update(enabled=False)
    sync.ControllerSync.objects.filter(controller=box).update(
        pending_plan={"pairs": [["1001", 1]]}, dropped=[["1003", 1]], serial="1"
    )
    sync.UnmanagedCard.objects.create(controller=box, number="9999", wanted=False, first_seen_at=clock.now())
    sync.Recipient.objects.create(name="night desk", email="night@pier.example")
    sync.Callback.objects.create(body=b"{}", outcome="unreadable")
    return user


def latest() -> int:
    return Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0


def filled(form: Any) -> dict[str, Any]:
    """What a browser would post of a form that nobody has touched."""
    posted: dict[str, Any] = {}
    for bound in form:
        widget = getattr(bound.field.widget, "widget", bound.field.widget)
        value = bound.value()
        if isinstance(widget, MultiWidget):
            posted |= {f"{bound.html_name}_{n}": part or "" for n, part in enumerate(widget.decompress(value) or ())}
        elif value is True:
            posted[bound.html_name] = "on"
        elif value is not None and value is not False:
            posted[bound.html_name] = value
    return posted


def posted_form(page: Any, values: dict[str, Any]) -> dict[str, Any]:
    if "adminform" not in page.context:
        return values
    posted = filled(page.context["adminform"].form)
    for formset in page.context.get("inline_admin_formsets", []):
        posted |= filled(formset.formset.management_form)
        for form in formset.formset.forms:
            posted |= filled(form)
    return posted | values


def errors(answer: Any) -> Any:
    """What the form says that is wrong, or the status of a redirect."""
    if not answer.context or "adminform" not in answer.context:
        return answer.status_code
    return answer.context["errors"]


def completed(values: dict[str, Any]) -> dict[str, Any]:
    """The values, with the keys of rows that are in the building for zeros and files for bytes."""
    rows: dict[str, Any] = {
        "site": Site.objects.first,
        "controller": Controller.objects.first,
        "policy": lambda: Resource.objects.all()[0].policy,
        "door": Door.objects.first,
    }
    return {
        name: rows[name]().pk
        if value == 0
        else SimpleUploadedFile("people.csv", value)
        if isinstance(value, bytes)
        else value
        for name, value in values.items()
    }


def written_since(before: int, label: str, write: str) -> bool:
    code = f"{label.lower()}.{write}"
    return Entry.objects.filter(id__gt=before, action=code, actor=roles.ADMINISTRATOR).exists()


MODELS = sorted(model._meta.label for model in admin.site._registry)


@pytest.mark.parametrize("label", MODELS)
def test_every_admin(administrator, client, rf, label):
    (model,) = (model for model in admin.site._registry if model._meta.label == label)
    model_admin = admin.site._registry[model]
    request = rf.get("/")
    request.user = administrator
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    may = {act: getattr(model_admin, f"has_{act}_permission")(request) for act in ("add", "change", "delete")}
    if not any(may.values()):
        return
    assert label in FORMS, f"{label} can be written in the admin: say how, so that its entries are tested"
    added, changed = FORMS[label]
    if may["add"]:
        assert added is not None
        before, page = latest(), reverse(f"{name}_add")
        keys = set(model._default_manager.values_list("pk", flat=True))
        answer = client.post(page, posted_form(client.get(page), completed(added)))
        assert written_since(before, label, "added"), errors(answer)
        row = model._default_manager.exclude(pk__in=keys).get()
    else:
        row = model._default_manager.first()
    if may["change"]:
        assert changed is not None
        before, page = latest(), reverse(f"{name}_change", args=[row.pk])
        answer = client.post(page, posted_form(client.get(page), changed))
        assert written_since(before, label, "changed"), errors(answer)
    if may["delete"]:
        before = latest()
        answer = client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"})
        assert written_since(before, label, "deleted"), errors(answer)


# Of django-axes; no role may use it.
_OF_LIBRARIES = {"axes.AccessAttempt.cleanup_expired_attempts"}


def _function_name(action: StaffAction) -> str:
    return action.name.replace("-", "_")


def actions() -> list[str]:
    names = {
        f"{model._meta.label}.{action}"
        for model, of in admin.site._registry.items()
        for action in [
            *(of.actions or ()),
            *(staff.name.replace("-", "_") for staff in getattr(of, "staff_actions", ())),
        ]
    }
    return sorted(names - _OF_LIBRARIES)


@pytest.mark.parametrize("action", actions())
def test_every_action(administrator, client, action):
    assert action in ACTIONS, "say which entry it leaves"
    label, name = action.rsplit(".", 1)
    (model,) = (model for model in admin.site._registry if model._meta.label == label)
    rows = model._default_manager.order_by("pk")
    if label == "visitors.Turnstile":
        gate = Turnstile.objects.create(site=Site.objects.get(), name="gate", direction="in")
        if name == "unpair_kiosks":
            gate.keys.create(id="x.y", prefix="x", hashed_key="y", name="tablet", kiosk=True)
    elif label == "doorsync.ResourceSync" and name == "accept_bookings":
        _make_pending()
    before = latest()
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    client.post(address, {"action": name, "_selected_action": [row.pk for row in rows]})
    assert Entry.objects.filter(id__gt=before, action=ACTIONS[action], actor=roles.ADMINISTRATOR).exists()


def _make_pending() -> None:
    row: Any
    for row in sync.ResourceSync.objects.all():
        row.pending_reason = QUOTED(text="Most bookings are gone.")
        row.save()


def pages() -> set[str]:
    """The pages of staff that are not the admin's own, by name."""
    return {
        str(pattern.name)
        for resolver in get_resolver().url_patterns
        for pattern in getattr(resolver, "url_patterns", [resolver])
        if isinstance(pattern, URLPattern) and pattern.name and str(resolver.pattern).startswith("admin/")
        if not getattr(resolver, "namespace", None)
    }


def test_every_page_is_known():
    assert pages() == PAGES.keys() | READ_ONLY_PAGES


@pytest.mark.parametrize("name", PAGES)
def test_every_page_that_does_something(administrator, client, name):
    kind, posted, code = PAGES[name]
    rows: dict[str, Any] = {
        "controller": Controller.objects.get(name="box"),
        "resource": Resource.objects.get(external_id="room"),
        "callback": sync.Callback.objects.first(),
        "door": Door.objects.get(name="Room door"),
    }
    address = reverse(name, args=[rows[kind].pk] if kind else [])
    if name == "unlock-door":
        posted = {**posted, "key": client.get(address).context["key"]}
    before = latest()
    client.post(address, completed(posted))
    assert Entry.objects.filter(id__gt=before, action=code, actor=roles.ADMINISTRATOR).exists()


def rest_methods() -> set[str]:
    resolvers: list[Any] = [one for one in get_resolver().url_patterns if str(one.pattern) == "api/v1/"]
    return {
        f"{pattern.name} {method.upper()}"
        for resolver in resolvers
        for pattern in getattr(resolver, "url_patterns", ())
        if pattern.name
        for method in ("post", "put", "patch", "delete")
        if hasattr(getattr(pattern.callback, "view_class", None), method)
    }


def test_every_rest_method_is_known():
    assert rest_methods() == REST.keys()


@pytest.mark.parametrize("method", REST)
def test_every_rest_method(place, method):
    key, secret = ApiKey.objects.create_key(name="HR", scopes=list(Scope))
    card = Card.objects.get(number="1001")
    keys = {"card": card.pk, "cardholder": card.cardholder_id}
    for path, body, code in REST[method]:
        before = latest()
        sent = json.dumps(body).replace('"{cardholder}"', str(card.cardholder_id)) if body is not None else ""
        answer = Client().generic(
            method.split()[1],
            f"/api/v1/{path.format(**keys)}",
            sent,
            content_type="application/json",
            headers={"authorization": f"Api-Key {secret}"},
        )
        assert answer.status_code < 300, answer.content
        assert Entry.objects.filter(id__gt=before, action=code, actor=key.actor).exists()


def admin_pages() -> set[str]:
    """The names of the admin's pages, without Django's own."""
    own = ("changelist", "add", "history", "delete", "change")
    return {
        pattern.name
        for of in admin.site._registry.values()
        for pattern in of.get_urls()
        if isinstance(pattern, URLPattern) and pattern.name and not pattern.name.endswith(own)
    }


def test_every_page_of_an_admin_is_known():
    assert admin_pages() == ADMIN_PAGES.keys()


@pytest.mark.parametrize("name", [name for name, does in ADMIN_PAGES.items() if does])
def test_every_page_of_an_admin(administrator, client, name, monkeypatch):
    method, arguments, code = ADMIN_PAGES[name]
    monkeypatch.setattr(service, "wake_worker", service.work_on_import)
    rows = {"card": Card.objects.get(number="1001").pk}
    if name.startswith("accessmap_mapimport"):
        rows["checked"] = rows["imported"] = uploaded(administrator).pk
        if arguments == ["{imported}"]:
            service.carry_out(rows["imported"], user=administrator)
    before = latest()
    address = reverse(f"admin:{name}", args=[argument.format(**rows) for argument in arguments])
    answer = client.generic(method.upper(), address)
    assert answer.status_code < 400, answer.content
    assert Entry.objects.filter(id__gt=before, action=code, actor=roles.ADMINISTRATOR).exists()


def uploaded(user: User) -> MapImport:
    """A sheet that adds Nan with a card, checked."""
    content = b"email,name,cards,access levels\nnan@pier.example,Nan,5005,\n"
    row = service.upload(kind="people", name="people.csv", content=content, user=user)
    service.work_on_import(row.pk)
    return row


def test_putting_back_a_deleted_row(administrator, client):
    level = AccessLevel.objects.create(name="Guests")
    level.delete()
    page = reverse("admin:accessmap_accesslevel_deleted")
    change, _may = client.get(page).context["changes"][0]
    before = latest()
    client.post(page, {"model": change.model, "event": change.event_id})
    written = Entry.objects.filter(id__gt=before, actor=roles.ADMINISTRATOR).values_list("action", flat=True)
    assert set(written) == {"history.put_back", "accessmap.accesslevel.added"}


def test_every_step_of_the_setup_is_known():
    assert jobs.STEPS.keys() == SETUP_STEPS.keys()


@pytest.mark.parametrize("key", SETUP_STEPS)
def test_every_step_of_the_setup(administrator, client, key):
    posted, code = SETUP_STEPS[key]
    before = latest()
    client.post(reverse("setup-step", args=[key]), completed(posted))
    assert Entry.objects.filter(id__gt=before, action=code, actor=roles.ADMINISTRATOR).exists()


def test_an_import_and_its_undoing_are_recorded_row_by_row(administrator, place):
    row = uploaded(administrator)
    service.carry_out(row.pk, user=administrator)
    service.work_on_import(row.pk)
    nan = Cardholder.objects.get(email="nan@pier.example")
    service.undo(row.pk, user=administrator)
    service.work_on_import(row.pk)
    assert MapImport.objects.get(pk=row.pk).state == MapImport.State.UNDONE
    for write in ("added", "deleted"):
        entry = Entry.objects.get(action=f"accessmap.cardholder.{write}", object_id=str(nan.pk))
        assert entry.actor == roles.ADMINISTRATOR
        assert Entry.objects.filter(action=f"accessmap.card.{write}", object_label="•••• (Nan)").exists()


def test_a_table_without_its_trigger_is_noticed(administrator, client):
    """The walk sees a missing entry: without the trigger a write leaves none."""
    import pgtrigger

    before = latest()
    with pgtrigger.ignore("accessmap.AccessLevel:audited"):
        AccessLevel.objects.create(name="Guests")
    assert not Entry.objects.filter(id__gt=before).exists()
