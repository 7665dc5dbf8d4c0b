"""May the bearer of this code pass? Pure: everything that matters is handed in."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from portal.offision.types import Visit, VisitStatus


class Direction(StrEnum):
    IN = "in"
    OUT = "out"
    BOTH = "both"


class Reason(StrEnum):
    """Why somebody may not pass. The order is the order of weight: the first that applies leads."""

    MALFORMED = "malformed"
    DEVICE_DISABLED = "device_disabled"
    WRONG_DIRECTION = "wrong_direction"
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    UPSTREAM_MISMATCH = "upstream_mismatch"
    UNKNOWN_CODE = "unknown_code"
    BLACKLISTED = "blacklisted"
    CANCELLED = "cancelled"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    NOT_CHECKED_IN = "not_checked_in"
    CHECKED_OUT = "checked_out"
    STATUS_NOT_ADMITTED = "status_not_admitted"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a turnstile asks of a visit."""

    enabled: bool
    direction: Direction
    statuses_in: Set[str]
    statuses_out: Set[str]
    tolerance: timedelta


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed exactly when there is no reason against it."""

    reasons: tuple[Reason, ...]

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
    terms: Terms, *, direction: Direction, visit: Visit | None, obstacle: Reason | None, now: datetime
) -> Decision:
    """Decide on one scan at `now` (aware), with all reasons that apply.

    `direction` is in or out. Without a visit there is an `obstacle`: why it could not be looked up, or is not known.
    A visit ends just before its `valid_until`, the turnstile's tolerance added at both ends; somebody who is inside
    may leave whatever the hour.
    """
    reasons: set[Reason] = set()
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
        if direction is Direction.IN:
            reasons |= _of_time(visit, terms.tolerance, now)
    return Decision(tuple(reason for reason in Reason if reason in reasons))


def _of_time(visit: Visit, tolerance: timedelta, now: datetime) -> set[Reason]:
    reasons = set()
    if visit.valid_from is not None and now < visit.valid_from - tolerance:
        reasons.add(Reason.NOT_YET_VALID)
    if visit.valid_until is not None and now >= visit.valid_until + tolerance:
        reasons.add(Reason.EXPIRED)
    return reasons
