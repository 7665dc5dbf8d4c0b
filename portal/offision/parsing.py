"""Makes a typed object of one record as received. Pure."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from portal.core.problems import Problem
from portal.offision import problems
from portal.offision.contract import MAX_ID, Contract, Expression
from portal.offision.errors import Invalid, NotUnderstood
from portal.offision.operations import OperationName
from portal.offision.times import readings, span
from portal.offision.types import Booking, Information, RejectedRecord, Resource, Subscription, Visit

LONGEST_BOOKING = timedelta(days=35)
MAX_TEXT = 500
FIRST_YEAR, LAST_YEAR = 2000, 2200  # beyond them, adding to a time may overflow
MAX_EMAIL = 320  # the longest address there is: 64 characters, @, 255 characters
MAX_ATTENDEES = 2000
MAX_RAW = 2000


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Text that can be stored, bounded: without NUL and lone surrogates, which PostgreSQL refuses."""
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
        """The bookings of `resource_id`, each id once, the last record of an id; and the records that are rejected."""
        bookings: dict[str, Booking] = {}
        rejected: dict[tuple[str, str], RejectedRecord] = {}
        for record in records:
            booking = self.booking(record, resource_id)
            if isinstance(booking, RejectedRecord):
                rejected[booking.record_id, booking.raw] = booking
                continue
            other = bookings.get(booking.id)
            if other and (other.starts_at, other.ends_at) != (booking.starts_at, booking.ends_at):
                rejected[other.id, str(other.starts_at)] = _replaced(other)
            bookings[booking.id] = booking
        return tuple(bookings.values()), tuple(rejected.values())

    def booking(self, record: Any, resource_id: str) -> Booking | RejectedRecord:
        """One record of the bookings of `resource_id`; rejected with its reason if it does not fit."""
        fields = self.contract.operations["daily_bookings"].fields
        try:
            return self._booking(record, resource_id, fields)
        except Invalid as error:
            try:
                record_id = _identity(record, "id", fields)
            except Invalid:
                record_id = ""
            return RejectedRecord(record_id=record_id, reason=error.problem, raw=excerpt(record))

    def _booking(self, record: Any, resource_id: str, fields: Mapping[str, Expression]) -> Booking:
        _need_object(record)
        record_id = _identity(record, "id", fields)
        named = _text(record, "resource_id", fields, MAX_ID)
        if named and named.casefold() != resource_id.strip().casefold():
            # A server that does not read the resource's id may list the bookings of every resource.
            raise Invalid(problems.OTHER_RESOURCE(named=named, asked=resource_id))
        starts, ends = self._moments(record, "starts_at", fields), self._moments(record, "ends_at", fields)
        if not starts or not ends:
            _missing("ends_at" if starts else "starts_at")
        window = span(starts, ends)
        if window is None:
            raise Invalid(problems.ENDS_BEFORE_START(start=starts[-1], end=ends[0]))
        if window[0].year < FIRST_YEAR or window[1].year > LAST_YEAR:
            raise Invalid(problems.ODD_YEAR(year=window[0].year))
        if window[1] - window[0] > LONGEST_BOOKING:
            raise Invalid(problems.TOO_MANY_DAYS(days=(window[1] - window[0]).days, most=LONGEST_BOOKING.days))
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

        Raises NotUnderstood where it does not fit, or is another visit.
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
        except Invalid as error:
            raise misfit(operation, error.problem) from None

    def visits(self, records: list[Any]) -> tuple[Visit, ...]:
        """The visits of a list. Records that cannot be read, or have no code, are left out."""
        visits = []
        for record in records:
            with suppress(Invalid, NotUnderstood):
                code = _identity(record, "code", self.contract.operations["visits"].fields)
                visits.append(self.visit(record, code, "visits"))
        return tuple(visits)

    def subscription(self, record: Any, operation: OperationName, **asked: str | None) -> Subscription:
        """The subscription in the answer of `operation`; what it does not repeat comes from `asked`.

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
        except Invalid as error:
            raise misfit(operation, error.problem) from None

    def resource(self, record: Any) -> Resource:
        """One bookable resource. Raises NotUnderstood where it does not fit."""
        fields = self.contract.operations["resources"].fields
        try:
            return Resource(id=_identity(record, "id", fields), name=_text(record, "name", fields))
        except Invalid as error:
            raise misfit("resources", error.problem) from None

    def information(self, record: Any) -> Information:
        """What the server tells about itself. Raises NotUnderstood where it is no object."""
        fields = self.contract.operations["information"].fields
        try:
            _need_object(record)
            return Information(**{name: _text(record, name, fields) for name in Information.model_fields})
        except Invalid as error:
            raise misfit("information", error.problem) from None

    def _moments(self, record: Any, field: str, fields: Mapping[str, Expression]) -> tuple[datetime, ...]:
        value = fields[field].read(record) if field in fields else None
        if value is None or value == "":
            return ()
        try:
            return readings(value, self.contract.times, self.zone)
        except ValueError:
            problem = problems.BAD_TIME(field=field, value=excerpt(value)[:80], format=self.contract.times.format)
            raise Invalid(problem) from None


def _replaced(booking: Booking) -> RejectedRecord:
    return RejectedRecord(
        record_id=booking.id,
        reason=problems.SAME_ID(),
        raw=booking.model_dump_json()[:MAX_RAW],
    )


def misfit(operation: str, why: Problem) -> NotUnderstood:
    """The error of an answer that the contract does not fit."""
    return NotUnderstood(problems.MISFIT(operation=operation, why=why))


def _need_object(record: Any) -> None:
    if not isinstance(record, dict):
        raise Invalid(problems.NOT_AN_OBJECT())


def _need_same_code(named: str, asked: str) -> None:
    # Case counts: another spelling is another code, perhaps of another visitor.
    if named and named != asked.strip():
        raise Invalid(problems.OTHER_CODE())


def _missing(field: str) -> NoReturn:
    raise Invalid(problems.FIELD_MISSING(field=field))


def _scalar(record: Any, field: str, fields: Mapping[str, Expression]) -> str | int | float | bool | None:
    value = fields[field].read(record) if field in fields else None
    if value is not None and not isinstance(value, str | int | float):
        raise Invalid(problems.NOT_ONE_VALUE(field=field))
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
        raise Invalid(problems.BAD_ID(field=field))
    return text


def _emails(record: Any, field: str, fields: Mapping[str, Expression]) -> tuple[str, ...]:
    value = fields[field].read(record) if field in fields else None
    if value is None:
        return ()
    if isinstance(value, str):
        value = [part for part in value.replace(",", ";").split(";") if part.strip()]
    if not isinstance(value, list) or not all(isinstance(entry, str | None) for entry in value):
        raise Invalid(problems.BAD_EMAILS(field=field))
    if len(value) > MAX_ATTENDEES:
        raise Invalid(problems.TOO_MANY_ATTENDEES(count=len(value), most=MAX_ATTENDEES))
    return tuple(dict.fromkeys(clean(entry or "", MAX_EMAIL) for entry in value))
