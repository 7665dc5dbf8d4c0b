"""The decision on one scan: may the bearer of the code pass? Pure: every input is an argument."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from portal.offision.statuses import VisitStatus


class Direction(StrEnum):
    IN = "in"
    OUT = "out"
    BOTH = "both"


class Reason(StrEnum):
    """Why a scan is denied, in order of weight: the first reason that applies leads.

    Reasons that make a code invalid come before those that make it a duplicate. docs/visitors.md explains each.
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
    # The scan was allowed, and the portal could not unlock the door.
    DOOR_NOT_OPENED = "door_not_opened"
    # A turnstile denied the scan while it was offline, and gave no reason.
    DECIDED_OFFLINE = "decided_offline"


class AntiPassback(StrEnum):
    """What happens to a visitor who is inside and arrives again.

    SOFT: allowed, with a note. HARD: denied. TIMED: denied until some minutes after the last arrival.
    """

    OFF = "off"
    SOFT = "soft"
    HARD = "hard"
    TIMED = "timed"


@dataclass(frozen=True, slots=True)
class TurnstilePolicy:
    """Which visits a turnstile admits. `sites`: the casefolded names of its own site; None: any site."""

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
    def needs_presence(self) -> bool:
        return self.leaving_needs_arrival or self.anti_passback is not AntiPassback.OFF


@dataclass(frozen=True, slots=True)
class KnownVisit:
    """A visit as Offision describes it, now or some time ago. `site` is None where Offision names none."""

    status: VisitStatus
    valid_from: datetime | None
    valid_until: datetime | None
    site: str | None


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether the visitor is inside the turnstile's site, and since when (None where unknown).

    A visitor who was allowed a moment ago, and whose passage the turnstile may still confirm, counts as inside.
    """

    inside: bool
    since: datetime | None = None


OUTSIDE = Presence(inside=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed exactly when there is no reason. `notes` are remarkable facts that deny nothing."""

    reasons: tuple[Reason, ...]
    notes: tuple[Reason, ...] = ()

    @property
    def allowed(self) -> bool:
        return not self.reasons


_REASON_OF_STATUS = {
    VisitStatus.EXPECTED: Reason.NOT_CHECKED_IN,
    VisitStatus.CHECKED_IN: Reason.STATUS_NOT_ADMITTED,
    VisitStatus.CHECKED_OUT: Reason.CHECKED_OUT,
    VisitStatus.CANCELLED: Reason.CANCELLED,
    VisitStatus.BLACKLISTED: Reason.BLACKLISTED,
    VisitStatus.UNKNOWN: Reason.UPSTREAM_MISMATCH,
}


def decide(
    policy: TurnstilePolicy,
    *,
    direction: Direction,
    visit: KnownVisit | None,
    obstacle: Reason | None,
    now: datetime,
    presence: Presence = OUTSIDE,
) -> Decision:
    """Decide on one scan at `now` (aware), with every reason that applies.

    `direction` is in or out. Without a visit, `obstacle` says why it could not be looked up or is unknown. A visit
    admits until just before its `valid_until`, extended by the policy's tolerance at both ends. Time limits arrivals
    only: a visitor may leave at any hour.
    """
    reasons: set[Reason] = set()
    notes: set[Reason] = set()
    if not policy.enabled:
        reasons.add(Reason.DEVICE_DISABLED)
    if direction is Direction.BOTH or policy.direction not in (direction, Direction.BOTH):
        reasons.add(Reason.WRONG_DIRECTION)
    if visit is None:
        reasons.add(obstacle or Reason.UPSTREAM_UNAVAILABLE)
    else:
        admitted = policy.statuses_in if direction is Direction.IN else policy.statuses_out
        if visit.status.value not in admitted or visit.status is VisitStatus.UNKNOWN:
            reasons.add(_REASON_OF_STATUS[visit.status])
        if policy.sites is not None and visit.site is not None and visit.site.strip().casefold() not in policy.sites:
            reasons.add(Reason.WRONG_SITE)
        if direction is Direction.IN:
            reasons |= _time_reasons(visit, policy.tolerance, now)
            if presence.inside and policy.anti_passback is not AntiPassback.OFF:
                (reasons if _denies_second_arrival(policy, presence, now) else notes).add(Reason.ALREADY_INSIDE)
        elif not presence.inside and policy.needs_presence:
            (reasons if policy.leaving_needs_arrival else notes).add(Reason.NOT_INSIDE)
    return Decision(_in_order(reasons), _in_order(notes))


def _denies_second_arrival(policy: TurnstilePolicy, presence: Presence, now: datetime) -> bool:
    if policy.anti_passback is AntiPassback.HARD:
        return True
    if policy.anti_passback is AntiPassback.TIMED:
        return presence.since is None or now < presence.since + policy.anti_passback_for
    return False


def _time_reasons(visit: KnownVisit, tolerance: timedelta, now: datetime) -> set[Reason]:
    # The tolerance is applied to `now`: a visit without end may last until the calendar's last second.
    reasons = set()
    if visit.valid_from is not None and now + tolerance < visit.valid_from:
        reasons.add(Reason.NOT_YET_VALID)
    if visit.valid_until is not None and now - tolerance >= visit.valid_until:
        reasons.add(Reason.EXPIRED)
    return reasons


def _in_order(reasons: Set[Reason]) -> tuple[Reason, ...]:
    return tuple(reason for reason in Reason if reason in reasons)
