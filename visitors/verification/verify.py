"""Answer a turnstile: normalise, look up live within a deadline, decide, write it down, answer. Fails closed."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from accessmap.models import Door
from portal.audit.models import Outcome, record
from portal.core import clock
from portal.offision import types
from portal.offision.errors import NotFound, NotUnderstood, OffisionError, Refused, TryAgain
from visitors.models import Passage, Turnstile, Verification, Visit
from visitors.verification import guessing
from visitors.verification.codes import code_of, without
from visitors.verification.decision import OUTSIDE, Decision, Direction, Reason, Sighting, decide
from visitors.verification.lookup import look_up
from visitors.verification.messages import message
from visitors.verification.presence import presence_of
from visitors.visits import outbox, passages

log = structlog.get_logger(__name__)

VISIT_FIELDS = ["name", "company", "host_email", "valid_from", "valid_until", "status", "offision_site", "seen_at"]
Source = Verification.Source
# An answer that was not heard is asked for again at once, or not at all.
REPLAYED_FOR = timedelta(minutes=1)
_EARLIEST, _LATEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
# What servers say of a thing that they don't have; 200 with an error in its envelope among it.
_NO_TO_THE_CODE = {200, 400, 404, 410, 422}


@dataclass(frozen=True, slots=True)
class Scan:
    """What a device asks. `scanned_at` is its own clock (aware), which is only noted.

    `same_within`: a scan of the same code at the same turnstile in this time is the same scan; for devices that number
    their scans by no nonce.
    """

    read: str
    direction: Direction | None = None
    reader: str = ""
    nonce: str = ""
    scanned_at: datetime | None = None
    same_within: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        """Raises ValueError for a nonce or reader that can be none: they are stored as they come."""
        if not (self.nonce.isprintable() and self.reader.isprintable()):
            raise ValueError("The nonce or the reader holds characters that can't be printed.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device is told. `shown`: what its display may show of the visitor. None where nothing was written down."""

    allowed: bool
    reasons: tuple[str, ...]
    direction: Direction
    message: str
    open_ms: int | None
    shown: dict[str, str]
    verification: Verification | None


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of a code: the visit as Offision tells it, or why there is none."""

    code: str
    digest: str
    visit: types.Visit | None = None
    obstacle: Reason | None = None
    upstream: str = ""
    silent: bool = False  # Offision did not answer at all: only then is a visit seen before to be trusted


def verify(turnstile: Turnstile, scan: Scan) -> Answer:
    """Decide on one scan, and write the answer down before it is given. A scan seen before gets its first answer."""
    now = clock.now()
    direction = _direction(turnstile, scan)
    code, key = code_of(turnstile, scan.read)
    if before := _seen_before(turnstile, scan, direction, key):
        return _answer(turnstile, before)
    if guessing.is_closed(turnstile) and not _is_known(key):
        guessing.count_turned_away(turnstile, now)
        return _turned_away(direction)
    found = _look_up(turnstile, code, key) if code else _Found(code, key, obstacle=Reason.MALFORMED)
    try:
        with transaction.atomic():
            if before := _sent_meanwhile(turnstile, scan, direction, key):
                return _answer(turnstile, before)
            answer = _decide_and_write(turnstile, scan, direction, found)
    except IntegrityError:
        # The same scan was sent twice at once: the first answer stands. Or its number is an old one's.
        if before := _seen_before(turnstile, scan, direction, key):
            return _answer(turnstile, before)
        with transaction.atomic():
            answer = _decide_and_write(turnstile, replace(scan, nonce=""), direction, found)
    if {Reason.UNKNOWN_CODE, Reason.MALFORMED} & set(answer.reasons):
        guessing.note_unknown(turnstile, now)
    if answer.allowed and turnstile.opens == Turnstile.Opens.DOOR:
        _open(turnstile, answer)
    return _answer(turnstile, answer)


def _direction(turnstile: Turnstile, scan: Scan) -> Direction:
    """By the reader, where the device tells which; else as the device says; else the turnstile's own."""
    if scan.reader:
        known = turnstile.readers.filter(name=scan.reader).values_list("direction", flat=True).first()
        if known:
            return Direction(known)
    return scan.direction or Direction(turnstile.direction)


