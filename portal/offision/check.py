"""Checks a contract against its server by reading only, and shows what was read, field by field."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from portal.core.problems import Problem
from portal.offision import problems
from portal.offision.client import OffisionClient
from portal.offision.contract import Contract, Expression, known_zone
from portal.offision.errors import OffisionError
from portal.offision.operations import OPERATIONS, OperationName
from portal.offision.parsing import Reader, excerpt
from portal.offision.statuses import BookingStatus, VisitStatus
from portal.offision.subscription import mask_url
from portal.offision.types import Booking, Visit

SHOWN_RECORDS = 3
MOST_MISFITS = 10
MAX_EXAMPLE = 48  # characters


@dataclass
class Section:
    """The result of one operation: what was read, what does not fit, and remarks that are no misfits."""

    title: Problem
    lines: list[Problem] = field(default_factory=list)
    misfits: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)


def check_contract(client: OffisionClient, *, resource_id: str | None, code: str | None, today: date) -> list[Section]:
    """Try every operation of the client's contract that changes nothing at the server.

    Bookings are read from the day before `today` (a site-local day) to two days after it, of `resource_id` or else the
    first resource listed. A visit is looked up only with a `code`: looking it up may check the visitor in.
    """
    check = _Check(client)
    sections = [_overview(client)]
    if client.contract.has("information"):
        sections.append(check.run("information", check.information))
    listed: list[str] = []
    if client.contract.has("resources"):
        sections.append(check.run("resources", lambda section: listed.extend(check.resources(section))))
    room = resource_id or next(iter(listed), None)
    if client.contract.has("daily_bookings"):
        sections.append(check.run("daily_bookings", lambda section: check.bookings(section, room, today)))
    if client.contract.has("subscriptions"):
        sections.append(check.run("subscriptions", check.subscriptions))
    if client.contract.has("visit"):
        sections.append(check.run("visit", lambda section: check.visit(section, code)))
    if client.contract.has("visits"):
        sections.append(check.run("visits", lambda section: check.visits(section, today)))
    untried: tuple[OperationName, ...] = ("subscribe", "unsubscribe", "check_in", "check_out")
    for name in untried:
        if client.contract.has(name):
            section = Section(check.title(name))
            section.remarks.append(problems.CHANGES_SERVER())
            sections.append(section)
    return sections


def as_text(sections: list[Section]) -> Iterator[str]:
    """The sections as lines of plain text, with the count of misfits at the end."""
    for section in sections:
        yield str(section.title)
        yield from (f"  {line}" for line in section.lines)
        yield from (f"  - {remark}" for remark in section.remarks)
        yield from (f"  ! {misfit}" for misfit in section.misfits)
        yield ""
    count = sum(len(section.misfits) for section in sections)
    yield str(problems.MISFITS(count=count) if count else problems.ALL_FITS())


def _overview(client: OffisionClient) -> Section:
    contract = client.contract
    parts = {
        "auth": contract.auth.status,
        "answers": contract.answers.status,
        "times": contract.times.status,
        "callback": contract.callback.status,
        "subscription": contract.subscription.status,
    }
    section = Section(problems.SERVER(host=client.host))
    if unconfirmed := [name for name, status in parts.items() if status == "unconfirmed"]:
        section.remarks.append(problems.UNCONFIRMED_PARTS(parts=", ".join(unconfirmed)))
    if absent := [name for name in OPERATIONS if not contract.has(name)]:
        section.remarks.append(problems.ABSENT_OPERATIONS(names=", ".join(absent)))
    return section


class _Check:
    def __init__(self, client: OffisionClient) -> None:
        self.client = client
        self.contract: Contract = client.contract
        self.zone = client.time_zone
        self.reader = Reader(client.contract, client.time_zone)

    def title(self, name: OperationName) -> Problem:
        operation = self.contract.operations[name]
        title = problems.OPERATION(name=name, method=operation.method, path=operation.path)
        statuses = {"status": operation.status, "answer_status": operation.answer_status}
        unconfirmed = [key for key, status in statuses.items() if status == "unconfirmed"]
        if not unconfirmed:
            return title
        return problems.UNCONFIRMED_OPERATION(operation=title, parts=", ".join(unconfirmed))

    def run(self, name: OperationName, check: Callable[[Section], object]) -> Section:
        section = Section(self.title(name))
        try:
            check(section)
        except OffisionError as error:
            section.misfits.append(error.problem)
        del section.misfits[MOST_MISFITS:]
        return section

    def information(self, section: Section) -> None:
        record = self.client.raw_record("information")
        self._fields(section, "information", [record])
        name = self.reader.information(record).time_zone
        zone = known_zone(name)
        if name and zone is None:
            section.remarks.append(problems.ODD_ZONE_NAME(zone=name))
        elif zone is not None and zone.key != self.zone.key:
            section.misfits.append(problems.OTHER_ZONE(zone=name, site=self.zone.key))

    def resources(self, section: Section) -> list[str]:
        records = self.client.raw_records("resources")
        self._fields(section, "resources", records)
        resources = [self.reader.resource(record) for record in records]
        section.lines += [problems.RESOURCE(id=one.id, name=one.name) for one in resources[:SHOWN_RECORDS]]
        return [resource.id for resource in resources]

    def bookings(self, section: Section, resource_id: str | None, today: date) -> None:
        if resource_id is None:
            section.remarks.append(problems.NO_RESOURCE())
            return
        records, requests = self.client.raw_bookings(resource_id, today - timedelta(days=1), today + timedelta(days=2))
        section.lines.append(problems.RECEIVED(id=resource_id, count=len(records), requests=requests))
        self._fields(section, "daily_bookings", records)
        self._naive_times(section, records)
        bookings, rejected = self.reader.bookings(records, resource_id)
        section.lines += [self._booking(booking) for booking in bookings[:SHOWN_RECORDS]]
        unknown = {one.status_word for one in bookings if one.status is BookingStatus.UNKNOWN}
        section.misfits += [problems.UNKNOWN_WORD(word=word, kind="booking") for word in sorted(unknown)]
        if bookings and not any(one.organizer_email or any(one.attendee_emails) for one in bookings):
            section.misfits.append(problems.NO_EMAILS())
        section.misfits += [problems.REJECTED(id=one.record_id or "?", why=one.reason) for one in rejected]

    def subscriptions(self, section: Section) -> None:
        records = self.client.raw_records("subscriptions")
        self._fields(section, "subscriptions", records)
        subscriptions = [self.reader.subscription(record, "subscriptions") for record in records]
        for one in subscriptions[:SHOWN_RECORDS]:
            url, resource = mask_url(one.callback_url), one.resource_id or "*"
            if one.expires_at:
                until = self._local(one.expires_at)
                section.lines.append(problems.SUBSCRIPTION(id=one.id, url=url, resource=resource, until=until))
            else:
                section.lines.append(problems.ENDLESS_SUBSCRIPTION(id=one.id, url=url, resource=resource))

    def visit(self, section: Section, code: str | None) -> None:
        if code is None:
            section.remarks.append(problems.NO_CODE())
            return
        record = self.client.raw_record("visit", code=code)
        self._fields(section, "visit", [record])
        visit: Visit = self.reader.visit(record, code, "visit")
        section.lines.append(
            problems.VISIT(
                name=visit.name,
                company=visit.company,
                status=visit.status,
                start=self._local(visit.valid_from) if visit.valid_from else "…",
                end=self._local(visit.valid_until) if visit.valid_until else "…",
                host=visit.host_email,
            )
        )
        if visit.status is VisitStatus.UNKNOWN:
            section.misfits.append(problems.UNKNOWN_WORD(word=visit.status_word, kind="visit"))

    def visits(self, section: Section, today: date) -> None:
        records = self.client.raw_records("visits", date=today.isoformat())
        self._fields(section, "visits", records)
        visits = self.reader.visits(records)
        for visit in visits[:SHOWN_RECORDS]:  # without the code: it opens the turnstile
            section.lines.append(problems.LISTED_VISIT(name=visit.name, company=visit.company, status=visit.status))
        if len(visits) < len(records):
            section.misfits.append(problems.UNREAD_VISITS(count=len(records) - len(visits), all=len(records)))
        unknown = {one.status_word for one in visits if one.status is VisitStatus.UNKNOWN}
        section.misfits += [problems.UNKNOWN_WORD(word=word, kind="visit") for word in sorted(unknown)]

    def _fields(self, section: Section, name: OperationName, records: list[Any]) -> None:
        """A line for each field: in how many records it has a value, and the first value."""
        fields: Mapping[str, Expression] = self.contract.operations[name].fields
        if not records:
            section.remarks.append(problems.NOTHING_TO_READ())
            return
        width = max(map(len, fields), default=0)
        for field_name, expression in fields.items():
            values = [value for value in map(expression.read, records) if value not in (None, "", [])]
            section.lines.append(
                problems.FIELD(
                    field=field_name.ljust(width),
                    count=len(values),
                    all=len(records),
                    expression=expression.text,
                    example=_example(name, field_name, values),
                )
            )
            missing = len(records) - len(values)
            if missing and field_name in OPERATIONS[name].required:
                section.misfits.append(problems.FIELD_ABSENT(field=field_name, missing=missing, all=len(records)))
            elif not values:
                section.remarks.append(problems.FIELD_NOWHERE(field=field_name))

    def _naive_times(self, section: Section, records: list[Any]) -> None:
        starts = self.contract.operations["daily_bookings"].fields["starts_at"]
        if self.contract.times.format == "iso" and any(_is_naive(starts.read(record)) for record in records):
            section.remarks.append(problems.NAIVE_TIMES(zone=self.contract.times.zone(self.zone).key))

    def _booking(self, booking: Booking) -> Problem:
        return problems.BOOKING(
            title=booking.title or booking.id,
            start=self._local(booking.starts_at),
            end=self._local(booking.ends_at),
            status=booking.status,
            organizer=booking.organizer_email or "?",
            count=len(booking.attendee_emails),
        )

    def _local(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"


def _example(operation: OperationName, field_name: str, values: list[Any]) -> str:
    """The first value, without secrets."""
    if not values:
        return ""
    if operation == "visits" and field_name == "code":  # a reader could pass with it
        return "***"
    value = mask_url(values[0]) if field_name == "callback_url" and isinstance(values[0], str) else values[0]
    return excerpt(value)[:MAX_EXAMPLE]


def _is_naive(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is None
    except (TypeError, ValueError):
        return False
