"""The entries of a building file as types."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext as _
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

_LOCAL_TIME = r"^([+-][0-9]{1,4})d ([01][0-9]|2[0-3]):([0-5][0-9])$"
_A_DAY = 86_400


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", _("must not be blank"))
    return text


def _is_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError(
            "time_zone", _("is “{name}”, which is no IANA time zone such as Asia/Hong_Kong"), {"name": name}
        ) from None
    return name


Text = Annotated[str, StringConstraints(max_length=1000)]
Name = Annotated[str, StringConstraints(max_length=200), AfterValidator(_not_blank)]
Email = Annotated[str, StringConstraints(max_length=320)]
LocalTime = Annotated[str, StringConstraints(pattern=_LOCAL_TIME)]
Minutes = Annotated[int, Field(ge=0, le=1440)]
BookingStatus = Literal["confirmed", "checked_in", "checked_out", "cancelled", "tentative", "no_show"]
VisitStatus = Literal["expected", "checked_in", "checked_out", "cancelled", "blacklisted"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Site(_Entry):
    """The building's name and IANA time zone."""

    name: Name
    timezone: Annotated[Name, AfterValidator(_is_zone)]


class Card(_Entry):
    """One card of a cardholder."""

    number: Name
    status: Literal["active", "lost", "returned"] = "active"


class Cardholder(_Entry):
    """A person; the email may be blank."""

    email: Email = ""
    name: Name
    cards: list[Card] = []
    access_levels: list[Name] = []


class Door(_Entry):
    """One door of a controller, by its number there."""

    number: Annotated[int, Field(ge=1, le=65_535)]
    name: Name


class SimulatedOptions(_Entry):
    """The abilities of a simulated controller (`options` of a controller with the driver "simulated")."""

    windows: Literal["per_card_door", "none"] = "per_card_door"
    capacity: Annotated[int, Field(ge=0, le=1_000_000)] = 2000
    resolution_seconds: Literal[1, 60] = 1


class Controller(_Entry):
    """A controller and its doors. The driver defines the `options`."""

    name: Name
    driver: Name = "simulated"
    options: dict[str, Any] = {}
    doors: list[Door] = []


class Policy(_Entry):
    """The people that a booking admits, how early and how late (whole minutes)."""

    name: Name
    admit: list[Literal["organizer", "attendees", "anyone"]] = []
    admit_access_levels: list[Name] = []
    always: list[Name] = []
    statuses: list[BookingStatus] = ["confirmed", "checked_in"]
    lead_minutes: Minutes = 0
    grace_minutes: Minutes = 0


class Resource(_Entry):
    """A bookable resource and the doors behind it, by name."""

    id: Name
    name: Name
    doors: list[Name] = []
    policy: Name


class Booking(_Entry):
    """One booking; times are site-local. The portal checks that it ends after it starts, and knows its status."""

    id: Name
    resource: Name
    title: Text = ""
    start: LocalTime
    end: LocalTime
    status: Name = "confirmed"
    organizer: Email = ""
    attendees: list[Email] = []

    def updated(self, values: dict[str, Any]) -> "Booking":
        """This booking with other values. Raises pydantic.ValidationError for a wrong key or value."""
        return Booking.model_validate({**self.model_dump(), **values})


class Change(_Entry):
    """One change of the bookings: exactly one of create, update (with set) and delete."""

    after_seconds: Annotated[float, Field(ge=0, le=_A_DAY)] = 0
    callback: Literal["once", "lost", "twice", "late"] = "once"
    create: Booking | None = None
    update: Name | None = None
    values: dict[str, Any] | None = Field(default=None, alias="set")
    delete: Name | None = None

    @model_validator(mode="after")
    def _has_one_kind(self) -> Self:
        if sum(part is not None for part in (self.create, self.update, self.delete)) != 1:
            raise PydanticCustomError("change", _("must have exactly one of “create”, “update” and “delete”"))
        if (self.update is None) != (self.values is None):
            raise PydanticCustomError("change", _("must have “set” with “update”, and only with it"))
        if self.values and "id" in self.values:
            raise PydanticCustomError("change", _("must not set “id”: a booking keeps its id"))
        return self


class Visit(_Entry):
    """One visitor's registration, by code; times are site-local."""

    code: Name
    name: Text = ""
    company: Text = ""
    host: Email = ""
    valid_from: LocalTime = Field(alias="from")
    valid_until: LocalTime = Field(alias="until")
    status: VisitStatus = "expected"


class Turnstile(_Entry):
    """A turnstile and the visit statuses that it admits in each direction."""

    name: Name
    direction: Literal["in", "out", "both"]
    statuses_in: list[VisitStatus] = []
    statuses_out: list[VisitStatus] = []


class Scan(_Entry):
    """A code at a turnstile; any text, or none."""

    turnstile: Name
    code: Text
    direction: Literal["in", "out"]


class Building(_Entry):
    """A whole building file, as `portal.buildings.reading.load_building` returns it (references checked)."""

    site: Site
    access_levels: list[Name] = []
    cardholders: list[Cardholder] = []
    controllers: list[Controller] = []
    policies: list[Policy] = []
    resources: list[Resource] = []
    bookings: list[Booking] = []
    changes: list[Change] = []
    visits: list[Visit] = []
    turnstiles: list[Turnstile] = []
    scans: list[Scan] = []

    @property
    def tz(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.site.timezone)


def local_time(text: str, today: date, tz: ZoneInfo) -> datetime:
    """The moment (aware, in `tz`) of a building file's time such as "+1d 09:00".

    Where clocks go back, it is the first of the two such moments. Where they go forward, a time in the gap is read by
    the clock before the change, so 02:30 becomes 03:30. Convert to UTC before comparing or subtracting: times of one
    zone compare by the wall clock. Raises ValueError for text that is no such time.
    """
    match = re.fullmatch(_LOCAL_TIME, text)
    if match is None:
        raise ValueError(f"{text!r} is not a time such as '+0d 09:00'.")
    day = today + timedelta(days=int(match[1]))
    moment = datetime.combine(day, time(int(match[2]), int(match[3])), tzinfo=tz)
    return moment.astimezone(UTC).astimezone(tz)


class ChangeError(Exception):
    """A change does not fit the bookings at that point; the text says why."""


def apply_change(present: dict[str, Booking], change: Change) -> tuple[Booking | None, Booking | None]:
    """Apply a change to the bookings (by id, changed in place). Returns the booking before and after.

    Raises ChangeError where the booking to create exists, or the booking to change does not, and
    pydantic.ValidationError where the new values make no valid booking.
    """
    if change.create is not None:
        if change.create.id in present:
            raise ChangeError(
                _("a booking “%(id)s” cannot be created, as it is there at that point.") % {"id": change.create.id}
            )
        present[change.create.id] = change.create
        return None, change.create
    name = change.update if change.update is not None else change.delete
    before = present.get(name or "")
    if before is None:
        raise ChangeError(_("there is no booking “%(id)s” at that point; correct the id or the order.") % {"id": name})
    if change.update is None:
        del present[before.id]
        return before, None
    present[before.id] = before.updated(change.values or {})
    return before, present[before.id]
