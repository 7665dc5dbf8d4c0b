"""From one record, as received, to a typed object. Pure: contract, record and time zone in, object out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from portal.offision.contract import MAX_ID, Contract, Expression
from portal.offision.errors import NotUnderstood
from portal.offision.operations import OperationName
from portal.offision.times import readings, span
from portal.offision.types import Booking, Information, RejectedRecord, Resource, Subscription, Visit

LONGEST_BOOKING = timedelta(days=35)
MAX_TEXT = 500
FIRST_YEAR, LAST_YEAR = 2000, 2200  # beyond, sums of times end somewhere
MAX_EMAIL = 320  # the longest address there is: 64 characters, @, 255 characters
MAX_ATTENDEES = 2000
MAX_RAW = 2000


class Unreadable(Exception):
    """One record does not fit. Its text is a sentence for staff."""


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Text fit to be stored, bounded: without NUL or half a surrogate pair, which PostgreSQL refuses."""
    return text.replace("\0", "").encode("utf-8", "replace").decode().strip()[:limit]


def excerpt(record: Any) -> str:
    """The record as at most 2000 characters of JSON."""
    return json.dumps(record, default=str)[:MAX_RAW]


@dataclass(frozen=True)
class Reader:
    """Reads records by one contract, for a site in one time zone."""

    contract: Contract
    zone: ZoneInfo

    def bookings(self, records: list[Any], resource_id: str) -> tuple[tuple[Booking, ...], tuple[RejectedRecord, ...]]:
        """All records of the bookings of `resource_id`, each id once, the later read for the fresher; and the rest."""
        bookings: dict[str, Booking] = {}
        rejected: dict[tuple[str, str], RejectedRecord] = {}
        for record in records:
            read = self.booking(record, resource_id)
            if isinstance(read, RejectedRecord):
                rejected[read.record_id, read.raw] = read
                continue
            other = bookings.get(read.id)
            if other and (other.starts_at, other.ends_at) != (read.starts_at, read.ends_at):
                rejected[other.id, str(other.starts_at)] = _shadowed(other)
            bookings[read.id] = read
        return tuple(bookings.values()), tuple(rejected.values())

    def booking(self, record: Any, resource_id: str) -> Booking | RejectedRecord:
        """One record of the bookings of `resource_id`; set aside with its reason if it does not fit."""
        fields = self.contract.operations["daily_bookings"].fields
        try:
            return self._booking(record, resource_id, fields)
        except Unreadable as reason:
            try:
                record_id = _identity(record, "id", fields)
            except Unreadable:
                record_id = ""
            return RejectedRecord(record_id=record_id, reason=str(reason), raw=excerpt(record))

    def _booking(self, record: Any, resource_id: str, fields: Mapping[str, Expression]) -> Booking:
        _need_object(record)
        record_id = _identity(record, "id", fields)
        named = _text(record, "resource_id", fields, MAX_ID)
        if named and named.casefold() != resource_id.strip().casefold():
            # A server that did not understand the question may list every room's bookings.
            raise Unreadable(
                _("The booking is of resource %(named)s, but the bookings of %(asked)s were asked for.")
                % {"named": named, "asked": resource_id}
            )
        starts, ends = self._moments(record, "starts_at", fields), self._moments(record, "ends_at", fields)
        if not starts or not ends:
            _missing("ends_at" if starts else "starts_at")
        window = span(starts, ends)
        if window is None:
            raise Unreadable(
                _("The booking does not end after it starts: from %(start)s until %(end)s.")
                % {"start": starts[-1].isoformat(), "end": ends[0].isoformat()}
            )
        if window[0].year < FIRST_YEAR or window[1].year > LAST_YEAR:
            raise Unreadable(
                _("The booking is in the year %(year)d, which is taken for a mistake.") % {"year": window[0].year}
            )
        if window[1] - window[0] > LONGEST_BOOKING:
            raise Unreadable(
                _("The booking lasts %(days)d days; more than %(most)d is taken for a mistake.")
                % {"days": (window[1] - window[0]).days, "most": LONGEST_BOOKING.days}
            )
        word = _word(record, "status", fields)
        return Booking(
            id=record_id,
            resource_id=resource_id,
            title=_text(record, "title", fields),
            starts_at=window[0],
            ends_at=window[1],
            status=self.contract.words.booking_status(word),
            status_word=clean(str(word)),
            organizer_email=_text(record, "organizer_email", fields, MAX_EMAIL),
            organizer_name=_text(record, "organizer_name", fields),
            attendee_emails=_emails(record, "attendee_emails", fields),
        )

    def visit(self, record: Any, code: str, operation: OperationName) -> Visit:
        """The visit in the answer of `operation` ("visit", "visits", "check_in", "check_out") about `code`.

        Raises NotUnderstood where it does not fit, or is another visit's.
        """
        fields = self.contract.operations[operation].fields
        try:
            _need_object(record)
            named = _text(record, "code", fields, MAX_ID)
            _need_same_code(named, code)
            word = _word(record, "status", fields)
            froms, untils = (self._moments(record, name, fields) for name in ("valid_from", "valid_until"))
            return Visit(
                code=named or code.strip(),
                name=_text(record, "name", fields),
                company=_text(record, "company", fields),
                host_email=_text(record, "host_email", fields, MAX_EMAIL),
                valid_from=froms[-1] if froms else None,
                valid_until=untils[0] if untils else None,
                status=self.contract.words.visit_status(word),
                status_word=clean(str(word)),
                site=_text(record, "site", fields) or None,
            )
        except Unreadable as reason:
            raise NotUnderstood(_misfit(operation, reason)) from None

    def visits(self, records: list[Any]) -> tuple[Visit, ...]:
        """The visits among the records of a list that can be read and told by their codes."""
        found = []
        for record in records:
            try:
                code = _identity(record, "code", self.contract.operations["visits"].fields)
                found.append(self.visit(record, code, "visits"))
            except (Unreadable, NotUnderstood):
                continue
        return tuple(found)

    def subscription(self, record: Any, operation: OperationName, **asked: str | None) -> Subscription:
        """The subscription in an `operation`'s answer; what it does not repeat is taken from what was
        `asked`.

        Raises NotUnderstood where it does not fit.
        """
        fields = self.contract.operations[operation].fields
        try:
            url = _text(record, "callback_url", fields, 2000) or asked.get("callback_url")
            ends = self._moments(record, "expires_at", fields)
            return Subscription(
                id=_identity(record, "id", fields),
                callback_url=url or _missing("callback_url"),
                resource_id=_text(record, "resource_id", fields, MAX_ID) or asked.get("resource_id"),
                expires_at=ends[0] if ends else None,
            )
        except Unreadable as reason:
            raise NotUnderstood(_misfit(operation, reason)) from None

    def resource(self, record: Any) -> Resource:
        """One bookable resource. Raises NotUnderstood where it does not fit."""
        fields = self.contract.operations["resources"].fields
        try:
            return Resource(id=_identity(record, "id", fields), name=_text(record, "name", fields))
        except Unreadable as reason:
            raise NotUnderstood(_misfit("resources", reason)) from None

    def information(self, record: Any) -> Information:
        """What the server says of itself. Raises NotUnderstood where it is no object."""
        fields = self.contract.operations["information"].fields
        try:
            _need_object(record)
            return Information(**{name: _text(record, name, fields) for name in Information.model_fields})
        except Unreadable as reason:
            raise NotUnderstood(_misfit("information", reason)) from None

    def _moments(self, record: Any, field: str, fields: Mapping[str, Expression]) -> tuple[datetime, ...]:
        value = fields[field].read(record) if field in fields else None
        if value is None or value == "":
            return ()
        try:
            return readings(value, self.contract.times, self.zone)
        except ValueError:
            raise Unreadable(
                _("The field %(field)s holds %(value)s, which is no time in the format %(format)s.")
                % {"field": field, "value": excerpt(value)[:80], "format": self.contract.times.format}
            ) from None


