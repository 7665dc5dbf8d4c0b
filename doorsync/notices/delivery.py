"""Every half minute: look at what is wrong, write down what is to be told to whom, and send what is due.

What is to be told stands in the database before anything is sent, and is sent outside of any transaction: a mail server
that is down loses nothing and stops nothing. A worker that dies while sending may send the same once more; webhooks
carry the same id then, and emails the same Message-ID.
"""

import time
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Count, F, Q
from django.utils.translation import gettext as _
from django.utils.translation import override

from doorsync.models import SchedulerState
from doorsync.models.notices import Delivery, Notice, Recipient
from doorsync.notices import messages
from doorsync.notices.decision import (
    PATIENCE,
    WITHIN,
    Known,
    Seen,
    Which,
    Wrong,
    digest_due,
    look,
    may_tell,
)
from doorsync.notices.problems import seen
from portal.audit.models import Outcome, record
from portal.core import clock, webhooks
from portal.core.http import HttpError

log = structlog.get_logger(__name__)

# One round sends for so long; what is due then is sent in the next.
BUDGET_SECONDS = 20
# Longer than sending one message may take: a worker that died is followed by another.
LEASE = timedelta(minutes=2)
WEBHOOK_SECONDS = 5.0
MOST_ATTEMPTS = 12  # about five hours
KEPT = timedelta(days=90)
_TROUBLE = 500


def send_notices() -> None:
    """Look, write down what is to be told, and send what is due."""
    watch()
    deliver()


@transaction.atomic
def watch() -> None:
    """Compare what is wrong now with what was told, and make the messages that follow from it."""
    now = clock.now()
    SchedulerState.objects.select_for_update().get(pk=1)  # two at once would tell everything twice
    _write_down(seen(now), now)
    for recipient in Recipient.objects.filter(enabled=True):
        _tell(recipient, now)
        _tell_digest(recipient, now)
    # What began while nobody listened is not told later.
    Recipient.objects.filter(enabled=False).update(told_until=now, digest_at=now)
    Notice.objects.filter(since__lt=now - KEPT, ended_at__isnull=False).delete()
    Delivery.objects.filter(made_at__lt=now - KEPT).delete()


def _write_down(found: Seen, now: datetime) -> None:
    rows = {Which(row.kind, row.key): row for row in Notice.objects.filter(ended_at__isnull=True)}
    counts = Notice.objects.filter(told_at__gt=now - WITHIN).values_list("kind", "key").annotate(n=Count("pk"))
    told_lately = {Which(kind, key): n for kind, key, n in counts.order_by()}
    wrong = {one.which: one for one in found.wrong}
    for which, known in look(
        {w: _known(row) for w, row in rows.items()}, found, told_lately=told_lately, now=now
    ).items():
        row = rows.get(which) or Notice(kind=which.kind, key=which.key)
        _update(row, known, wrong.get(which))


def _known(row: Notice) -> Known:
    return Known(since=row.since, told_at=row.told_at, clear_since=row.clear_since)


@transaction.atomic
def _update(row: Notice, known: Known, wrong: Wrong | None) -> None:
    if not known.worth_keeping:
        row.delete()
        return
    began = known.told_at is not None and row.told_at is None
    before = dict(row.__dict__)
    row.since, row.told_at, row.clear_since = known.since, known.told_at, known.clear_since
    row.ended_at, row.end_told_at = known.ended_at, known.end_told_at
    if wrong is not None:
        row.label, row.why = wrong.label[:300], wrong.why
    if row.pk is None or before != row.__dict__:
        row.save()
    if began:
        record(actor="portal", action="notice.begun", on=row, outcome=Outcome.FAILED, reasons=[row.why])
    if known.end_told_at is not None:
        record(actor="portal", action="notice.ended", on=row)


def _tell(recipient: Recipient, now: datetime) -> None:
    """Tell what began and what ended since the last time; together, and not more often than every few minutes."""
    mine = Notice.objects.filter(kind__in=recipient.kinds)
    begun = list(mine.filter(told_at__gt=recipient.told_until, ended_at__isnull=True).order_by("id"))
    ended = list(mine.filter(end_told_at__gt=recipient.told_until).order_by("id"))
    chosen = Recipient.objects.filter(pk=recipient.pk)
    if not (begun or ended):
        chosen.update(told_until=now)
    elif may_tell(recipient.message_at, now):
        with override(recipient.language):
            message = messages.news(begun, ended, now)
        put(recipient, message)
        chosen.update(told_until=now, message_at=now)


