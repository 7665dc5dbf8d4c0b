"""The objects read from Offision's answers: immutable, validated, every time aware and in UTC."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, InstanceOf

from portal.core.problems import Problem
from portal.offision.statuses import BookingStatus, VisitStatus


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Booking(_Record):
    """One booking of one resource, from `starts_at` until before `ends_at` (UTC).

    Emails are stripped and keep their case: the caller compares them. An empty email means that Offision lists a
    person without one.
    """

    id: str
    resource_id: str
    title: str
    starts_at: Moment
    ends_at: Moment
    status: BookingStatus
    status_word: str
    organizer_email: str
    organizer_name: str
    attendee_emails: tuple[str, ...]


class RejectedRecord(_Record):
    """A record that could not be read, and why. `raw` has at most 2000 characters."""

    record_id: str
    reason: InstanceOf[Problem]
    raw: str


class BookingList(_Record):
    """The bookings of one resource, the rejected records, and how many HTTP requests it took."""

    bookings: tuple[Booking, ...]
    rejected: tuple[RejectedRecord, ...]
    requests: int


class Visit(_Record):
    """One visitor's registration. `valid_from`, `valid_until` (UTC) are None where Offision sets no limit."""

    code: str
    name: str
    company: str
    host_email: str
    valid_from: Moment | None
    valid_until: Moment | None
    status: VisitStatus
    status_word: str
    site: str | None


class Subscription(_Record):
    """One subscription to resource appointment changes; for all resources where `resource_id` is None.

    `expires_at` (UTC) is None where Offision names no end. The callback URL holds the callback secret: mask it
    before showing it.
    """

    id: str
    callback_url: str
    resource_id: str | None
    expires_at: Moment | None


class Resource(_Record):
    """One bookable resource, by its id in Offision."""

    id: str
    name: str


class Information(_Record):
    """What the server tells about itself; each is empty where it tells nothing."""

    version: str
    product: str
    time_zone: str
