"""Passages, which a turnstile reports or the portal assumes, and what turnstiles decided or scanned while offline."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from portal.audit.models import Outcome, record
from portal.core import clock
from portal.offision.statuses import VisitStatus
from visitors.models import Passage, Turnstile, Verification, Visit
from visitors.problems import REPORTED_LATE, denied
from visitors.verification.codes import code_of
from visitors.verification.decision import Direction, Reason
from visitors.visits import outbox
from visitors.visits.presence import has_lapsed, is_late

# A report without the scan's number is matched with a verification not older than this.
_MATCH_WITHIN = timedelta(minutes=10)


class ContradictionError(Exception):
    """The turnstile reported the opposite for this verification before. The first report stands."""


class NotAllowedError(Exception):
    """A passage was reported for a verification that was denied."""


def assume_passage(verification: Verification, turnstile: Turnstile) -> None:
    """Store a doubtful passage of a turnstile that does not report passages. Within a transaction."""
    _store(verification, turnstile, passed=True, at=verification.at, assumed=True)


@transaction.atomic
def report_passage(
    verification: Verification, turnstile: Turnstile, *, passed: bool, at: datetime | None = None
) -> Passage:
    """Store a turnstile's report after one of its verifications; `at` is its own clock (aware).

    The same report again changes nothing. Raises ContradictionError and NotAllowedError.
    """
    Verification.objects.select_for_update().get(pk=verification.pk)  # one report at a time
    if verification.visit_id is not None:
        Visit.objects.select_for_update().get(pk=verification.visit_id)  # and no decision about the visit meanwhile
    previous = Passage.objects.filter(verification=verification).first()
    if previous is not None and not previous.assumed:
        if previous.passed != passed:
            raise ContradictionError
        return previous
    if passed and not verification.allowed:
        raise NotAllowedError
    if previous is not None:
        previous.delete()  # the report replaces the assumption
    now = clock.now()
    # Clocks of turnstiles go wrong: never before the verification, never in the future.
    moment = max(verification.at, min(at or now, now))
    return _store(verification, turnstile, passed=passed, at=moment, assumed=False)


def _store(verification: Verification, turnstile: Turnstile, *, passed: bool, at: datetime, assumed: bool) -> Passage:
    passage = Passage.objects.create(
        verification=verification,
        turnstile=turnstile,
        site=turnstile.site,
        visit_id=verification.visit_id,
        direction=verification.direction,
        at=at,
        passed=passed,
        assumed=assumed,
    )
    if turnstile.updates_visit_status:
        outbox.passage_known(verification, passed=passed)
    if not assumed:
        record(
            actor=f"turnstile {turnstile.name}",
            action="visitor.passage",
            on=passage,
            label=verification.visitor or f"code {verification.code_digest[:12]}",
            outcome=Outcome.DONE if passed else Outcome.REFUSED,
            reasons=[REPORTED_LATE()] if passed and is_late(verification, clock.now()) else [],
            detail={"direction": verification.direction, "verification": str(verification.pk)},
        )
    return passage


def verification_to_confirm(turnstile: Turnstile, *, nonce: str = "") -> Verification | None:
    """The verification that a passage report is about, or None.

    That is the one with the scan's number; for a report without a known number, the last allowed one whose time is not
    over.
    """
    unconfirmed = Q(passage__isnull=True) | Q(passage__assumed=True)
    allowed: QuerySet[Verification] = turnstile.verifications.filter(allowed=True)
    # Phrased for the index of nonces: a turnstile has millions of verifications in time.
    numbered = ~Q(source=Verification.Source.OFFLINE) & Q(nonce=nonce)
    if nonce and turnstile.verifications.filter(numbered).exists():
        return allowed.filter(unconfirmed, numbered).order_by("-at").first()
    now = clock.now()
    recent = allowed.filter(unconfirmed, at__gt=now - _MATCH_WITHIN).order_by("-at")
    return next((verification for verification in recent if not has_lapsed(verification, now)), None)


def record_offline_decision(
    turnstile: Turnstile,
    *,
    text: str,
    allowed: bool,
    direction: Direction,
    at: datetime,
    nonce: str = "",
    reason: str = "",
) -> Verification:
    """Store what a turnstile decided while offline, `at` by its own clock (aware). It is not decided again."""
    code, key = code_of(turnstile, text)
    # The same decision is stored once. An online answer with the same nonce is another fact: the turnstile did not
    # receive it. So is another code or moment: turnstiles that lose their memory count from one again.
    reports = turnstile.verifications.filter(
        source=Verification.Source.OFFLINE, nonce=nonce, code_digest=key, direction=direction.value, scanned_at=at
    )
    if previous := reports.first():
        return previous
    now = clock.now()
    visit = Visit.objects.filter(code_digest=key).first()
    if visit is None and allowed:
        # The visitor is inside, and Offision has not described the visit yet.
        visit, _created = Visit.objects.get_or_create(
            code_digest=key, defaults={"status": VisitStatus.UNKNOWN.value, "seen_at": min(at, now)}
        )
    verification = Verification(
        at=min(at, now),
        turnstile=turnstile,
        direction=direction.value,
        code_digest=key,
        visit=visit,
        nonce=nonce,
        allowed=allowed,
        reasons=[] if allowed else [reason or Reason.DECIDED_OFFLINE.value],
        source=Verification.Source.OFFLINE,
        visitor=visit.name if visit else "",
        scanned_at=at,
    )
    try:
        _store_offline(verification, turnstile, code)
    except IntegrityError:  # the same decision was reported twice at once
        return reports.get()
    return verification


@transaction.atomic
def _store_offline(verification: Verification, turnstile: Turnstile, code: str) -> None:
    verification.save(force_insert=True)
    record(
        actor=f"turnstile {turnstile.name}",
        action="visitor.offline",
        on=verification,
        label=verification.visitor or f"code {verification.code_digest[:12]}",
        outcome=Outcome.DONE if verification.allowed else Outcome.REFUSED,
        reasons=denied(verification.reasons),
        detail={
            "direction": verification.direction,
            "scanned_at": verification.scanned_at and verification.scanned_at.isoformat(),
        },
    )
    visit = verification.visit
    if verification.allowed and visit is not None and code and not _passed_since(visit, verification.at):
        outbox.prepare(verification, turnstile, visit, code)
    if verification.allowed and not turnstile.reports_passages:
        assume_passage(verification, turnstile)


def _passed_since(visit: Visit, moment: datetime) -> bool:
    """Whether the visitor passed again: that passage's update of Offision is newer."""
    return Passage.objects.filter(visit=visit, at__gt=moment, passed=True).exists()


@transaction.atomic
def record_past_scan(turnstile: Turnstile, *, text: str, at: str) -> None:
    """Write a past scan into the audit log, and nothing else: the device sent neither a decision nor a reliable time.

    `at` is the time as the device wrote it.
    """
    _code, key = code_of(turnstile, text)
    visit = Visit.objects.filter(code_digest=key).first()
    record(
        actor=f"turnstile {turnstile.name}",
        action="visitor.history",
        on=turnstile,
        label=str(visit or f"code {key[:12]}"),
        detail={"at": at, "code": key[:12]},
    )
