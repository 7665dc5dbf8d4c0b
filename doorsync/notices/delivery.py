"""Every half minute: compare the current issues with the notices, make the messages that are due, and send them.

Messages are committed before they are sent, and sent outside of any transaction: a mail server that is down loses
nothing and delays nothing else. A worker that dies while sending may send a message again, under the same id.
"""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Count, F
from django.utils.translation import override

from doorsync.models import SchedulerState
from doorsync.models.notices import Delivery, Notice, Recipient
from doorsync.notices import messages
from doorsync.notices.decision import (
    FLAPPING_WINDOW,
    NOTIFY_AFTER,
    State,
    Subject,
    digest_due,
    may_send,
    next_states,
)
from doorsync.notices.detection import Issue, observe
from doorsync.notices.problems import EMAIL_NOT_SENT, RECEIVER_REFUSED
from portal.audit.models import Outcome, record
from portal.core import clock, webhooks
from portal.core.http import HttpError
from portal.core.problems import Problem

log = structlog.get_logger(__name__)

# One run sends for so long. The next run sends the rest.
BUDGET_SECONDS = 20
# Longer than it takes to send one message. After that, another worker may send it.
LEASE = timedelta(minutes=2)
WEBHOOK_SECONDS = 5.0
MAX_ATTEMPTS = 12  # over about five hours
KEPT = timedelta(days=90)
_ERROR_LENGTH = 500


def send_notices() -> None:
    """Update the notices, make the messages that are due, and send them."""
    update_notices()
    deliver()


@transaction.atomic
def update_notices() -> None:
    """Update the notices from the current issues, and make the messages that are due."""
    now = clock.now()
    SchedulerState.objects.select_for_update().get(pk=1)  # two at once would make every message twice
    observation = observe(now)
    notices = {Subject(row.kind, row.key): row for row in Notice.objects.filter(ended_at__isnull=True)}
    next_state_of = next_states(
        {subject: _state(notice) for subject, notice in notices.items()},
        issues=observation.issues.keys(),
        unknown=observation.unknown,
        recent_notices=_recent_notices(now),
        now=now,
    )
    for subject, state in next_state_of.items():
        notice = notices.get(subject) or Notice(kind=subject.kind, key=subject.key)
        _update(notice, state, observation.issues.get(subject))
    for recipient in Recipient.objects.filter(enabled=True):
        _make_news(recipient, now)
        _make_digest(recipient, now)
    # A disabled recipient is not notified later of what starts now.
    Recipient.objects.filter(enabled=False).update(notified_until=now, digest_at=now)
    Notice.objects.filter(since__lt=now - KEPT, ended_at__isnull=False).delete()
    Delivery.objects.filter(made_at__lt=now - KEPT).delete()


def _state(notice: Notice) -> State:
    return State(since=notice.since, notified_at=notice.notified_at, clear_since=notice.clear_since)


def _recent_notices(now: datetime) -> Mapping[Subject, int]:
    recent = Notice.objects.filter(notified_at__gt=now - FLAPPING_WINDOW).order_by()
    counts = recent.values_list("kind", "key").annotate(count=Count("pk"))
    return {Subject(kind, key): count for kind, key, count in counts}


def _update(notice: Notice, state: State | None, issue: Issue | None) -> None:
    if state is None:
        notice.delete()
        return
    has_begun = state.notified_at is not None and notice.notified_at is None
    before = dict(notice.__dict__)
    notice.since, notice.notified_at, notice.clear_since = state.since, state.notified_at, state.clear_since
    notice.ended_at, notice.end_notified_at = state.ended_at, state.end_notified_at
    if issue is not None:
        notice.label, notice.problems = issue.label[:300], issue.problems
    if notice.pk is None or before != notice.__dict__:
        notice.save()
    if has_begun:
        record(actor="portal", action="notice.begun", on=notice, outcome=Outcome.FAILED, reasons=notice.problems)
    if state.end_notified_at is not None:
        record(actor="portal", action="notice.ended", on=notice)


