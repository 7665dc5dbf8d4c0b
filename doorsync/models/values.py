"""Rows as the values that doorsync.policy decides on, and permissions as the database keeps them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from accessmap.models import AccessPolicy, Resource, normal_email
from doorsync.models.bookings import StoredBooking
from doorsync.policy.rules import Booking, Policy
from doorsync.policy.windows import DoorWindows, Permission, Window


def policies_of(resources: QuerySet[Resource]) -> dict[int, Policy]:
    """The policy of each resource, by the resource's primary key."""
    rows = resources.select_related("policy").prefetch_related("policy__admit_levels", "policy__always_levels")
    return {row.pk: policy_of(row.policy) for row in rows}


def policy_of(policy: AccessPolicy) -> Policy:
    return Policy(
        admit_organizer=policy.admit_organizer,
        admit_attendees=policy.admit_attendees,
        admit_anyone=policy.admit_anyone,
        admit_levels=frozenset(level.name for level in policy.admit_levels.all()),
        always_levels=frozenset(level.name for level in policy.always_levels.all()),
        statuses=frozenset(policy.statuses),
        lead=timedelta(minutes=policy.lead_minutes),
        grace=timedelta(minutes=policy.grace_minutes),
    )


def booking_of(row: StoredBooking) -> Booking:
    return _booking(
        row.external_id,
        row.resource_id,
        row.starts_at,
        row.ends_at,
        row.status,
        row.organizer_email,
        row.attendee_emails,
    )


def bookings_of(rows: QuerySet[StoredBooking]) -> list[Booking]:
    """The same for many rows, read without building them."""
    columns = ("external_id", "resource_id", "starts_at", "ends_at", "status", "organizer_email", "attendee_emails")
    return [_booking(*values) for values in rows.values_list(*columns)]


def _booking(
    external_id: str,
    resource_id: int,
    starts_at: datetime,
    ends_at: datetime,
    status: str,
    organizer: str,
    attendees: Iterable[str],
) -> Booking:
    return Booking(
        id=external_id,
        resource_id=str(resource_id),
        starts_at=starts_at,
        ends_at=ends_at,
        status=status,
        organizer=normal_email(organizer),
        attendees=tuple(normal_email(email) for email in attendees),
    )


# Permissions in the database: {door: [[from or null, until or null, [causes]], ...]}, times ISO 8601 in UTC; records
# the same without causes.


def permissions_as_json(permissions: Mapping[int, Iterable[Permission]]) -> dict[str, list[Any]]:
    return {
        str(door): [[*_window_as_json(p.window), list(p.causes)] for p in found]
        for door, found in sorted(permissions.items())
    }


def permissions_of(stored: Mapping[str, Any]) -> dict[int, tuple[Permission, ...]]:
    return {
        int(door): tuple(Permission(window_of(entry), tuple(entry[2])) for entry in found)
        for door, found in stored.items()
    }


def record_as_json(record: DoorWindows) -> dict[str, list[Any]]:
    return {str(door): windows_as_json(windows) for door, windows in record.items()}


def record_from_json(stored: Mapping[str, Any] | None) -> DoorWindows:
    return {int(door): tuple(window_of(entry) for entry in found) for door, found in (stored or {}).items()}


def windows_as_json(windows: Iterable[Window]) -> list[list[str | None]]:
    return [_window_as_json(window) for window in windows]


def window_of(stored: Sequence[Any]) -> Window:
    start, end = (None if moment is None else datetime.fromisoformat(moment) for moment in stored[:2])
    return Window(start, end)


def _window_as_json(window: Window) -> list[str | None]:
    return [None if moment is None else moment.isoformat() for moment in (window.start, window.end)]
