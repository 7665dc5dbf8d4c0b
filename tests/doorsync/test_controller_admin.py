"""Controllers in the admin: named options, secrets that stay secret, a tested connection."""

import base64
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.urls import reverse
from werkzeug.wrappers import Request, Response

from accessmap.models import Controller, Door
from doorsync import doors, passes, reconcile
from doorsync.drivers import driver_for
from doorsync.drivers.base import BadOptions, Refused, Unknown, Unreachable
from doorsync.models import ControllerHold
from doorsync.planning import ALWAYS
from portal import clock, roles
from portal.audit.models import Entry
from portal.sandbox.webserver import LocalServer
from portal.webhooks import signature
from tests.places import NOW, building

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


def test_the_connection_is_tested_and_what_was_found_is_said(integrator, place):
    box = Controller.objects.get(name="box")
    test = reverse("admin:accessmap_controller_test", args=[box.pk])
    said = integrator.post(test, follow=True).content.decode()
    assert "firmware 1.0" in said
    assert "PRETEND-box" in said
    assert "0 cards in it" in said
    place.box("PUT", "faults", {"down": True})
    assert "The connection" in integrator.post(test, follow=True).content.decode()
    assert Entry.objects.filter(action="controller.test", actor="ivy").count() == 2
    user = User.objects.create_user("sam", password="x", is_staff=True)
    user.groups.add(Group.objects.get(name=roles.SECURITY))
    integrator.force_login(user)
    assert integrator.post(test).status_code == 403


# The webhook --------------------------------------------------


class Receiver:
    """A receiver of signed webhooks, as its maker would write one from the specification."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.ids: set[str] = set()
        self.status = 204

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        body = request.get_data()
        key, sent = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        signed = signature(SECRET, key, int(sent), body) == request.headers["webhook-signature"]
        answer = Response(status=self.status if signed else 401)
        if signed and self.status < 300 and key not in self.ids:
            self.ids.add(key)
            self.seen.append(request.get_json())
        return answer(environ, start_response)


@pytest.fixture
def receiver(start_place):
    policies = [{"name": "staff", "admit": ["anyone"], "always": ["facilities"]}]
    place = start_place(building(policies=policies))
    app = Receiver()
    server = LocalServer(app)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    box = Controller.objects.get(name="box")
    box.driver, box.options = "webhook", {"url": f"http://127.0.0.1:{server.server_port}/", "timeout_seconds": 0.5}
    box.secrets = f'{{"secret": "{SECRET}"}}'
    box.save()
    app.place, app.box = place, box
    yield app
    server.shutdown()
    server.server_close()


def test_a_webhook_is_signed_and_a_pulse_is_sent_once(receiver):
    door = Door.objects.select_related("controller").get(name="Room door")
    for _ in range(2):
        assert doors.open_for_a_moment(door, milliseconds=1500, key="pulse-1", actor="ann") is True
    assert [(m["type"], m["data"]) for m in receiver.seen] == [("door.pulse", {"door": 1, "seconds": 2})]
    assert Entry.objects.filter(action="door.pulse", outcome="done").count() == 2
    receiver.status = 403
    assert doors.open_for_a_moment(door, milliseconds=1500, key="pulse-2", actor="ann") is False
    assert "403" in Entry.objects.get(action="door.pulse", outcome="failed").reasons[0]
    receiver.status = 500
    assert doors.open_for_a_moment(door, milliseconds=1500, key="pulse-3", actor="ann") is None, "nobody knows"


def test_a_relay_holds_doors_unlocked_and_says_that_it_holds_no_cards(receiver):
    receiver.place.refresh()

    receiver.place.reconcile()
    assert [m for m in receiver.seen if m["type"] == "door.hold"] == []
    assert "holds no cards" in receiver.place.sync().trouble
    for minutes, held in ((60, True), (120, False)):
        with clock.stopped_at(NOW + timedelta(minutes=minutes)):
            passes.tick()
            reconcile.reconcile_controller(receiver.box.pk)
        assert [m["data"] for m in receiver.seen if m["type"] == "door.hold"][-1] == {"door": 1, "held": held}
    assert not ControllerHold.objects.exists()


@pytest.mark.parametrize(("status", "error"), [(404, Refused), (500, Unknown), (302, Unknown)])
def test_what_a_receiver_says_is_told_apart(receiver, status, error):
    receiver.status = status
    driver = driver_for(receiver.box, NOW)
    with pytest.raises(error):
        driver.hold(1, (ALWAYS,))
    driver.close()


def test_nobody_there_is_unreachable_and_a_bad_secret_is_never_shown(receiver):
    receiver.box.options["url"] = "http://127.0.0.1:9/"
    driver = driver_for(receiver.box, NOW)
    with pytest.raises(Unreachable):
        driver.info()
    driver.close()
    receiver.box.secrets = '{"secret": "whsec_c2hvcnQ="}'
    with pytest.raises(BadOptions) as caught:
        driver_for(receiver.box, NOW)
    assert "c2hvcnQ" not in str(caught.value)


def test_the_signature_is_the_specifications():
    # The example of the Standard Webhooks specification's reference libraries.
    secret, key, sent = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
    body = b'{"test": 2432232314}'
    assert signature(secret, key, sent, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