def _seen_before(turnstile: Turnstile, scan: Scan, direction: Direction, key: str) -> Verification | None:
    """The answer to this very scan, if it was given a moment ago: same number, same code, same way.

    A yes that somebody has walked through on is no answer to another scan, whatever its number.
    """
    now = clock.now()
    within = REPLAYED_FOR if scan.nonce else scan.same_within
    if not turnstile.enabled or not within:
        return None
    before = (
        turnstile.verifications.filter(
            nonce=scan.nonce, code_digest=key, direction=direction.value, at__gt=now - within, at__lte=now
        )
        .exclude(source=Source.OFFLINE)
        .order_by("-at")
        .first()
    )
    if before is None:
        return None
    walked = before.allowed and Passage.objects.filter(verification=before, passed=True, assumed=False).exists()
    return None if walked else before


def _sent_meanwhile(turnstile: Turnstile, scan: Scan, direction: Direction, key: str) -> Verification | None:
    """The answer to this scan, given while it was looked up here: devices without numbers send again when they wait.

    Within a transaction, whose end lets the next one look.
    """
    if scan.nonce or not scan.same_within:
        return None  # numbers are told apart by a constraint
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"scan {turnstile.pk} {key}"])
    return _seen_before(turnstile, scan, direction, key)


def _is_known(key: str) -> bool:
    return Visit.objects.filter(code_digest=key).exclude(status=types.VisitStatus.UNKNOWN.value).exists()


def _look_up(turnstile: Turnstile, code: str, key: str) -> _Found:
    """The visit, or why there is none, with what staff should know of it."""
    if not turnstile.enabled:
        return _Found(code, key, obstacle=Reason.DEVICE_DISABLED)
    try:
        visit = look_up(code)
    except NotFound:
        return _Found(code, key, obstacle=Reason.UNKNOWN_CODE)
    except Refused as error:
        # A no that the contract did not foresee: about this code, or to the question itself.
        reason = Reason.UNKNOWN_CODE if error.status_code in _NO_TO_THE_CODE else Reason.UPSTREAM_MISMATCH
        return _Found(code, key, obstacle=reason, upstream=without(code, error.summary))
    except NotUnderstood as error:
        return _Found(code, key, obstacle=Reason.UPSTREAM_MISMATCH, upstream=without(code, error.summary))
    except OffisionError as error:
        silent = isinstance(error, TryAgain)
        return _Found(
            code, key, obstacle=Reason.UPSTREAM_UNAVAILABLE, upstream=without(code, error.summary), silent=silent
        )
    upstream = ""
    if visit.status is types.VisitStatus.UNKNOWN:
        upstream = _("The field status holds %(word)s, which words.visit of the contract does not list.") % {
            "word": visit.status_word[:100] or '""'
        }
    return _Found(code, key, visit=visit, upstream=upstream)


def _decide_and_write(turnstile: Turnstile, scan: Scan, direction: Direction, found: _Found) -> Verification:
    """Decide with the visit's row locked: two lanes can't both admit one code where single entry is asked."""
    now = clock.now()
    row, sighting, source = _row(turnstile, found, now)
    terms = turnstile.terms
    presence = presence_of(row, turnstile.site, now) if row and terms.minds_presence else OUTSIDE
    decision = decide(terms, direction=direction, visit=sighting, obstacle=found.obstacle, now=now, presence=presence)
    answer = Verification(
        at=now,
        turnstile=turnstile,
        reader=scan.reader[:50],
        direction=direction.value,
        code_digest=found.digest,
        visit=row if sighting else None,
        nonce=scan.nonce,
        allowed=decision.allowed,
        reasons=[reason.value for reason in decision.reasons],
        notes=[note.value for note in decision.notes],
        source=source,
        visitor=row.name if row and sighting else "",
        scanned_at=scan.scanned_at,
        upstream=found.upstream,
    )
    answer.save(force_insert=True)
    _log(answer, turnstile, decision)
    if answer.allowed and row:
        outbox.prepare(answer, turnstile, row, found.code)
        if not turnstile.reports_passages:
            passages.assume(answer, turnstile)
    return answer


