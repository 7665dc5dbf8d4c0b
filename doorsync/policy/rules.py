"""The admission rule: whom a booking admits under a policy. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    admit_organizer: bool
    admit_attendees: bool
    admit_anyone: bool
    admit_levels: frozenset[str]
    always_levels: frozenset[str]
    statuses: frozenset[str]
    lead: timedelta
    grace: timedelta


@dataclass(frozen=True, slots=True)
class PlannedBooking:
    id: str
    resource_id: str
    starts_at: datetime
    ends_at: datetime
    status: str
    organizer: str
    attendees: tuple[str, ...]


def admitted_emails(booking: PlannedBooking, policy: Policy) -> tuple[str, ...]:
    """The emails that a booking admits under a policy; none where its status does not count."""
    if booking.status not in policy.statuses:
        return ()
    organizer = (booking.organizer,) if policy.admit_organizer else ()
    attendees = booking.attendees if policy.admit_attendees else ()
    return tuple(dict.fromkeys((*organizer, *attendees)))
