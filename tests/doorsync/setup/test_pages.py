"""The setup, as an installer walks through it, against real servers."""

import threading
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from werkzeug.wrappers import Response

from accessmap.models import AccessLevel, AccessPolicy, Card, Cardholder, Controller, Door, Resource, Site
from doorsync.bookings.subscription import callback_url
from doorsync.models import Callback, ControllerCard, SchedulerState, UnmappedResource
from doorsync.models.callbacks import TEST_CALL
from doorsync.setup import actions
from doorsync.setup.steps import facts_at, steps, undone
from doorsync.work import scheduler
from portal import roles
from portal.audit.models import Entry
from portal.core import clock
from portal.offision.default import client_from_settings, contract_from_settings
from portal.sandbox.webserver import LocalServer
from tests.places import NOW, TOKEN, booking


@pytest.fixture
def as_role(client, db):
    def log_in(role):
        user = User.objects.create_user(role, password="x", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def integrator(as_role):
    return as_role(roles.INTEGRATOR)


@pytest.fixture
def serve():
    servers = []

    def start(app: Any) -> str:
        server = LocalServer(app)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def page(key: str) -> str:
    return reverse("setup-step", args=[key])


def shown(client: Any, key: str, **post: Any) -> str:
    """The text of a step's page; after its action, if there is something to post."""
    answer = client.post(page(key), post, follow=True) if post else client.get(page(key))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def state(key: str, now=NOW) -> str:
    return next(str(step.state) for step in steps(facts_at(now), now) if step.key == key)


KEYS = [
    "worker",
    "settings",
    "contract",
    "subscription",
    "callback",
    "site",
    "controller",
    "door",
    "policy",
    "cardholder",
    "resource",
    "permission",
]


@pytest.mark.parametrize("role", [roles.INTEGRATOR, roles.ADMINISTRATOR])
def test_every_step_opens_from_nothing_and_with_a_building(as_role, request, role):
    client = as_role(role)
    assert client.get(reverse("setup")).status_code == 200
    for key in KEYS:
        shown(client, key)
    request.getfixturevalue("place")
    for key in KEYS:
        shown(client, key)


@pytest.mark.parametrize("role", [roles.FACILITY_STAFF, roles.SECURITY])
def test_the_setup_is_for_those_who_set_up_controllers(as_role, place, role):
    client = as_role(role)
    for address in (reverse("setup"), reverse("setup-called"), page("contract")):
        assert client.get(address).status_code == 403
    for key in ("contract", "callback", "subscription", "permission"):
        assert client.post(page(key), {"controller": "1"}).status_code == 403
    assert not Entry.objects.filter(actor=role).exists()


def test_the_setup_needs_a_login(client, db):
    assert client.get(reverse("setup")).status_code == 302
    assert client.post(page("callback")).status_code == 302


def test_an_unknown_step_is_not_found(integrator, place):
    assert integrator.get(page("nonsense")).status_code == 404
    assert integrator.post(page("worker"), {"x": 1}).status_code == 404
    for number in ("", "x", "9" * 30, "999999"):
        assert integrator.post(page("controller"), {"controller": number}).status_code == 404


def test_secrets_are_on_no_page(integrator, place, settings):
    for key in KEYS:
        for secret in (TOKEN, settings.CALLBACK_SECRETS[0]):
            assert secret not in shown(integrator, key), key


# Offision -----------------------------------------------------


def test_the_contract_is_checked_live_field_by_field_and_remembered(integrator, place, settings, tmp_path):
    assert state("contract") == "todo"
    text = shown(integrator, "contract", resource="room")
    assert "Resource room, four days: 1 records" in text
    assert "organizer_email" in text
    assert state("contract") == "done", text
    entry = Entry.objects.get(action="contract.check")
    assert (entry.actor, entry.outcome) == (roles.INTEGRATOR, "done")
    other = tmp_path / "contract.toml"
    other.write_bytes(settings.OFFISION_CONTRACT.read_bytes() + b"\n# changed\n")
    settings.OFFISION_CONTRACT = other
    assert state("contract") == "todo", "what was checked is not what is used"
    contract_from_settings.cache_clear()
    place.offision_fault("html")
    assert "does not fit" in shown(integrator, "contract", resource="room").lower()
    assert state("contract") == "failed"


def test_a_silent_server_is_given_up_soon(integrator, place, settings, monkeypatch):
    monkeypatch.setattr(actions, "READ_SECONDS", 0.2)
    settings.OFFISION_READ_TIMEOUT = 60
    place.offision_fault("stall", 5)
    text = shown(integrator, "contract", resource="room")
    assert "within 0.2 seconds" in text


def test_an_unusable_setting_is_shown_on_every_page_that_needs_it(integrator, place, settings):
    settings.OFFISION_URL = "http://offision.example"
    client_from_settings.cache_clear()
    assert "must start with https://" in shown(integrator, "settings")
    assert "must start with https://" in shown(integrator, "contract", resource="")
    assert state("settings") == "failed"


def test_the_subscription_is_made_on_the_spot(integrator, place):
    assert state("subscription") == "todo"
    text = shown(integrator, "subscription", x="1")
    assert "It is in place" in text
    assert state("subscription") == "done"
    assert [one.callback_url for one in client_from_settings().subscriptions()] == [callback_url()]


def test_the_waiting_page_shows_offisions_call_and_not_our_own(integrator, place):
    assert "data-url" in shown(integrator, "callback")
    look = reverse("setup-called")
    Callback.objects.create(body=b"{}", outcome="test", content_type=TEST_CALL)
    assert integrator.get(look).json() == {"arrived": False, "text": "No call has come yet."}
    Callback.objects.create(body=b"{}", outcome="enqueued")
    assert integrator.get(look).json()["arrived"] is True
    assert "data-url" not in shown(integrator, "callback")


# The portal calls itself --------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_portal_calls_itself_and_sees_the_call(serve, settings):
    SchedulerState.objects.get_or_create(pk=1)
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    settings.PORTAL_PUBLIC_URL = serve(WSGIHandler())
    answer = actions.call_ourselves(actor="ivy")
    assert answer.worked, answer.sentences
    callback = Callback.objects.get()
    assert (callback.content_type, callback.outcome, list(callback.problems)) == (TEST_CALL, "test", [])
    assert SchedulerState.objects.get().full_resync_requested_at is None, "it names nothing to fetch"
    assert facts_at(clock.now()).called_at is None, "that was not Offision"
    settings.ALLOWED_HOSTS = ["portal.example"]
    answer = actions.call_ourselves(actor="ivy")
    assert not answer.worked
    assert "PORTAL_ALLOWED_HOSTS" in str(answer.sentences[0])


@pytest.mark.django_db(transaction=True)
def test_where_callbacks_are_signed_so_is_ours(serve, settings, tmp_path):
    SchedulerState.objects.get_or_create(pk=1)
    signed = tmp_path / "contract.toml"
    text = settings.OFFISION_CONTRACT.read_text()
    rule = 'header = "X-Signature"\nalgorithm = "hmac-sha256"\nencoding = "base64"\nprefix = "v1="\n'
    signed.write_text(f"{text}\n[callback.signature]\n{rule}")
    settings.OFFISION_CONTRACT, settings.CALLBACK_SIGNING_KEY = signed, "a-key-of-offisions"
    contract_from_settings.cache_clear()
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    settings.PORTAL_PUBLIC_URL = serve(WSGIHandler())
    assert actions.call_ourselves(actor="ivy").worked


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "send /api/offision/ to the portal"),
        (401, "ask for a login"),
        (301, "It redirects"),
        (502, "proxy before the portal"),
        (202, "Another portal answers"),
    ],
)
def test_the_status_of_a_proxy_names_its_cause(db, serve, settings, status, words):
    settings.PORTAL_PUBLIC_URL = serve(Response(status=status))
    answer = actions.call_ourselves(actor="ivy")
    assert not answer.worked
    assert words in str(answer.sentences[0])
    assert settings.CALLBACK_SECRETS[0] not in str(answer.sentences)


