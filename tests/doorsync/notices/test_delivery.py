"""From the issues in the database to an email, or to a signed call at a real receiver."""

import base64
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext_lazy, override
from standardwebhooks import Webhook
from werkzeug.wrappers import Request, Response

from accessmap.models import Controller
from doorsync.bookings import callbacks
from doorsync.models import BookingFetch, Callback, ControllerSync, ResourceSync, SchedulerState, UnmanagedCard
from doorsync.models.callbacks import TEST_CALL
from doorsync.models.notices import Delivery, Notice, Recipient
from doorsync.notices import delivery
from doorsync.notices.decision import Kind
from doorsync.notices.detection import observe
from doorsync.notices.problems import CALLS_STOPPED, RECEIVER_REFUSED
from doorsync.work import scheduler
from portal import roles
from portal.audit.models import Entry
from portal.core import clock
from portal.core.problems import QUOTED, Problem, problem
from portal.sandbox.webserver import LocalServer
from tests.places import NOW

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four bytes or more").decode()


def after(minutes: float) -> Any:
    return clock.stopped_at(NOW + timedelta(minutes=minutes))


def run_every_half_minute(start: float, end: float) -> None:
    """send_notices at every half minute from `start` to `end`, both included."""
    minute = start
    while minute <= end:
        with after(minute):
            delivery.send_notices()
        minute += 0.5


def issues(now=NOW) -> set[tuple[str, str]]:
    """The kind of each issue, with the name of its object, or its key."""
    return {(subject.kind, issue.label or subject.key) for subject, issue in observe(now).issues.items()}


@pytest.fixture
def in_order(place):
    """The rows say that every controller is in order."""
    ControllerSync.objects.update(observed_generation=99)
    return place


@pytest.fixture
def ann(in_order):
    return Recipient.objects.create(name="Ann", email="ann@pier.example", notified_until=NOW, digest_at=NOW)


def stored(text: str) -> list[Problem]:
    """An error as a row of another package stores it."""
    return [QUOTED(text=text)] if text else []


def disconnect(name: str = "box") -> None:
    rows = ControllerSync.objects.filter(controller__name=name)
    rows.update(unreachable=3, failures=3, last_error=stored("No answer when connecting."))


def reconnect(name: str = "box") -> None:
    ControllerSync.objects.filter(controller__name=name).update(
        unreachable=0, failures=0, last_error=stored(""), observed_generation=99
    )


class Receiver:
    """A receiver of signed webhooks, written from the specification."""

    def __init__(self) -> None:
        self.accepted: list[dict[str, Any]] = []
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
            self.accepted.append(request.get_json())
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
        notified_until=NOW,
        digest_at=NOW,
    )
    yield app
    server.shutdown()
    server.server_close()


# Detection ------------------------------------------------


def test_a_building_in_order_has_no_issues(place):
    place.fetch()
    place.reconcile()
    place.reconcile("old")
    assert issues() == set()


def test_an_unreachable_controller_hides_its_drift_and_no_others(place):
    disconnect()
    ControllerSync.objects.filter(controller__name="old").update(
        failures=1, last_error=stored("1 changes were refused: full")
    )
    assert issues() == {("controller", "box"), ("drift", "old")}
    assert [subject.kind for subject in observe(NOW).unknown] == ["drift"]
    Controller.objects.update(enabled=False)
    assert issues() == set(), "a disabled controller is left as it is"


def test_changes_that_no_worker_starts_on_are_drift(place):
    assert issues(NOW + timedelta(minutes=4)) == set()
    assert issues(NOW + timedelta(minutes=6)) == {("drift", "box"), ("drift", "old")}


def test_a_list_and_a_card_that_wait_for_a_person_are_drift(place):
    place.fetch()
    place.reconcile()
    place.reconcile("old")
    box = Controller.objects.get(name="box")
    ResourceSync.objects.filter(resource__name="Room").update(pending_reason=stored("5 of 5 left out"))
    UnmanagedCard.objects.create(controller=box, number="77", wanted=True, first_seen_at=NOW)
    assert issues() == {("drift", "Room"), ("drift", "box")}


