"""Who is inside a site, by passages. A passage that is not certain carries its doubts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from accessmap.models import Site
from portal.offision.statuses import VisitStatus
from visitors.models import Passage, Turnstile, Verification, Visit
from visitors.verification.decision import OUTSIDE, Direction, Presence

# The longest Turnstile.passage_seconds.
_LONGEST_PASSAGE = timedelta(seconds=600)


def presence_of(visit: Visit, site: Site, now: datetime) -> Presence:
    """Whether the visitor is inside the site at `now`; an arrival that may still be confirmed counts."""
    # In this order: a passage that is confirmed between the two queries is in the second.
    pending = _pending_arrival(visit, site, now)
    last = Passage.objects.filter(site=site, visit=visit, passed=True).order_by("-at", "-id").first()
    if pending is not None and (last is None or pending.at > last.at):
        return Presence(inside=True, since=pending.at)
    if last is None or last.direction == Direction.OUT:
        return OUTSIDE
    return Presence(inside=True, since=last.at)


def _pending_arrival(visit: Visit, site: Site, now: datetime) -> Verification | None:
    """The last allowed arrival whose passage the turnstile may still confirm."""
    recent = Verification.objects.filter(
        visit=visit,
        at__gt=now - _LONGEST_PASSAGE,
        allowed=True,
        direction=Direction.IN.value,
        turnstile__site=site,
        turnstile__reports_passages=True,
        passage__isnull=True,
    )
    return next((v for v in recent.select_related("turnstile").order_by("-at") if not has_lapsed(v, now)), None)


def has_lapsed(verification: Verification, now: datetime) -> bool:
    """Whether the time for the passage is over. A passage that was not confirmed by then did not happen."""
    assert isinstance(verification.turnstile, Turnstile)
    return now >= verification.at + timedelta(seconds=verification.turnstile.passage_seconds)


def is_late(verification: Verification, reported_at: datetime) -> bool:
    """Whether a passage was reported after its time: another visitor may have been allowed with the code since."""
    turnstile = verification.turnstile
    return turnstile is not None and turnstile.reports_passages and has_lapsed(verification, reported_at)


@dataclass(frozen=True, slots=True)
class Inside:
    """A visitor inside a site. `doubts` are keys of sentences on the page.

    "assumed": no turnstile saw the passage; "late": the turnstile reported it after its time; "nameless": Offision has
    not described the visit; "ended": the visit is over.
    """

    visit: Visit
    since: datetime
    turnstile: str
    doubts: tuple[str, ...]


def inside(site: Site, now: datetime) -> list[Inside]:
    """Every visitor whose last passage at the site was an arrival; the latest arrival first."""
    last_passages = (
        Passage.objects.filter(site=site, passed=True, visit__isnull=False)
        .order_by("visit_id", "-at", "-id")
        .distinct("visit_id")
        .select_related("visit", "turnstile", "verification__turnstile")
    )
    visitors = []
    for passage in last_passages:
        if passage.direction == Direction.IN and passage.visit is not None:
            turnstile = passage.turnstile.name if passage.turnstile else "–"
            doubts = tuple(_doubts(passage, passage.visit, now))
            visitors.append(Inside(passage.visit, passage.at, turnstile, doubts))
    return sorted(visitors, key=lambda visitor: visitor.since, reverse=True)


def _doubts(passage: Passage, visit: Visit, now: datetime) -> Iterator[str]:
    if passage.assumed:
        yield "assumed"
    elif passage.verification is not None and is_late(passage.verification, passage.recorded_at):
        yield "late"
    if visit.status == VisitStatus.UNKNOWN.value:
        yield "nameless"
    if visit.valid_until is not None and visit.valid_until <= now:
        yield "ended"