def test_an_unreachable_portal_is_reported_without_the_secret(db, settings):
    settings.PORTAL_PUBLIC_URL = "http://127.0.0.1:9"
    answer = actions.call_ourselves(actor="ivy")
    assert "could not reach itself at http://127.0.0.1:9" in str(answer.sentences[0])
    assert settings.CALLBACK_SECRETS[0] not in str(list(Entry.objects.values()))


# Doors --------------------------------------------------------


def test_a_controller_is_tested_on_its_step(integrator, place):
    box = Controller.objects.get(name="box")
    assert "PRETEND-box" in shown(integrator, "controller", controller=box.pk)
    place.box("PUT", "faults", {"down": True})
    assert "It did not work" in shown(integrator, "controller", controller=box.pk)
    outcomes = Entry.objects.filter(action="controller.test").order_by("id").values_list("outcome", flat=True)
    assert list(outcomes) == ["done", "failed"]


def test_an_integrator_reads_who_must_do_a_step(as_role, place):
    client = as_role(roles.INTEGRATOR)
    for key in ("policy", "cardholder", "resource"):
        text = shown(client, key)
        assert "must do this" in text
        assert "/add/" not in text.partition('id="content-main"')[2], "no button that fails"
    client = as_role(roles.ADMINISTRATOR)
    assert reverse("admin:accessmap_cardholder_add") in shown(client, "cardholder")


def test_a_listed_resource_opens_a_filled_in_form(as_role, place):
    client = as_role(roles.ADMINISTRATOR)
    UnmappedResource.objects.create(external_id="lab & co", name="Lab")
    UnmappedResource.objects.create(external_id="room", name="Room")  # mapped meanwhile
    links = client.get(page("resource")).context["links"]
    assert [link.label for link in links] == ["Lab", "Desk, without a door", "Enter its id in Offision"]
    form = client.get(links[0].url).context["adminform"].form
    assert form["external_id"].value() == "lab & co"
    assert parse_qs(urlsplit(links[0].url).query)["policy"] == [str(AccessPolicy.objects.get().pk)]
    assert client.get(links[1].url).status_code == 200


