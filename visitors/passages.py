"""Passages: somebody walked through, or was let and did not. And what a gate decided while it was alone."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from portal import clock
from portal.audit.models import Outcome, record
from portal.offision.configured import contract_from_settings
from visitors import telling
from visitors.codes import MalformedError, digest, normalised
from visitors.decision import Direction, Reason
from visitors.models import Passage, Turnstile, Verification, Visit

# Clocks of gates go wrong; a passage is never later than now.
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
    return _write(answer, turnstile, passed=passed, at=min(at or now, now), assumed=False)


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
        telling.release(answer, passed=passed)
    if not assumed:
        record(
            actor=f"turnstile {turnstile.name}",
            action="visitor.passage",
            on=passage,
            label=answer.visitor or f"code {answer.code_digest[:12]}",
            outcome=Outcome.DONE if passed else Outcome.REFUSED,
            detail={"direction": answer.direction, "verification": str(answer.pk)},
        )
    return passage


def awaited(turnstile: Turnstile, *, nonce: str = "") -> Verification | None:
    """The verification that a device means which names none: by its nonce, else the last that let somebody pass."""
    waiting: QuerySet[Verification] = turnstile.verifications.filter(
        Q(passage__isnull=True) | Q(passage__assumed=True), allowed=True, at__gt=clock.now() - _MATCH_WITHIN
    )
    named = waiting.filter(nonce=nonce).first() if nonce else None
    return named or waiting.order_by("-at").first()


@transaction.atomic
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
    if nonce and (before := turnstile.verifications.filter(nonce=nonce).first()):
        return before
    try:
        key = digest(
            normalised(
                read,
                contract_from_settings().codes,
                prefix=turnstile.code_prefix,
                suffix=turnstile.code_suffix,
            )
        )
    except MalformedError:
        key = digest(read)
    now = clock.now()
    visit = Visit.objects.filter(code_digest=key).first()
    answer = Verification.objects.create(
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
    record(
        actor=f"turnstile {turnstile.name}",
        action="visitor.offline",
        on=answer,
        label=answer.visitor or f"code {key[:12]}",
        outcome=Outcome.DONE if allowed else Outcome.REFUSED,
        reasons=answer.reasons,
        detail={"direction": direction.value, "scanned_at": at.isoformat()},
    )
    if allowed and not turnstile.reports_passages:
        assume(answer, turnstile)
    return answer
