"""Controllers in the admin: named options, secrets that stay secret, the connection test."""

import base64
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.urls import reverse

from accessmap.models import Controller
from portal import roles
from portal.audit.models import Entry

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four bytes or more").decode()


@pytest.fixture
def integrator(client, place):
    user = User.objects.create_user("ivy", password="x", is_staff=True)
    user.groups.add(Group.objects.get(name=roles.INTEGRATOR))
    client.force_login(user)
    return client


def page(controller: Controller) -> str:
    return reverse("admin:accessmap_controller_change", args=[controller.pk])


def save(client: Any, controller: Controller, **fields: Any) -> Any:
    formset = {f"doors-{part}": 0 for part in ("TOTAL_FORMS", "INITIAL_FORMS")}
    common = {"site": controller.site_id, "name": controller.name, **formset}
    return client.post(page(controller), {**common, **fields})


def stored(controller: Controller) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT options::text, secrets FROM accessmap_controller WHERE id = %s", [controller.pk])
        return str(cursor.fetchone())


def test_a_new_controller_is_given_its_drivers_options_by_name(integrator, place):
    add = reverse("admin:accessmap_controller_add")
    made = integrator.post(add, {"site": place.site().pk, "name": "gate", "driver": "webhook"})
    gate = Controller.objects.get(name="gate")
    assert made.url == page(gate)
    assert not gate.enabled, "not before it is configured"
    assert "what it can do" in integrator.get(page(gate)).content.decode().lower()
    answer = save(integrator, gate, option_url="ftp://x", option_secret=SECRET, option_timeout_seconds="2")
    assert answer.status_code == 200
    assert "url" in answer.content.decode()
    answer = save(
        integrator, gate, option_url="https://gate.example/", option_secret="short", option_timeout_seconds="2"
    )
    assert "24 bytes" in answer.content.decode()
    assert SECRET not in answer.content.decode()
    good = {"option_url": "https://gate.example/", "option_secret": SECRET, "option_timeout_seconds": "1.5"}
    assert save(integrator, gate, **good, enabled="on").status_code == 302
    gate.refresh_from_db()
    assert gate.enabled
    assert gate.all_options == {"url": "https://gate.example/", "secret": SECRET, "timeout_seconds": 1.5}


def test_a_secret_is_encrypted_never_shown_and_kept_when_left_blank(integrator, place):
    gate = Controller.objects.create(site=place.site(), name="gate", driver="webhook")
    good = {"option_url": "https://gate.example/", "option_timeout_seconds": "2"}
    save(integrator, gate, **good, option_secret=SECRET)
    assert SECRET not in stored(gate)
    assert SECRET not in integrator.get(page(gate)).content.decode()
    save(integrator, gate, **{**good, "option_url": "https://other.example/"}, option_secret="")
    gate.refresh_from_db()
    assert gate.all_options["secret"] == SECRET
    assert gate.all_options["url"] == "https://other.example/"


def test_options_that_no_form_shows_stay(integrator):
    box = Controller.objects.get(name="box")
    box.options |= {"capacity": 7}
    box.save()
    fields = {"option_url": box.options["url"], "option_timeout_seconds": "1", "option_windows": "none"}
    assert save(integrator, box, **fields, option_resolution_seconds="60").status_code == 302
    box.refresh_from_db()
    assert box.options["capacity"] == 7
    assert (box.options["windows"], box.options["resolution_seconds"]) == ("none", 60)


def test_the_connection_test_shows_and_audits_its_outcome(integrator, place):
    box = Controller.objects.get(name="box")
    test = reverse("test-controller", args=[box.pk])
    text = integrator.post(test, follow=True).content.decode()
    assert "firmware 1.0" in text
    assert "PRETEND-box" in text
    assert "0 cards in it" in text
    place.box("PUT", "faults", {"down": True})
    assert "The connection" in integrator.post(test, follow=True).content.decode()
    done, failed = Entry.objects.filter(action="controller.test", actor="ivy").order_by("id")
    assert (done.outcome, failed.outcome) == ("done", "failed")
    assert "PRETEND-box" in str(done.reasons)
    assert "The connection" in str(failed.reasons)
    user = User.objects.create_user("sam", password="x", is_staff=True)
    user.groups.add(Group.objects.get(name=roles.SECURITY))
    integrator.force_login(user)
    assert integrator.post(test).status_code == 403