def test_the_first_permission_is_read_back_in_words(integrator, place):
    assert "Card •••• may always pass Room door, but the controller does not hold it yet" in shown(
        integrator, "permission", x="1"
    )
    assert state("permission") == "todo"
    place.fetch()
    text = shown(integrator, "permission", x="1")
    assert "the controller does not hold it yet" in text
    place.reconcile()
    text = shown(integrator, "permission", x="1")
    assert "Card •••• may pass Room door from 2026-03-10 09:45 until 2026-03-10 11:10, and the controller holds" in text
    assert "1001" not in text
    assert state("permission") == "done"
    place.box("PUT", "faults", {"down": True})
    assert "box could not be read" in shown(integrator, "permission", x="1")


def test_an_unmanaged_card_is_no_confirmation(integrator, place):
    place.box("PUT", "cards/1001", {"doors": {"1": [[None, None]]}})
    place.fetch()
    place.reconcile()
    assert "that the portal did not write" in shown(integrator, "permission", x="1")


def test_a_lost_card_is_not_read_back(integrator, place):
    place.fetch()
    place.reconcile()
    Card.objects.update(status="lost")
    assert "No booking" in shown(integrator, "permission", x="1")


def test_undone_counts_down_and_costs_few_queries(integrator, place):
    before = undone(NOW)
    assert before == 5  # contract, subscription, call, controller, permission
    shown(integrator, "contract", resource="room")
    shown(integrator, "subscription", x="1")
    Callback.objects.create(body=b"{}", outcome="enqueued")
    place.fetch()
    place.reconcile()
    scheduler.tick()
    with CaptureQueriesContext(connection) as queries:
        assert undone(NOW) == 0
    assert len(queries) <= 16
    assert "The first door follows its bookings" in integrator.get(reverse("setup")).content.decode()
    assert undone(NOW + timedelta(minutes=5)) == 1, "the worker is silent"


@pytest.fixture
def nothing(place):
    """Offision and a box are there, and the portal knows of neither a door nor a person."""
    for model in (ControllerCard, Resource, Controller, AccessPolicy, Cardholder, AccessLevel, Site):
        model.objects.all().delete()
    return place


def test_from_nothing_to_the_first_door(as_role, nothing, place):
    """All of it once, as an administrator walks through it; the worker's part is done by the test."""
    client = as_role(roles.ADMINISTRATOR)

    def fill(link: str, **fields: Any) -> None:
        form = client.get(link).context["adminform"].form
        given = {name: form[name].value() for name in form.fields if form[name].value() is not None}
        inlines: dict[str, int] = {}
        for formset in client.get(link).context["inline_admin_formsets"]:
            prefix = formset.formset.prefix
            inlines |= {f"{prefix}-TOTAL_FORMS": 1, f"{prefix}-INITIAL_FORMS": 0}
        answer = client.post(link, {**given, **inlines, **fields})
        assert answer.status_code == 302, answer.content.decode()

    def link(key: str) -> str:
        first = client.get(page(key)).context["links"][0]
        assert first.allowed
        return str(first.url)

    shown(client, "contract", resource="room")
    shown(client, "subscription", x="1")
    place.change(create=booking("b2", "+0d 14:00", "+0d 15:00"))  # Offision calls; here the test carries the call
    client.post(urlsplit(callback_url()).path, b'{"resourceId": "room"}', content_type="application/json")
    assert state("callback") == "done"
    fill(link("site"), name="Pier")
    fill(link("controller"), name="gate", driver="simulated")
    gate = Controller.objects.get()
    assert "is not enabled" in shown(client, "controller")
    url = f"{place.controllers_url}/controllers/box"
    door = {"doors-0-number": 1, "doors-0-name": "Room door"}
    fill(link("door"), enabled="on", option_url=url, **door)
    assert "PRETEND-box" in shown(client, "controller", controller=gate.pk)
    fill(link("policy"), name="staff", lead_minutes=15, statuses=["confirmed", "checked_in"])
    card = {"cards-0-number": "1001", "cards-0-status": "active"}
    fill(link("cardholder"), name="Mei", email="mei@pier.example", **card)
    assert UnmappedResource.objects.get().external_id == "room", "Offision's call named it"
    fill(link("resource"), name="Room", **{"resourcedoor_set-0-door": Door.objects.get().pk})
    scheduler.tick()
    place.fetch()
    place.reconcile("gate")
    text = shown(client, "permission", x="1")
    assert "Card •••• may pass Room door from 2026-03-10 09:45 until 2026-03-10 11:00, and the controller holds" in text
    assert undone(NOW) == 0
    assert place.cards().keys() == {"1001"}
