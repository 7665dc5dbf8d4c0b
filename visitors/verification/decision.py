"""May the bearer of this code pass? Pure: everything that matters is handed in."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from portal.offision.types import VisitStatus


class Direction(StrEnum):
    IN = "in"
    OUT = "out"
    BOTH = "both"


class Reason(StrEnum):
    """Why somebody may not pass. The order is the order of weight: the first that applies leads.

    What makes a code invalid comes before what makes it a duplicate. docs/visitors.md explains each.
    """

    MALFORMED = "malformed"
    THROTTLED = "throttled"
    DEVICE_DISABLED = "device_disabled"
    WRONG_DIRECTION = "wrong_direction"
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    UPSTREAM_MISMATCH = "upstream_mismatch"
    UNKNOWN_CODE = "unknown_code"
    BLACKLISTED = "blacklisted"
    CANCELLED = "cancelled"
    WRONG_SITE = "wrong_site"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    NOT_CHECKED_IN = "not_checked_in"
    CHECKED_OUT = "checked_out"
    STATUS_NOT_ADMITTED = "status_not_admitted"
    ALREADY_INSIDE = "already_inside"
    NOT_INSIDE = "not_inside"
    # Of a scan that was allowed, and the portal could not unlock the door.
    DOOR_NOT_OPENED = "door_not_opened"
    # Of a decision that a gate took alone, without words of its own for it.
    DECIDED_OFFLINE = "decided_offline"


class AntiPassback(StrEnum):
    """What happens when somebody who is inside comes in again.

    SOFT: let in, and noted. HARD: denied. TIMED: denied until so long after the last arrival.
    """

    OFF = "off"
    SOFT = "soft"
    HARD = "hard"
    TIMED = "timed"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a turnstile asks of a visit. `sites`: the names of its own site, casefolded; None: any site will do."""

    enabled: bool
    direction: Direction
    statuses_in: Set[str]
    statuses_out: Set[str]
    tolerance: timedelta
    sites: Set[str] | None = None
    anti_passback: AntiPassback = AntiPassback.OFF
    anti_passback_for: timedelta = timedelta(0)
    leaving_needs_arrival: bool = False

    @property
    def minds_presence(self) -> bool:
        return self.leaving_needs_arrival or self.anti_passback is not AntiPassback.OFF


@dataclass(frozen=True, slots=True)
class Sighting:
    """A visit as it is known, live or from before. `site` is None where Offision names none."""

    status: VisitStatus
    valid_from: datetime | None
    valid_until: datetime | None
    site: str | None


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether the visitor is inside the turnstile's site, and since when (None where that is not known).

    Somebody who was let in a moment ago, and of whom the gate has not said yet whether they walked through, counts as
    inside.
    """

    inside: bool
    since: datetime | None = None


OUTSIDE = Presence(inside=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed exactly when there is no reason against it. `notes` are what is remarkable and stops nobody."""

    reasons: tuple[Reason, ...]
    notes: tuple[Reason, ...] = ()

    @property
    def allowed(self) -> bool:
        return not self.reasons


_AGAINST = {
    VisitStatus.EXPECTED: Reason.NOT_CHECKED_IN,
    VisitStatus.CHECKED_IN: Reason.STATUS_NOT_ADMITTED,
    VisitStatus.CHECKED_OUT: Reason.CHECKED_OUT,
    VisitStatus.CANCELLED: Reason.CANCELLED,
    VisitStatus.BLACKLISTED: Reason.BLACKLISTED,
    VisitStatus.UNKNOWN: Reason.UPSTREAM_MISMATCH,
}


def decide(
    terms: Terms,
    *,
    direction: Direction,
    visit: Sighting | None,
    obstacle: Reason | None,
    now: datetime,
    presence: Presence = OUTSIDE,
) -> Decision:
    """Decide on one scan at `now` (aware), with all reasons that apply.

    `direction` is in or out. Without a visit there is an `obstacle`: why it could not be looked up, or is not known.
    A visit ends just before its `valid_until`, the turnstile's tolerance added at both ends; somebody who is inside
    may leave whatever the hour.
    """
    reasons: set[Reason] = set()
    notes: set[Reason] = set()
    if not terms.enabled:
        reasons.add(Reason.DEVICE_DISABLED)
    if direction is Direction.BOTH or terms.direction not in (direction, Direction.BOTH):
        reasons.add(Reason.WRONG_DIRECTION)
    if visit is None:
        reasons.add(obstacle or Reason.UPSTREAM_UNAVAILABLE)
    else:
        admitted = terms.statuses_in if direction is Direction.IN else terms.statuses_out
        if visit.status.value not in admitted or visit.status is VisitStatus.UNKNOWN:
            reasons.add(_AGAINST[visit.status])
        if terms.sites is not None and visit.site is not None and visit.site.strip().casefold() not in terms.sites:
            reasons.add(Reason.WRONG_SITE)
        if direction is Direction.IN:
            reasons |= _of_time(visit, terms.tolerance, now)
            if presence.inside and terms.anti_passback is not AntiPassback.OFF:
                (reasons if _bars(terms, presence, now) else notes).add(Reason.ALREADY_INSIDE)
        elif not presence.inside and terms.minds_presence:
            (reasons if terms.leaving_needs_arrival else notes).add(Reason.NOT_INSIDE)
    return Decision(_in_order(reasons), _in_order(notes))


def _bars(terms: Terms, presence: Presence, now: datetime) -> bool:
    """Whether somebody who is inside already is kept from coming in again."""
    if terms.anti_passback is AntiPassback.HARD:
        return True
    if terms.anti_passback is AntiPassback.TIMED:
        return presence.since is None or now < presence.since + terms.anti_passback_for
    return False


def _of_time(visit: Sighting, tolerance: timedelta, now: datetime) -> set[Reason]:
    # The tolerance is taken from `now`: a visit without end may be said to last until the calendar's last second.
    reasons = set()
    if visit.valid_from is not None and now + tolerance < visit.valid_from:
        reasons.add(Reason.NOT_YET_VALID)
    if visit.valid_until is not None and now - tolerance >= visit.valid_until:
        reasons.add(Reason.EXPIRED)
    return reasons


def _in_order(reasons: Set[Reason]) -> tuple[Reason, ...]:
    return tuple(reason for reason in Reason if reason in reasons)