def _tell_digest(recipient: Recipient, now: datetime) -> None:
    if not digest_due(recipient.digest_at, recipient.digest_hour, ZoneInfo(settings.SITE_TIME_ZONE), now):
        return
    mine = Notice.objects.filter(kind__in=recipient.kinds).order_by("id")
    open_now = mine.filter(ended_at__isnull=True)
    going_on = [n for n in open_now if n.told_at is not None or now - n.since >= PATIENCE[n.kind]]
    ended = list(mine.filter(ended_at__gt=recipient.digest_at))
    if going_on or ended:
        with override(recipient.language):
            put(recipient, messages.digest(going_on, ended, now))
    Recipient.objects.filter(pk=recipient.pk).update(digest_at=now)


def put(recipient: Recipient, message: messages.Message) -> Delivery:
    """Have a message sent to a recipient."""
    return Delivery.objects.create(
        recipient=recipient, type=message.type, subject=message.subject, text=message.text, data=message.data
    )


def deliver() -> None:
    """Send what is due, for a while. Whom a message does not reach gets no other in this round."""
    deadline = time.monotonic() + BUDGET_SECONDS
    silent: set[int] = set()
    while time.monotonic() < deadline:
        delivery = _claimed(silent)
        if delivery is None:
            return
        problem = _sent(delivery)
        if problem:
            silent.add(delivery.recipient_id)
        _note(delivery, problem)


def _claimed(silent: set[int]) -> Delivery | None:
    """A message that is due, taken for this worker; None where there is none."""
    now = clock.now()
    due = Delivery.objects.filter(
        state=Delivery.State.WAITING, next_attempt_at__lte=now, recipient__enabled=True
    ).exclude(recipient__in=silent)
    for pk, next_attempt_at in due.order_by("next_attempt_at").values_list("pk", "next_attempt_at")[:10]:
        same = Delivery.objects.filter(pk=pk, next_attempt_at=next_attempt_at, state=Delivery.State.WAITING)
        if same.update(next_attempt_at=now + LEASE, attempts=F("attempts") + 1):
            return Delivery.objects.select_related("recipient").get(pk=pk)
    return None


def _sent(delivery: Delivery) -> str:
    """Send it. Why that was not possible, in a sentence; "" where it was."""
    if delivery.recipient.channel == Recipient.Channel.WEBHOOK:
        return _sent_by_webhook(delivery)
    return _sent_by_email(delivery)


def _sent_by_email(delivery: Delivery) -> str:
    host = urlsplit(settings.PORTAL_PUBLIC_URL).hostname
    message = EmailMessage(
        delivery.subject,
        delivery.text,
        to=[delivery.recipient.email],
        headers={"Message-ID": f"<{delivery.key}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    try:
        message.send()
    except (OSError, ValueError) as error:  # smtplib's errors are OSErrors
        return _("The email could not be sent: %(why)s") % {"why": f"{type(error).__name__}: {error}"}
    return ""


def _sent_by_webhook(delivery: Delivery) -> str:
    recipient = delivery.recipient
    with webhooks.new_session() as session:
        try:
            status = webhooks.post(
                session,
                recipient.url,
                secret=recipient.secret or "",
                key=str(delivery.key),
                kind=delivery.type,
                data={"subject": delivery.subject, "text": delivery.text, **delivery.data},
                now=clock.now(),
                seconds=WEBHOOK_SECONDS,
            )
        except HttpError as error:
            return str(error)
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return ""
    return _("The receiver answered with status %(status)d.") % {"status": status}


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: half a minute, doubling, an hour at the most."""
    return timedelta(seconds=min(30 * 2 ** (attempts - 1), 3600))


def _note(delivery: Delivery, problem: str) -> None:
    now = clock.now()
    row = Delivery.objects.filter(Q(pk=delivery.pk, state=Delivery.State.WAITING))
    if not problem:
        row.update(state=Delivery.State.SENT, sent_at=now, last_error="", next_attempt_at=None)
        return
    problem = problem[:_TROUBLE]
    log.warning("a notice could not be sent", recipient=delivery.recipient.name, why=problem)
    if delivery.attempts < MOST_ATTEMPTS:
        row.update(last_error=problem, next_attempt_at=now + wait_after(delivery.attempts))
        return
    with transaction.atomic():
        row.update(state=Delivery.State.GIVEN_UP, last_error=problem, next_attempt_at=None)
        record(
            actor="portal",
            action="notice.given_up",
            on=delivery.recipient,
            outcome=Outcome.FAILED,
            reasons=[problem],
            detail={"subject": delivery.subject, "attempts": delivery.attempts},
        )