def _row(turnstile: Turnstile, found: _Found, now: datetime) -> tuple[Visit | None, Sighting | None, str]:
    """The visit's row, locked and up to date; what the decision is to go by; and whence that comes."""
    if found.visit is not None:
        row = visit_row(found.visit, found.digest, now)
        Visit.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["code_digest"], update_fields=VISIT_FIELDS
        )
        return row, row.sighting, Source.LIVE
    if found.obstacle is Reason.UNKNOWN_CODE:
        # What Offision no longer knows is not to be trusted later, either.
        Visit.objects.filter(code_digest=found.digest).update(status=types.VisitStatus.UNKNOWN.value)
        return None, None, Source.LIVE
    if found.silent and turnstile.trust_minutes:
        oldest = now - timedelta(minutes=turnstile.trust_minutes)
        row_ = Visit.objects.select_for_update().filter(code_digest=found.digest, seen_at__gte=oldest).first()
        if row_ is not None:
            return row_, row_.sighting, Source.TRUSTED
    return None, None, Source.NONE


def visit_row(visit: types.Visit, key: str, now: datetime) -> Visit:
    """A visit of Offision's as it is kept."""
    return Visit(
        code_digest=key,
        name=visit.name[:300],
        company=visit.company[:300],
        host_email=visit.host_email,
        valid_from=_bounded(visit.valid_from),
        valid_until=_bounded(visit.valid_until),
        status=visit.status.value,
        offision_site=visit.site,
        seen_at=now,
    )


def _bounded(moment: datetime | None) -> datetime | None:
    """Servers say "always" by the calendar's first and last moments, and those can't be shown in another time zone."""
    return moment and min(max(moment, _EARLIEST), _LATEST)


def _log(answer: Verification, turnstile: Turnstile, decision: Decision) -> None:
    detail: dict[str, Any] = {"direction": answer.direction, "source": str(answer.source)}
    if answer.notes:
        detail["notes"] = answer.notes
    record(
        actor=f"turnstile {turnstile.name}",
        action="visitor.verify",
        on=answer,
        label=answer.visitor or f"code {answer.code_digest[:12]}",
        outcome=Outcome.DONE if decision.allowed else Outcome.REFUSED,
        reasons=answer.reasons,
        detail=detail,
    )


def _open(turnstile: Turnstile, answer: Verification) -> None:
    """Unlock the turnstile's door for a moment, once. Where it surely stayed shut, nobody has walked."""
    open_for_a_moment = import_string(settings.OPEN_DOOR)
    assert turnstile.door_id is not None, "a constraint of the table's"
    door = Door.objects.select_related("controller").get(pk=turnstile.door_id)
    opened: bool | None = open_for_a_moment(
        door, milliseconds=turnstile.open_ms, key=str(answer.pk), actor=f"turnstile {turnstile.name}"
    )
    if opened:
        return
    answer.notes = [*answer.notes, Reason.DOOR_NOT_OPENED.value]
    answer.save(update_fields=["notes"])
    if opened is False:
        passages.report(answer, turnstile, passed=False)


def _answer(turnstile: Turnstile, row: Verification) -> Answer:
    """What the device is told. Who was allowed and whose door was not unlocked is told so, and not to walk."""
    shut = Reason.DOOR_NOT_OPENED.value in row.notes
    allowed = row.allowed and not shut
    reasons = (Reason.DOOR_NOT_OPENED.value,) if row.allowed and shut else tuple(row.reasons)
    visit = row.visit
    shows = {"name": "name", "company": "company", "host": "host_email"}
    return Answer(
        allowed=allowed,
        reasons=reasons,
        direction=Direction(row.direction),
        message=message(allowed, reasons),
        open_ms=turnstile.open_ms if allowed else None,
        shown={key: getattr(visit, shows[key]) for key in turnstile.shows} if visit and allowed else {},
        verification=row,
    )


def _turned_away(direction: Direction) -> Answer:
    reasons = (Reason.THROTTLED.value,)
    return Answer(False, reasons, direction, message(False, reasons), None, {}, None)
