"""Who is inside a site: exact to the passages that gates confirmed, the doubtful ones told apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from accessmap.models import Site
from portal.offision.types import VisitStatus
from visitors.models import Passage, Turnstile, Verification, Visit
from visitors.verification.decision import OUTSIDE, Direction, Presence

# No gate is given longer than this for a passage (Turnstile.passage_seconds).
_LONGEST_PASSAGE = timedelta(seconds=600)


def presence_of(visit: Visit, site: Site, now: datetime) -> Presence:
    """Whether the visitor is inside the site at `now`; one who is just being let in counts as inside."""
    # In this order: a passage that is confirmed between the two is seen by the second.
    let_in = _pending(visit, site, now)
    last = Passage.objects.filter(site=site, visit=visit, passed=True).order_by("-at", "-id").first()
    if let_in is not None and (last is None or let_in.at > last.at):
        return Presence(inside=True, since=let_in.at)
    if last is None or last.direction == Direction.OUT:
        return OUTSIDE
    return Presence(inside=True, since=last.at)


def _pending(visit: Visit, site: Site, now: datetime) -> Verification | None:
    """The last arrival that was allowed and that the gate may yet confirm."""
    recent = Verification.objects.filter(
        visit=visit,
        at__gt=now - _LONGEST_PASSAGE,
        allowed=True,
        direction=Direction.IN.value,
        turnstile__site=site,
        turnstile__reports_passages=True,
        passage__isnull=True,
    )
    return next((v for v in recent.select_related("turnstile").order_by("-at") if not lapsed(v, now)), None)


def lapsed(verification: Verification, now: datetime) -> bool:
    """Whether a passage that was allowed has not been confirmed in time, and so did not happen."""
    assert isinstance(verification.turnstile, Turnstile)
    return now >= verification.at + timedelta(seconds=verification.turnstile.passage_seconds)


@dataclass(frozen=True, slots=True)
class Inside:
    """Somebody who is inside. `doubts` are sentences' keys.

    "assumed": no gate saw it; "late": the gate told after its time; "nameless": Offision has told of no such visit;
    "ended": the visit is over.
    """

    visit: Visit
    since: datetime
    gate: str
    doubts: tuple[str, ...]


def inside(site: Site, now: datetime) -> list[Inside]:
    """Everybody whose last passage at the site led in; who came last stands first."""
    last = (
        Passage.objects.filter(site=site, passed=True, visit__isnull=False)
        .order_by("visit_id", "-at", "-id")
        .distinct("visit_id")
        .select_related("visit", "turnstile", "verification__turnstile")
    )
    found = []
    for passage in last:
        if passage.direction == Direction.IN and passage.visit is not None:
            gate = passage.turnstile.name if passage.turnstile else "–"
            found.append(Inside(passage.visit, passage.at, gate, tuple(_doubts(passage, passage.visit, now))))
    return sorted(found, key=lambda one: one.since, reverse=True)


def _doubts(passage: Passage, visit: Visit, now: datetime) -> Iterator[str]:
    if passage.assumed:
        yield "assumed"
    elif passage.verification is not None and is_late(passage.verification, passage.recorded_at):
        yield "late"
    if visit.status == VisitStatus.UNKNOWN.value:
        yield "nameless"
    if visit.valid_until is not None and visit.valid_until <= now:
        yield "ended"


def is_late(answer: Verification, told_at: datetime) -> bool:
    """Whether a passage told then had been taken not to have happened: somebody else may have been let in since."""
    return answer.turnstile is not None and answer.turnstile.reports_passages and lapsed(answer, told_at)
