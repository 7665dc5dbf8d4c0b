"""The admission rule: which emails, levels and cards a booking admits under a policy, and when. Pure.

Planning, the door board, explain, coverage and the safety check of a fetch all ask this module.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from doorsync.policy.windows import Window


@dataclass(frozen=True, slots=True)
class Policy:
    """An access policy. Levels are names; statuses are booking statuses that count."""

    admit_organizer: bool
    admit_attendees: bool
    admit_anyone: bool
    admit_levels: frozenset[str]
    always_levels: frozenset[str]
    statuses: frozenset[str]
    lead: timedelta
    grace: timedelta


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking of one resource. Emails are normalised (accessmap.models.normal_email); "" for a blank one."""

    id: str
    resource_id: str
    starts_at: datetime
    ends_at: datetime
    status: str
    organizer: str
    attendees: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ValidCard:
    """An active card and the time in which it is valid."""

    number: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def within(self, window: Window) -> Window | None:
        """The part of a window in which the card is valid, or None."""
        return window.clipped(self.valid_from, self.valid_until)


@dataclass(frozen=True, slots=True)
class Admission:
    """What one booking admits: these emails and levels in `window`, and anybody in `unlocked`.

    `has_blank`: it names somebody without an email, who can't be admitted.
    """

    window: Window
    emails: tuple[str, ...]
    levels: frozenset[str]
    unlocked: Window | None
    has_blank: bool


def admission_window(booking: Booking, policy: Policy) -> Window:
    """The booking with the policy's lead and grace time."""
    return Window(booking.starts_at - policy.lead, booking.ends_at + policy.grace)


def admission(booking: Booking, policy: Policy) -> Admission | None:
    """What a booking admits under a policy; None where its status does not count."""
    if booking.status not in policy.statuses:
        return None
    organizer = (booking.organizer,) if policy.admit_organizer else ()
    attendees = booking.attendees if policy.admit_attendees else ()
    emails = tuple(dict.fromkeys((*organizer, *attendees)))
    return Admission(
        window=admission_window(booking, policy),
        emails=tuple(email for email in emails if email),
        levels=policy.admit_levels,
        unlocked=Window(booking.starts_at, booking.ends_at) if policy.admit_anyone else None,
        has_blank="" in emails,
    )


def still_admits(booking: Booking, policy: Policy, now: datetime) -> bool:
    """Whether the booking admits anybody at `now` (aware) or later."""
    admitted = admission(booking, policy)
    return admitted is not None and not admitted.window.lapsed(now)
