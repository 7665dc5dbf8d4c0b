"""Answer a scan: normalise the code, look the visit up live within a deadline, decide, store, answer. Fails closed."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils.module_loading import import_string

from accessmap.models import Door
from portal.audit.models import Outcome, record
from portal.core import clock
from portal.core.problems import Problem
from portal.offision import statuses, types
from portal.offision.errors import NotFound, NotUnderstood, OffisionError, Refused, TryAgain
from visitors.models import Passage, Turnstile, Verification, Visit
from visitors.problems import UNKNOWN_STATUS_WORD, denied
from visitors.verification import guessing
from visitors.verification.codes import code_of, problem_without_code
from visitors.verification.decision import OUTSIDE, Direction, KnownVisit, Reason, decide
from visitors.verification.lookup import LookUpError, look_up
from visitors.verification.messages import message
from visitors.visits import outbox, passages, store
from visitors.visits.presence import presence_of

Source = Verification.Source
# A device that did not receive its answer repeats the scan at once, or never.
REPEAT_WITHIN = timedelta(minutes=1)
# Statuses of servers that do not have a thing; 200 comes with an error in its envelope.
_REFUSES_THE_CODE = {200, 400, 404, 410, 422}


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan of a device. `scanned_at` is the device's own clock (aware), which is only stored.

    `same_within`: for devices without nonces, the time in which the same code at the same turnstile is the same scan.
    """

    text: str
    direction: Direction | None = None
    reader: str = ""
    nonce: str = ""
    scanned_at: datetime | None = None
    same_within: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        """Raises ValueError for a nonce or reader that cannot be stored."""
        if not (self.nonce.isprintable() and self.reader.isprintable()):
            raise ValueError("The nonce or the reader has characters that cannot be printed.")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a scan. `shown`: what the display may show of the visitor. `verification`: None if throttled."""

    allowed: bool
    reasons: tuple[str, ...]
    direction: Direction
    message: str
    open_ms: int | None
    shown: dict[str, str]
    verification: Verification | None


@dataclass(frozen=True, slots=True)
class _LookUpResult:
    """The visit of a code as Offision describes it, or the obstacle.

    `unanswered`: Offision gave no answer at all; only then is a stored visit trusted.
    """

    code: str
    digest: str
    visit: types.Visit | None = None
    obstacle: Reason | None = None
    upstream: Problem | None = None
    unanswered: bool = False


def verify(turnstile: Turnstile, scan: Scan) -> Answer:
    """Decide on one scan, and store the verification before it is answered. A repeated scan gets its first answer."""
    now = clock.now()
    guessing.write_counts_if_due()
    direction = _direction(turnstile, scan)
    code, key = code_of(turnstile, scan.text)
    if previous := _previous(turnstile, scan, direction, key):
        return _answer(turnstile, previous)
    if guessing.is_throttled(turnstile) and not store.is_known(key):
        guessing.count_rejected(turnstile, now)
        return _throttled(direction)
    result = _look_up(turnstile, code, key) if code else _LookUpResult(code, key, obstacle=Reason.MALFORMED)
    try:
        with transaction.atomic():
            if previous := _previous_under_lock(turnstile, scan, direction, key):
                return _answer(turnstile, previous)
            verification = _decide_and_store(turnstile, scan, direction, result)
    except IntegrityError:
        # The same scan was sent twice at once: the first answer stands. Or an old scan had the same nonce.
        if previous := _previous(turnstile, scan, direction, key):
            return _answer(turnstile, previous)
        with transaction.atomic():
            verification = _decide_and_store(turnstile, replace(scan, nonce=""), direction, result)
    if {Reason.UNKNOWN_CODE, Reason.MALFORMED} & set(verification.reasons):
        guessing.unknown_code_scanned(turnstile, now)
    if verification.allowed and turnstile.opens == Turnstile.Opens.DOOR:
        _open_door(turnstile, verification)
    return _answer(turnstile, verification)


def _direction(turnstile: Turnstile, scan: Scan) -> Direction:
    """The direction of the reader; without a configured reader, the scan's own; else the turnstile's."""
    if scan.reader:
        of_reader = turnstile.readers.filter(name=scan.reader).values_list("direction", flat=True).first()
        if of_reader:
            return Direction(of_reader)
    return scan.direction or Direction(turnstile.direction)


def _previous(turnstile: Turnstile, scan: Scan, direction: Direction, key: str) -> Verification | None:
    """The verification of this very scan, a moment ago: same nonce, same code, same direction.

    An allow with a confirmed passage answers no further scan, whatever its nonce.
    """
    now = clock.now()
    within = REPEAT_WITHIN if scan.nonce else scan.same_within
    if not turnstile.enabled or not within:
        return None
    previous = (
        turnstile.verifications.filter(
            nonce=scan.nonce, code_digest=key, direction=direction.value, at__gt=now - within, at__lte=now
        )
        .exclude(source=Source.OFFLINE)
        .order_by("-at")
        .first()
    )
    if previous is None:
        return None
    passed = previous.allowed and Passage.objects.filter(verification=previous, passed=True, assumed=False).exists()
    return None if passed else previous


def _previous_under_lock(turnstile: Turnstile, scan: Scan, direction: Direction, key: str) -> Verification | None:
    """As _previous, after other transactions with this scan: devices without nonces repeat a scan while they wait."""
    if scan.nonce or not scan.same_within:
        return None  # a constraint on the nonce does the same
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"scan {turnstile.pk} {key}"])
    return _previous(turnstile, scan, direction, key)


def _look_up(turnstile: Turnstile, code: str, key: str) -> _LookUpResult:
    if not turnstile.enabled:
        return _LookUpResult(code, key, obstacle=Reason.DEVICE_DISABLED)
    try:
        visit = look_up(code)
    except NotFound:
        return _LookUpResult(code, key, obstacle=Reason.UNKNOWN_CODE)
    except LookUpError as error:
        return _LookUpResult(code, key, obstacle=Reason.UPSTREAM_UNAVAILABLE, upstream=error.problem, unanswered=True)
    except OffisionError as error:
        upstream = problem_without_code(error, code)
        if isinstance(error, Refused) and error.status_code in _REFUSES_THE_CODE:
            obstacle = Reason.UNKNOWN_CODE
        elif isinstance(error, Refused | NotUnderstood):
            obstacle = Reason.UPSTREAM_MISMATCH
        else:
            obstacle = Reason.UPSTREAM_UNAVAILABLE
        return _LookUpResult(code, key, obstacle=obstacle, upstream=upstream, unanswered=isinstance(error, TryAgain))
    if visit.status is statuses.VisitStatus.UNKNOWN:
        upstream = UNKNOWN_STATUS_WORD(word=visit.status_word[:100] or '""')
        return _LookUpResult(code, key, visit=visit, upstream=upstream)
    return _LookUpResult(code, key, visit=visit)


def _decide_and_store(turnstile: Turnstile, scan: Scan, direction: Direction, result: _LookUpResult) -> Verification:
    """Decide with the visit's row locked: with anti-passback, two lanes at once do not both admit one code."""
    now = clock.now()
    visit, known, source = _stored_visit(turnstile, result, now)
    policy = turnstile.policy
    presence = presence_of(visit, turnstile.site, now) if visit and policy.needs_presence else OUTSIDE
    decision = decide(policy, direction=direction, visit=known, obstacle=result.obstacle, now=now, presence=presence)
    verification = Verification(
        at=now,
        turnstile=turnstile,
        reader=scan.reader[:50],
        direction=direction.value,
        code_digest=result.digest,
        visit=visit,
        nonce=scan.nonce,
        allowed=decision.allowed,
        reasons=[reason.value for reason in decision.reasons],
        notes=[note.value for note in decision.notes],
        source=source,
        visitor=visit.name if visit else "",
        scanned_at=scan.scanned_at,
        upstream=result.upstream or [],
    )
    verification.save(force_insert=True)
    _record(verification, turnstile)
    if verification.allowed and visit:
        outbox.prepare(verification, turnstile, visit, result.code)
        if not turnstile.reports_passages:
            passages.assume_passage(verification, turnstile)
    return verification


