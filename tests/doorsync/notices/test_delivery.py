"""From what is wrong in the database to a mail, or a signed call at a real receiver."""

import base64
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.db import connection
from django.urls import reverse
from standardwebhooks import Webhook
from werkzeug.wrappers import Request, Response

from accessmap.models import Controller
from doorsync.bookings import callbacks
from doorsync.models import BookingFetch, Callback, ControllerSync, ResourceSync, SchedulerState, UnmanagedCard
from doorsync.models.callbacks import TEST_CALL
from doorsync.models.notices import Delivery, Kind, Notice, Recipient
from doorsync.notices import delivery
from doorsync.notices.problems import seen
from doorsync.work import scheduler
from portal import roles
from portal.audit.models import Entry
from portal.core import clock
from portal.sandbox.webserver import LocalServer
from tests.places import NOW

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four bytes or more").decode()


def after(minutes: float) -> Any:
    return clock.stopped_at(NOW + timedelta(minutes=minutes))


def every_half_minute(start: float, end: float) -> None:
    """The looks of these minutes, both ends included."""
    minute = start
    while minute <= end:
        with after(minute):
            delivery.send_notices()
        minute += 0.5


def which(now=NOW) -> set[tuple[str, str]]:
    return {(one.which.kind, one.label) for one in seen(now).wrong}


@pytest.fixture
def in_order(place):
    """Every controller is in order, as far as its state goes."""
    ControllerSync.objects.update(observed_generation=99)
    return place


@pytest.fixture
def ann(in_order):
    return Recipient.objects.create(name="Ann", email="ann@pier.example", told_until=NOW, digest_at=NOW)


def dead(name: str = "box", *, silent: int = 3) -> None:
    rows = ControllerSync.objects.filter(controller__name=name)
    rows.update(unreachable=silent, failures=silent, last_error="No answer when connecting.")


def well(name: str = "box") -> None:
    ControllerSync.objects.filter(controller__name=name).update(
        unreachable=0, failures=0, last_error="", observed_generation=99
    )


