"""Passages: somebody walked through, or was let and did not. And what a gate decided while it was alone."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from portal.audit.models import Outcome, record
from portal.core import clock
from portal.offision.types import VisitStatus
from visitors.models import Passage, Turnstile, Verification, Visit
from visitors.verification.codes import code_of
from visitors.verification.decision import Direction, Reason
from visitors.verification.presence import is_late, lapsed
from visitors.visits import outbox

_LATE = "reported after its time: somebody else may have been let in with the same code"
_MATCH_WITHIN = timedelta(minutes=10)


class ContradictionError(Exception):
    """The gate said the opposite of this verification before. What it said first stands."""


def assume(answer: Verification, turnstile: Turnstile) -> None:
    """The turnstile does not tell: who was let pass is taken to have walked through, with a doubt. In a transaction."""
    _write(answer, turnstile, passed=True, at=answer.at, assumed=True)


@transaction.atomic
def report(answer: Verification, turnstile: Turnstile, *, passed: bool, at: datetime | None = None) -> Passage:
    """The gate says whether somebody walked through after a verification of its own; `at` by its clock (aware).

    Saying it again changes nothing. Raises ContradictionError where it says the opposite of what it said before; and
    ValueError for a verification that let nobody pass.
    """
    Verification.objects.select_for_update().get(pk=answer.pk)  # two reports of it wait for each other
    # And a lane that decides about this visit, for them.
    if answer.visit_id is not None:
        Visit.objects.select_for_update().get(pk=answer.visit_id)
    before = Passage.objects.filter(verification=answer).first()
    if before is not None and not before.assumed:
        if before.passed != passed:
            raise ContradictionError
        return before
    if not answer.allowed and passed:
        raise ValueError("nobody was let through")
    if before is not None:
        before.delete()  # it was assumed, and now somebody saw it
    now = clock.now()
    # By the gate's clock, but never before it was let pass nor after now: clocks of gates go wrong.
    moment = max(answer.at, min(at or now, now))
    return _write(answer, turnstile, passed=passed, at=moment, assumed=False)


def _write(answer: Verification, turnstile: Turnstile, *, passed: bool, at: datetime, assumed: bool) -> Passage:
    passage = Passage.objects.create(
        verification=answer,
        turnstile=turnstile,
        site=turnstile.site,
        visit_id=answer.visit_id,
        direction=answer.direction,
        at=at,
        passed=passed,
        assumed=assumed,
    )
    if turnstile.tells_offision:
        outbox.release(answer, passed=passed)
    if not assumed:
        record(
            actor=f"turnstile {turnstile.name}",
            action="visitor.passage",
            on=passage,
            label=answer.visitor or f"code {answer.code_digest[:12]}",
            outcome=Outcome.DONE if passed else Outcome.REFUSED,
            reasons=[_LATE] if passed and is_late(answer, clock.now()) else [],
            detail={"direction": answer.direction, "verification": str(answer.pk)},
        )
    return passage


def awaited(turnstile: Turnstile, *, nonce: str = "") -> Verification | None:
    """The verification that a device means: the one of that number; where it gives none that was ever seen, the last
    that let somebody pass and whose time is not over. None where nobody is awaited."""
    open_still = Q(passage__isnull=True) | Q(passage__assumed=True)
    allowed: QuerySet[Verification] = turnstile.verifications.filter(allowed=True)
    # Asked so that the index of numbers answers: a gate has millions of verifications in time.
    numbered = ~Q(source=Verification.Source.OFFLINE) & Q(nonce=nonce)
    if nonce and turnstile.verifications.filter(numbered).exists():
        return allowed.filter(open_still, numbered).order_by("-at").first()
    recent = allowed.filter(open_still, at__gt=clock.now() - _MATCH_WITHIN).order_by("-at")
    return next((one for one in recent if not lapsed(one, clock.now())), None)


def note_offline(
    turnstile: Turnstile,
    *,
    read: str,
    allowed: bool,
    direction: Direction,
    at: datetime,
    nonce: str = "",
    reason: str = "",
) -> Verification:
    """Write down what a gate decided alone, with its own clock (aware) and decision; it is never judged anew."""
    code, key = code_of(turnstile, read)
    # Told again, it is the same. What was answered online by the same number is another fact: the gate did not hear it;
    # and so is what another code or moment goes with: gates that lose their memory count from one again.
    told = turnstile.verifications.filter(
        source=Verification.Source.OFFLINE, nonce=nonce, code_digest=key, direction=direction.value, scanned_at=at
    )
    if before := told.first():
        return before
    now = clock.now()
    visit = Visit.objects.filter(code_digest=key).first()
    if visit is None and allowed:
        # Nobody knows yet whose code this is, and somebody is inside with it.
        visit, _made = Visit.objects.get_or_create(
            code_digest=key, defaults={"status": VisitStatus.UNKNOWN.value, "seen_at": min(at, now)}
        )
    answer = Verification(
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
        _write_offline(answer, turnstile, code)
    except IntegrityError:  # the same was told twice at once
        return told.get()
    return answer


@transaction.atomic
def _write_offline(answer: Verification, turnstile: Turnstile, code: str) -> None:
    answer.save(force_insert=True)
    record(
        actor=f"turnstile {turnstile.name}",
        action="visitor.offline",
        on=answer,
        label=answer.visitor or f"code {answer.code_digest[:12]}",
        outcome=Outcome.DONE if answer.allowed else Outcome.REFUSED,
        reasons=answer.reasons,
        detail={"direction": answer.direction, "scanned_at": answer.scanned_at and answer.scanned_at.isoformat()},
    )
    if answer.allowed and answer.visit is not None and code and not _has_moved_on(answer, answer.visit):
        outbox.prepare(answer, turnstile, answer.visit, code)
    if answer.allowed and not turnstile.reports_passages:
        assume(answer, turnstile)


def _has_moved_on(answer: Verification, visit: Visit) -> bool:
    """Whether the visitor has passed again since: what Offision was told of that is newer."""
    return Passage.objects.filter(visit=visit, at__gt=answer.at, passed=True).exists()


@transaction.atomic
def note_past(turnstile: Turnstile, *, read: str, at: str) -> None:
    """A device tells of a scan of long ago (`at`, in its own words) without its decision: it is logged, and no more."""
    _code, key = code_of(turnstile, read)
    visit = Visit.objects.filter(code_digest=key).first()
    record(
        actor=f"turnstile {turnstile.name}",
        action="visitor.history",
        on=turnstile,
        label=str(visit or f"code {key[:12]}"),
        detail={"at": at, "code": key[:12]},
    )