def _stored_visit(
    turnstile: Turnstile, result: _LookUpResult, now: datetime
) -> tuple[Visit | None, KnownVisit | None, str]:
    """The visit's row, locked and up to date, what is known of it, and the source of that."""
    visit: Visit | None = None
    source = Source.NONE
    if result.visit is not None:
        visit, source = store.visit_row(result.visit, result.digest, now), Source.LIVE
        store.save(visit)
    elif result.obstacle is Reason.UNKNOWN_CODE:
        store.mark_unknown(result.digest)
        source = Source.LIVE
    elif result.unanswered and turnstile.trust_minutes:
        visit = store.seen_since(result.digest, now - timedelta(minutes=turnstile.trust_minutes))
        source = Source.TRUSTED if visit else Source.NONE
    return visit, visit.known if visit else None, source


def _record(verification: Verification, turnstile: Turnstile) -> None:
    detail: dict[str, Any] = {"direction": verification.direction, "source": str(verification.source)}
    if verification.notes:
        detail["notes"] = verification.notes
    record(
        actor=f"turnstile {turnstile.name}",
        action="visitor.verify",
        on=verification,
        label=verification.visitor or f"code {verification.code_digest[:12]}",
        outcome=Outcome.DONE if verification.allowed else Outcome.REFUSED,
        reasons=denied(verification.reasons),
        detail=detail,
    )


def _open_door(turnstile: Turnstile, verification: Verification) -> None:
    """Unlock the turnstile's door for a moment, once. If it certainly stayed shut, nobody passed."""
    open_for_a_moment = import_string(settings.OPEN_DOOR)
    assert turnstile.door_id is not None, "a constraint of the table"
    door = Door.objects.select_related("controller").get(pk=turnstile.door_id)
    opened: bool | None = open_for_a_moment(
        door, milliseconds=turnstile.open_ms, key=str(verification.pk), actor=f"turnstile {turnstile.name}"
    )
    if opened:
        return
    verification.notes = [*verification.notes, Reason.DOOR_NOT_OPENED.value]
    verification.save(update_fields=["notes"])
    if opened is False:
        passages.report_passage(verification, turnstile, passed=False)


def _answer(turnstile: Turnstile, verification: Verification) -> Answer:
    """The answer of a stored verification. An allow whose door was not unlocked is answered as a deny."""
    shut = Reason.DOOR_NOT_OPENED.value in verification.notes
    allowed = verification.allowed and not shut
    reasons = (Reason.DOOR_NOT_OPENED.value,) if verification.allowed and shut else tuple(verification.reasons)
    visit = verification.visit
    fields = {"name": "name", "company": "company", "host": "host_email"}
    return Answer(
        allowed=allowed,
        reasons=reasons,
        direction=Direction(verification.direction),
        message=message(allowed, reasons),
        open_ms=turnstile.open_ms if allowed else None,
        shown={shown: getattr(visit, fields[shown]) for shown in turnstile.shows} if visit and allowed else {},
        verification=verification,
    )


def _throttled(direction: Direction) -> Answer:
    reasons = (Reason.THROTTLED.value,)
    return Answer(False, reasons, direction, message(False, reasons), None, {}, None)