def test_one_failing_resource_is_drift_and_most_of_them_an_offision_failure(place):
    room = ResourceSync.objects.filter(resource__name="Room")
    room.update(failures=4, last_error=stored("not found"))
    SchedulerState.objects.update(offision_error=stored("not found"))
    assert issues() == {("drift", "Room")}
    ResourceSync.objects.update(failures=4, last_error=stored("down"))
    SchedulerState.objects.update(offision_error=stored("down"), subscription_error=stored("down"))
    assert issues() == {("offision", "offision")}, "one cause, one notice"


def changed(minutes: float, *, outcome: str = "changed", cause: str = "full_resync") -> None:
    moment = NOW + timedelta(minutes=minutes)
    room = ResourceSync.objects.get(resource__name="Room").resource
    BookingFetch.objects.create(
        resource=room, generation=1, cause=cause, started_at=moment, finished_at=moment, outcome=outcome
    )


def test_silence_is_an_issue_only_when_a_full_resync_finds_a_change_without_a_call(place):
    Callback.objects.create(body=b"{}", outcome="enqueued", received_at=NOW - timedelta(hours=25))
    changed(-40, outcome="unchanged")
    assert issues() == set(), "nobody books, nobody calls"
    changed(-20, cause="callback")
    assert issues() == set()
    changed(-10)
    assert issues() == {("callbacks", "silence")}
    Callback.objects.create(body=b"{}", outcome="test")
    assert issues() == {("callbacks", "silence")}, "the portal's own call does not count"
    Callback.objects.create(body=b"{}", outcome="unreadable")
    assert issues() == set()


def test_the_first_fetch_of_a_day_finds_no_change(place):
    """At midnight the horizon takes in another day. Its bookings are not new."""
    changed(-9 * 60 - 15, outcome="unchanged")  # 23:45 the day before, in Hong Kong
    changed(-9 * 60)  # midnight
    assert issues() == set()
    changed(-8 * 60)
    assert ("callbacks", "silence") in issues()


def test_a_call_of_the_portal_itself_is_stored_as_such(place):
    callbacks.receive(body=b'{"test": 1}', content_type=TEST_CALL, remote_address=None)
    assert Callback.objects.get().outcome == "test"


# Notifying ------------------------------------------------------


def test_an_unreachable_controller_is_notified_once_at_its_start_and_once_at_its_end(ann):
    disconnect()
    run_every_half_minute(0, 30)
    assert [m.subject for m in mail.outbox] == ["Needs attention: unreachable controller: box"]
    assert "No answer when connecting." in mail.outbox[0].body
    assert "/admin/doorsync/controllersync/" in mail.outbox[0].body
    assert "2026-03-10 09:00:00" in mail.outbox[0].body, "the site's time"
    reconnect()
    run_every_half_minute(30.5, 60)
    assert [m.subject for m in mail.outbox[1:]] == ["Resolved: unreachable controller: box"]
    assert "from 2026-03-10 09:00:00 to 2026-03-10 09:30:30" in mail.outbox[1].body
    entries = Entry.objects.filter(object_type__in=["doorsync.Notice", "doorsync.Recipient"]).order_by("id")
    assert [entry.action for entry in entries] == ["doorsync.recipient.added", "notice.begun", "notice.ended"]


def test_a_short_issue_notifies_nobody_and_leaves_no_row(ann):
    disconnect()
    run_every_half_minute(0, 1)
    reconnect()
    run_every_half_minute(1.5, 10)
    assert not mail.outbox
    assert not Notice.objects.exists()


def test_the_same_outage_in_other_words_is_no_news(ann):
    """One email and one entry, whatever the wording, the language of the worker, or the details."""
    rows = ControllerSync.objects.filter(controller__name="box")
    disconnect()
    run_every_half_minute(0, 5)
    for minute, (language, error) in enumerate(
        [("zh-hant", "沒有回應"), ("en", "No answer that ended."), ("zh-hant", "沒有回應")], start=6
    ):
        rows.update(last_error=stored(error))
        with override(language):
            run_every_half_minute(minute, minute + 0.5)
    assert str(Notice.objects.get().problems) == "沒有回應", "the page shows the latest"
    assert len(mail.outbox) == 1
    assert Entry.objects.filter(action="notice.begun").count() == 1