def _make_news(recipient: Recipient, now: datetime) -> None:
    """One message of all that started and ended since the last one, MESSAGE_INTERVAL after it at the earliest."""
    notices = Notice.objects.filter(kind__in=recipient.kinds).order_by("id")
    begun = list(notices.filter(notified_at__gt=recipient.notified_until, ended_at__isnull=True))
    ended = list(notices.filter(end_notified_at__gt=recipient.notified_until))
    if not (begun or ended):
        Recipient.objects.filter(pk=recipient.pk).update(notified_until=now)
    elif may_send(recipient.message_at, now):
        with override(recipient.language):
            enqueue(recipient, messages.news(begun, ended, now))
        Recipient.objects.filter(pk=recipient.pk).update(notified_until=now, message_at=now)


def _make_digest(recipient: Recipient, now: datetime) -> None:
    if not digest_due(recipient.digest_at, recipient.digest_hour, ZoneInfo(settings.SITE_TIME_ZONE), now):
        return
    notices = Notice.objects.filter(kind__in=recipient.kinds).order_by("id")
    open_notices = notices.filter(ended_at__isnull=True)
    going_on = [n for n in open_notices if n.notified_at is not None or now - n.since >= NOTIFY_AFTER[n.kind]]
    ended = list(notices.filter(ended_at__gt=recipient.digest_at))
    if going_on or ended:
        with override(recipient.language):
            enqueue(recipient, messages.digest(going_on, ended, now))
    Recipient.objects.filter(pk=recipient.pk).update(digest_at=now)


def enqueue(recipient: Recipient, message: messages.Message) -> Delivery:
    """Store a message, to be sent by `deliver`."""
    return Delivery.objects.create(
        recipient=recipient, type=message.type, subject=message.subject, text=message.text, data=message.data
    )


def deliver() -> None:
    """Send what is due, for BUDGET_SECONDS. A recipient that one message did not reach gets no other in this run."""
    deadline = time.monotonic() + BUDGET_SECONDS
    unreached: set[int] = set()
    while time.monotonic() < deadline:
        delivery = _lease(unreached)
        if delivery is None:
            return
        problem = _send(delivery)
        if problem is not None:
            unreached.add(delivery.recipient_id)
        _save_result(delivery, problem)


def _lease(unreached: set[int]) -> Delivery | None:
    """A message that is due, leased to this worker for LEASE."""
    now = clock.now()
    waiting = Delivery.objects.filter(state=Delivery.State.WAITING, recipient__enabled=True)
    due = waiting.filter(next_attempt_at__lte=now).exclude(recipient__in=unreached).order_by("next_attempt_at")
    for pk, next_attempt_at in due.values_list("pk", "next_attempt_at")[:10]:
        unleased = waiting.filter(pk=pk, next_attempt_at=next_attempt_at)
        if unleased.update(next_attempt_at=now + LEASE, attempts=F("attempts") + 1):
            return Delivery.objects.select_related("recipient").get(pk=pk)
    return None


def _send(delivery: Delivery) -> Problem | None:
    """Send a message. Why it was not sent; None if it was."""
    if delivery.recipient.channel == Recipient.Channel.WEBHOOK:
        return _send_by_webhook(delivery)
    return _send_by_email(delivery)


def _send_by_email(delivery: Delivery) -> Problem | None:
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
        return EMAIL_NOT_SENT(why=f"{type(error).__name__}: {error}"[:_ERROR_LENGTH])
    return None


def _send_by_webhook(delivery: Delivery) -> Problem | None:
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
            return error.problem
    return None if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES else RECEIVER_REFUSED(status=status)


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: half a minute, doubling, an hour at the most."""
    return timedelta(seconds=min(30 * 2 ** (attempts - 1), 3600))


def _save_result(delivery: Delivery, problem: Problem | None) -> None:
    now = clock.now()
    row = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.WAITING)
    if problem is None:
        row.update(state=Delivery.State.SENT, sent_at=now, last_error=[], next_attempt_at=None)
        return
    log.warning("message not sent", recipient=delivery.recipient.name, why=str(problem))
    if delivery.attempts < MAX_ATTEMPTS:
        row.update(last_error=[problem], next_attempt_at=now + wait_after(delivery.attempts))
        return
    with transaction.atomic():
        row.update(state=Delivery.State.GIVEN_UP, last_error=[problem], next_attempt_at=None)
        record(
            actor="portal",
            action="notice.given_up",
            on=delivery.recipient,
            outcome=Outcome.FAILED,
            reasons=[problem],
            detail={"subject": delivery.subject, "attempts": delivery.attempts},
        )