class Receiver:
    """A receiver of signed webhooks, as its maker would write one from the specification."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.status = 204

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        body = request.get_data()
        key, sent = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        signed_at = datetime.fromtimestamp(int(sent), UTC)
        signed = Webhook(SECRET).sign(key, signed_at, body.decode()) == request.headers["webhook-signature"]
        self.ids.append(key)
        if signed and self.status < 300:
            self.seen.append(request.get_json())
        return Response(status=self.status if signed else 401)(environ, start_response)


@pytest.fixture
def receiver(in_order):
    app = Receiver()
    server = LocalServer(app)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    app.recipient = Recipient.objects.create(
        name="desk",
        channel="webhook",
        url=f"http://127.0.0.1:{server.server_port}/",
        secret=SECRET,
        told_until=NOW,
        digest_at=NOW,
    )
    yield app
    server.shutdown()
    server.server_close()


# What is wrong ------------------------------------------------


def test_nothing_is_wrong_where_all_is_well(place):
    place.fetch()
    place.reconcile()
    place.reconcile("old")
    assert which() == set()


def test_a_dead_controller_hides_its_drift_and_no_others(place):
    dead()
    ControllerSync.objects.filter(controller__name="old").update(failures=1, last_error="1 changes were refused: full")
    found = seen(NOW)
    assert {(one.which.kind, one.label) for one in found.wrong} == {("controller", "box"), ("drift", "old")}
    assert [one.kind for one in found.veiled] == ["drift"]
    Controller.objects.update(enabled=False)
    assert which() == set(), "a disabled controller is left as it is"


def test_changes_that_nobody_begins_with_are_drift(place):
    assert which(NOW + timedelta(minutes=4)) == set()
    assert which(NOW + timedelta(minutes=6)) == {("drift", "box"), ("drift", "old")}


def test_what_waits_for_a_person_is_drift(place):
    place.fetch()
    place.reconcile()
    place.reconcile("old")
    box = Controller.objects.get(name="box")
    ResourceSync.objects.filter(resource__name="Room").update(pending_reason="5 of 5 left out")
    UnmanagedCard.objects.create(controller=box, number="77", wanted=True, first_seen_at=NOW)
    assert which() == {("drift", "Room"), ("drift", "box")}


def test_one_resource_that_offision_does_not_know_is_not_offision_failing(place):
    room = ResourceSync.objects.filter(resource__name="Room")
    room.update(failures=4, last_error="not found")
    SchedulerState.objects.update(offision_error="not found")
    assert which() == {("drift", "Room")}
    ResourceSync.objects.update(failures=4, last_error="down")
    SchedulerState.objects.update(offision_error="down", subscription_error="down")
    assert which() == {("offision", "Offision")}, "one cause, one notice"


def changed(minutes: float, *, outcome: str = "changed", cause: str = "full_resync") -> None:
    moment = NOW + timedelta(minutes=minutes)
    room = ResourceSync.objects.get(resource__name="Room").resource
    BookingFetch.objects.create(
        resource=room, generation=1, cause=cause, started_at=moment, finished_at=moment, outcome=outcome
    )


def test_silence_is_a_sign_only_where_a_full_resync_finds_what_no_call_told_of(place):
    Callback.objects.create(body=b"{}", outcome="asked", received_at=NOW - timedelta(hours=25))
    changed(-40, outcome="unchanged")
    assert which() == set(), "nobody books, nobody calls"
    changed(-20, cause="callback")
    assert which() == set()
    changed(-10)
    assert which() == {("callbacks", "Offision's calls")}
    Callback.objects.create(body=b"{}", outcome="unreadable", content_type=TEST_CALL)
    assert which() == {("callbacks", "Offision's calls")}, "the portal's own call is no sign of Offision's"
    Callback.objects.create(body=b"{}", outcome="unreadable")
    assert which() == set()


def test_a_new_day_in_the_list_is_no_change_of_a_booking(place):
    """At midnight another day comes into the horizon: what is found there, nobody had to tell."""
    changed(-9 * 60 - 15, outcome="unchanged")  # 23:45 the day before, in Hong Kong
    changed(-9 * 60)  # midnight
    assert which() == set()
    changed(-8 * 60)
    assert ("callbacks", "Offision's calls") in which()


def test_a_call_of_the_portals_own_is_stored_as_such(place):
    callbacks.receive(body=b'{"test": 1}', content_type=TEST_CALL, remote_address=None)
    assert Callback.objects.get().content_type == TEST_CALL


# Telling ------------------------------------------------------


def test_a_dead_controller_is_told_once_when_it_starts_and_once_when_it_ends(ann):
    dead()
    every_half_minute(0, 30)
    assert [m.subject for m in mail.outbox] == ["Wrong: controllers that do not answer: box"]
    assert "No answer when connecting." in mail.outbox[0].body
    assert "/admin/doorsync/controllersync/" in mail.outbox[0].body
    assert "2026-03-10 09:00:00" in mail.outbox[0].body, "the site's time"
    well()
    every_half_minute(30.5, 60)
    assert [m.subject for m in mail.outbox[1:]] == ["Over: controllers that do not answer: box"]
    assert "from 2026-03-10 09:00:00 to 2026-03-10 09:30:30" in mail.outbox[1].body
    assert list(Entry.objects.filter(action__startswith="notice.").order_by("id").values_list("action", flat=True)) == [
        "notice.begun",
        "notice.ended",
    ]


def test_what_is_back_before_it_lasted_tells_nobody_and_leaves_nothing(ann):
    dead()
    every_half_minute(0, 1)
    well()
    every_half_minute(1.5, 10)
    assert not mail.outbox
    assert not Notice.objects.exists()


def test_a_switch_that_takes_down_everything_is_few_mails_and_not_one_a_box(ann):
    site = Controller.objects.get(name="box").site
    for number in range(40):
        box = Controller.objects.create(site=site, name=f"box {number}", driver="simulated")
        ControllerSync.objects.create(controller=box, observed_generation=99)
    for number in range(40):
        dead(f"box {number}")
        every_half_minute(number / 2, number / 2)  # one after the other, over twenty minutes
    every_half_minute(20, 40)
    assert len(mail.outbox) <= 6
    assert Notice.objects.filter(told_at__isnull=False).count() == 40
    told = " ".join(m.body for m in mail.outbox)
    assert all(f"box {number}," in told for number in range(40)), "and each is named"


def test_each_is_told_its_kinds_in_its_language_and_the_disabled_nothing(ann):
    common = {"told_until": NOW, "digest_at": NOW}
    Recipient.objects.create(name="Lok", email="lok@pier.example", language="zh-hant", **common)
    Recipient.objects.create(name="Ox", email="ox@pier.example", kinds=[Kind.OFFISION], **common)
    Recipient.objects.create(name="Off", email="off@pier.example", enabled=False, **common)
    dead()
    every_half_minute(0, 5)
    assert {to for m in mail.outbox for to in m.to} == {"ann@pier.example", "lok@pier.example"}
    Recipient.objects.update(enabled=True)
    every_half_minute(5.5, 12)
    assert len(mail.outbox) == 2, "what began while nobody listened is not told later"


def test_the_digest_says_what_goes_on_once_a_day_and_is_silent_where_all_is_well(ann):
    Recipient.objects.update(digest_hour=10)  # an hour from now
    well("old")
    every_half_minute(0, 61)
    assert not mail.outbox
    dead()
    every_half_minute(61.5, 70)
    day = 24 * 60
    every_half_minute(day, day + 90)
    digests = [m for m in mail.outbox if "things are wrong" in m.subject]
    assert len(digests) == 1
    assert "Wrong still:\n\n- controllers that do not answer: box" in digests[0].body


def test_a_name_cannot_become_a_header(ann):
    Controller.objects.filter(name="box").update(name="box\nBcc: eve@evil.example")
    dead("box\nBcc: eve@evil.example")
    every_half_minute(0, 3)
    assert "Bcc" in mail.outbox[0].subject
    assert mail.outbox[0].recipients() == ["ann@pier.example"]
    assert "\nBcc" not in mail.outbox[0].message().as_string().partition("\n\n")[0]


# Sending ------------------------------------------------------


def test_a_webhook_is_signed_and_says_what_where_and_since_when(receiver):
    dead()
    every_half_minute(0, 3)
    (message,) = receiver.seen
    assert message["type"] == "notices.changed"
    (begun,) = message["data"]["begun"]
    assert (begun["kind"], begun["object"], begun["since"]) == ("controller", "box", "2026-03-10T01:00:00+00:00")
    assert Delivery.objects.get().state == "sent"


def test_a_receiver_that_is_down_gets_it_later_under_the_same_id_and_nobody_else_waits(receiver, ann):
    receiver.status = 503
    dead()
    every_half_minute(0, 10)
    assert len(mail.outbox) == 1
    waiting = receiver.recipient.deliveries.get()
    assert (waiting.state, waiting.last_error) == ("waiting", "The receiver answered with status 503.")
    assert 2 < waiting.attempts < 6, "it is not hammered"
    receiver.status = 204
    every_half_minute(10.5, 20)
    assert len(receiver.seen) == 1
    assert len(set(receiver.ids)) == 1
    assert receiver.recipient.deliveries.get().state == "sent"


def test_sending_is_given_up_one_day_and_the_log_says_so(receiver):
    receiver.status = 401
    dead()
    every_half_minute(0, 3)
    for hour in range(1, 14):
        every_half_minute(hour * 61, hour * 61)
    assert receiver.recipient.deliveries.earliest("id").state == "given_up"
    assert len(receiver.ids) == delivery.MOST_ATTEMPTS
    assert Entry.objects.get(action="notice.given_up").object_label == "desk"


def test_what_another_worker_is_sending_is_not_sent_twice(ann):
    dead()
    for minute in (0, 1, 2):
        with after(minute):
            delivery.watch()
    with after(2):
        assert delivery._claimed(set()) is not None
        delivery.deliver()
        assert not mail.outbox
    with after(5):  # the other one has died
        delivery.deliver()
    assert len(mail.outbox) == 1


def test_a_mail_server_that_is_down_is_said_and_asked_again(ann, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    dead()
    every_half_minute(0, 3)
    row = Delivery.objects.get()
    assert row.state == "waiting"
    assert "ConnectionRefusedError" in row.last_error
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    every_half_minute(10, 10)
    assert len(mail.outbox) == 1


def test_beat_has_it_done(ann, settings):
    from doorsync.tasks import send_notices

    assert settings.CELERY_BEAT_SCHEDULE["notices"]["task"] == send_notices.name
    send_notices()
    scheduler.tick()  # they lock the same row, one after the other


# The admin ----------------------------------------------------


@pytest.fixture
def as_role(client, place):
    def log_in(role):
        user = User.objects.create_user(role, password="x", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        return client

    return log_in


FORM = {"name": "desk", "enabled": "on", "kinds": ["drift"], "language": "en", "digest_hour": "8"}


def test_a_webhooks_secret_is_needed_encrypted_never_shown_and_kept_when_left_blank(as_role):
    client = as_role(roles.INTEGRATOR)
    add = reverse("admin:doorsync_recipient_add")
    hook = {**FORM, "channel": "webhook", "url": "https://desk.example/T0/secret-path"}
    assert "could not tell who calls" in client.post(add, hook).content.decode()
    assert "24 bytes" in client.post(add, {**hook, "new_secret": "whsec_c2hvcnQ="}).content.decode()
    assert (
        "starts with https"
        in client.post(add, {**hook, "url": "file:///etc/passwd", "new_secret": SECRET}).content.decode()
    )
    assert client.post(add, {**hook, "new_secret": SECRET}).status_code == 302
    desk = Recipient.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM doorsync_recipient")
        assert SECRET not in cursor.fetchone()[0]
    change = reverse("admin:doorsync_recipient_change", args=[desk.pk])
    assert SECRET not in client.get(change).content.decode()
    assert client.post(change, {**hook, "name": "front desk"}).status_code == 302
    desk.refresh_from_db()
    assert (desk.name, desk.secret) == ("front desk", SECRET)
    assert SECRET not in str(list(Entry.objects.values()))
    as_role(roles.SECURITY)
    for page in (change, reverse("admin:doorsync_recipient_changelist")):
        seen_there = client.get(page).content.decode()
        assert "desk.example/…" in seen_there
        assert "secret-path" not in seen_there, "some addresses are secrets by themselves"


def test_no_email_is_promised_where_none_can_be_sent(as_role, settings):
    client = as_role(roles.ADMINISTRATOR)
    add = reverse("admin:doorsync_recipient_add")
    sent = {**FORM, "channel": "email", "email": "ann@pier.example"}
    settings.EMAIL_URL = ""
    assert "EMAIL_URL is not set" in client.post(add, sent).content.decode()
    settings.EMAIL_URL = "smtp://mail.example"
    assert client.post(add, {**sent, "email": ""}).status_code == 200
    assert client.post(add, sent).status_code == 302


@pytest.mark.parametrize("role", [roles.FACILITY_STAFF, roles.SECURITY])
def test_staff_and_security_see_who_is_told_and_change_nothing(as_role, ann, role):
    client = as_role(role)
    assert client.get(reverse("admin:doorsync_recipient_add")).status_code == 403
    page = reverse("admin:doorsync_recipient_changelist")
    assert "Ann" in client.get(page).content.decode()
    client.post(page, {"action": "send_test", "_selected_action": [ann.pk]})
    assert not Delivery.objects.exists()


def test_a_test_message_is_sent(as_role, ann):
    client = as_role(roles.INTEGRATOR)
    client.post(reverse("admin:doorsync_recipient_changelist"), {"action": "send_test", "_selected_action": [ann.pk]})
    delivery.send_notices()
    assert [m.subject for m in mail.outbox] == ["A test of the Offision Access Portal"]
    assert client.get(reverse("admin:doorsync_delivery_change", args=[Delivery.objects.get().pk])).status_code == 200