def test_every_recipient_reads_a_notice_in_its_language(ann):
    Recipient.objects.create(
        name="Lok", email="lok@pier.example", language="zh-hant", notified_until=NOW, digest_at=NOW
    )
    never = problem("test.notices", gettext_lazy("never"))()
    notice = Notice.objects.create(
        kind="callbacks", key="silence", since=NOW, notified_at=NOW + timedelta(seconds=1), problems=never
    )
    run_every_half_minute(1, 1)
    bodies = {m.to[0]: m.body for m in mail.outbox}
    for email, language in (("ann@pier.example", "en"), ("lok@pier.example", "zh-hant")):
        with override(language):
            assert str(never) in bodies[email]
            assert str(notice) in bodies[email]
    assert "never" not in bodies["lok@pier.example"]


def test_forty_controllers_that_fail_one_by_one_are_a_few_emails(ann):
    site = Controller.objects.get(name="box").site
    for number in range(40):
        box = Controller.objects.create(site=site, name=f"box {number}", driver="simulated")
        ControllerSync.objects.create(controller=box, observed_generation=99)
    for number in range(40):
        disconnect(f"box {number}")
        run_every_half_minute(number / 2, number / 2)  # one after the other, over twenty minutes
    run_every_half_minute(20, 40)
    assert len(mail.outbox) <= 6
    assert Notice.objects.filter(notified_at__isnull=False).count() == 40
    bodies = " ".join(m.body for m in mail.outbox)
    assert all(f"box {number}," in bodies for number in range(40)), "and each is named"


def test_recipients_are_notified_of_their_kinds_and_disabled_ones_of_nothing(ann):
    common = {"notified_until": NOW, "digest_at": NOW}
    Recipient.objects.create(name="Lok", email="lok@pier.example", language="zh-hant", **common)
    Recipient.objects.create(name="Ox", email="ox@pier.example", kinds=[Kind.OFFISION], **common)
    Recipient.objects.create(name="Off", email="off@pier.example", enabled=False, **common)
    disconnect()
    run_every_half_minute(0, 5)
    assert {to for m in mail.outbox for to in m.to} == {"ann@pier.example", "lok@pier.example"}
    Recipient.objects.update(enabled=True)
    run_every_half_minute(5.5, 12)
    assert len(mail.outbox) == 2, "issues that started while a recipient was disabled are not sent later"


def test_the_digest_lists_open_issues_once_a_day_and_is_not_sent_without_any(ann):
    Recipient.objects.update(digest_hour=10)  # an hour from now
    reconnect("old")
    run_every_half_minute(0, 61)
    assert not mail.outbox
    disconnect()
    run_every_half_minute(61.5, 70)
    day = 24 * 60
    run_every_half_minute(day, day + 90)
    digests = [m for m in mail.outbox if m.subject.startswith("Daily digest")]
    assert len(digests) == 1
    assert "Still needs attention:\n\n- unreachable controller: box" in digests[0].body


def test_a_name_with_a_line_break_starts_no_header(ann):
    Controller.objects.filter(name="box").update(name="box\nBcc: eve@evil.example")
    disconnect("box\nBcc: eve@evil.example")
    run_every_half_minute(0, 3)
    assert "Bcc" in mail.outbox[0].subject
    assert mail.outbox[0].recipients() == ["ann@pier.example"]
    assert "\nBcc" not in mail.outbox[0].message().as_string().partition("\n\n")[0]


# Sending ------------------------------------------------------


def test_a_webhook_is_signed_and_has_kind_object_and_start(receiver):
    disconnect()
    run_every_half_minute(0, 3)
    (message,) = receiver.accepted
    assert message["type"] == "notices.changed"
    (begun,) = message["data"]["begun"]
    assert (begun["kind"], begun["object"], begun["since"]) == ("controller", "box", "2026-03-10T01:00:00+00:00")
    assert Delivery.objects.get().state == "sent"


def test_a_failing_receiver_gets_the_message_later_under_the_same_id_and_delays_no_other(receiver, ann):
    receiver.status = 503
    disconnect()
    run_every_half_minute(0, 10)
    assert len(mail.outbox) == 1
    waiting = receiver.recipient.deliveries.get()
    assert (waiting.state, waiting.last_error) == ("waiting", [RECEIVER_REFUSED(status=503)])
    assert 2 < waiting.attempts < 6, "attempts are spaced out"
    receiver.status = 204
    run_every_half_minute(10.5, 20)
    assert len(receiver.accepted) == 1
    assert len(set(receiver.ids)) == 1
    assert receiver.recipient.deliveries.get().state == "sent"