def _shadowed(booking: Booking) -> RejectedRecord:
    return RejectedRecord(
        record_id=booking.id,
        reason=_(
            "Another booking has the same id and other times, and is used instead. If this is a series whose "
            "meetings share an id, make the contract's id differ, as in join('@', [id, startTime])."
        ),
        raw=booking.model_dump_json()[:MAX_RAW],
    )


def _misfit(operation: str, reason: Unreadable) -> str:
    return _("Offision's answer does not fit the contract, operation %(operation)s. %(reason)s") % {
        "operation": operation,
        "reason": reason,
    }


def _need_object(record: Any) -> None:
    if not isinstance(record, dict):
        raise Unreadable(_("The record is not an object with fields."))


def _need_same_code(named: str, asked: str) -> None:
    # Case counts: another spelling is another code, and may be somebody else's.
    if named and named != asked.strip():
        raise Unreadable(_("The answer is about another registration code than the one asked for."))


def _missing(field: str) -> NoReturn:
    raise Unreadable(_("The field %(field)s is missing.") % {"field": field})


def _scalar(record: Any, field: str, fields: Mapping[str, Expression]) -> str | int | float | bool | None:
    value = fields[field].read(record) if field in fields else None
    if value is not None and not isinstance(value, str | int | float):
        raise Unreadable(_("The field %(field)s is not one single value.") % {"field": field})
    return value


def _text(record: Any, field: str, fields: Mapping[str, Expression], limit: int = MAX_TEXT) -> str:
    value = _scalar(record, field, fields)
    return "" if value is None else clean(str(value), limit)


def _word(record: Any, field: str, fields: Mapping[str, Expression]) -> str | int | float | bool:
    value = _scalar(record, field, fields)
    if value is None:
        _missing(field)
    return value


def _identity(record: Any, field: str, fields: Mapping[str, Expression]) -> str:
    value = _scalar(record, field, fields)
    text = "" if value is None or isinstance(value, bool) else str(value).strip()
    if not text:
        _missing(field)
    # Cutting or cleaning an id could make two records one.
    if len(text) > MAX_ID or clean(text) != text:
        raise Unreadable(_("The field %(field)s is no usable id.") % {"field": field})
    return text


def _emails(record: Any, field: str, fields: Mapping[str, Expression]) -> tuple[str, ...]:
    value = fields[field].read(record) if field in fields else None
    if value is None:
        return ()
    if isinstance(value, str):
        value = [part for part in value.replace(",", ";").split(";") if part.strip()]
    if not isinstance(value, list) or not all(isinstance(entry, str | None) for entry in value):
        raise Unreadable(_("The field %(field)s is not a list of emails.") % {"field": field})
    if len(value) > MAX_ATTENDEES:
        raise Unreadable(
            _("The booking names %(count)d attendees; more than %(most)d is taken for a mistake.")
            % {"count": len(value), "most": MAX_ATTENDEES}
        )
    return tuple(dict.fromkeys(clean(entry or "", MAX_EMAIL) for entry in value))