def test_a_message_is_given_up_after_twelve_attempts_and_recorded(receiver):
    receiver.status = 401
    disconnect()
    run_every_half_minute(0, 3)
    for hour in range(1, 14):
        run_every_half_minute(hour * 61, hour * 61)
    assert receiver.recipient.deliveries.earliest("id").state == "given_up"
    assert len(receiver.ids) == delivery.MAX_ATTEMPTS
    assert Entry.objects.get(action="notice.given_up").object_label == "desk"


def test_a_message_that_another_worker_sends_is_not_sent_twice(ann):
    disconnect()
    for minute in (0, 1, 2):
        with after(minute):
            delivery.update_notices()
    with after(2):
        assert delivery._lease(set()) is not None
        delivery.deliver()
        assert not mail.outbox
    with after(5):  # the other worker has died
        delivery.deliver()
    assert len(mail.outbox) == 1


def test_an_email_is_sent_again_when_the_mail_server_is_back(ann, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    disconnect()
    run_every_half_minute(0, 3)
    row = Delivery.objects.get()
    assert row.state == "waiting"
    assert "ConnectionRefusedError" in str(row.last_error)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    run_every_half_minute(10, 10)
    assert len(mail.outbox) == 1


def test_beat_sends_the_notices(ann, settings):
    from doorsync.tasks import send_notices

    assert settings.CELERY_BEAT_SCHEDULE["notices"]["task"] == send_notices.name
    send_notices()
    scheduler.tick()  # it locks the same row


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


def test_a_webhook_needs_a_secret_which_is_encrypted_never_shown_and_kept_when_left_blank(as_role):
    client = as_role(roles.INTEGRATOR)
    add = reverse("admin:doorsync_recipient_add")
    hook = {**FORM, "channel": "webhook", "url": "https://desk.example/T0/secret-path"}
    assert "A webhook needs a secret" in client.post(add, hook).content.decode()
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
    writes = Entry.objects.filter(object_type="doorsync.Recipient").order_by("id")
    assert [entry.action for entry in writes] == ["doorsync.recipient.added", "doorsync.recipient.changed"]
    assert SECRET not in str(list(Entry.objects.values()))
    as_role(roles.SECURITY)
    for page in (change, reverse("admin:doorsync_recipient_changelist")):
        html = client.get(page).content.decode()
        assert "desk.example/…" in html
        assert "secret-path" not in html, "an address may be a secret"


def test_email_needs_a_mail_server_and_an_address(as_role, settings):
    client = as_role(roles.ADMINISTRATOR)
    add = reverse("admin:doorsync_recipient_add")
    sent = {**FORM, "channel": "email", "email": "ann@pier.example"}
    settings.EMAIL_URL = ""
    assert "EMAIL_URL is not set" in client.post(add, sent).content.decode()
    settings.EMAIL_URL = "smtp://mail.example"
    assert client.post(add, {**sent, "email": ""}).status_code == 200
    assert client.post(add, sent).status_code == 302


@pytest.mark.parametrize("role", [roles.FACILITY_STAFF, roles.SECURITY])
def test_facility_staff_and_security_see_the_recipients_and_change_nothing(as_role, ann, role):
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
    assert [m.subject for m in mail.outbox] == ["Test message of the Offision Access Portal"]
    assert Entry.objects.get(action="recipient.test").actor == roles.INTEGRATOR
    assert client.get(reverse("admin:doorsync_delivery_change", args=[Delivery.objects.get().pk])).status_code == 200


def test_the_admin_shows_notices_and_failed_messages_in_words(as_role, ann):
    notice = Notice.objects.create(kind="callbacks", key="silence", since=NOW, problems=CALLS_STOPPED(hours=25))
    message = Delivery.objects.create(recipient=ann, subject="Doors", last_error=RECEIVER_REFUSED(status=503))
    client = as_role(roles.SECURITY)
    for row, text in ((notice, "has not called for 25 hours"), (message, "answered with status 503.")):
        for page in ("changelist", "change"):
            url = reverse(f"admin:doorsync_{row._meta.model_name}_{page}", args=[row.pk] if page == "change" else [])
            assert text in client.get(url).content.decode()
    assert "answered with status 503." in client.get(reverse("admin:doorsync_recipient_changelist")).content.decode()
