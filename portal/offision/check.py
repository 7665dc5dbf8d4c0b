"""Tries a contract against its server, by reading only, and says what was read, field by field."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.offision.client import OffisionClient
from portal.offision.contract import Contract, Expression, known_zone
from portal.offision.errors import OffisionError
from portal.offision.operations import OPERATIONS, OperationName
from portal.offision.parsing import Reader, excerpt
from portal.offision.subscription import mask_url
from portal.offision.types import Booking, BookingStatus, Visit, VisitStatus

FIRST = 3  # records shown as understood
MOST_MISFITS = 10
EXAMPLE = 48  # characters


@dataclass
class Section:
    """What came of one operation: lines to read, misfits (a sentence each), and remarks that are no misfits."""

    title: str
    lines: list[str] = field(default_factory=list)
    misfits: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def check_contract(client: OffisionClient, *, resource_id: str | None, code: str | None, today: date) -> list[Section]:
    """Try every operation of the client's contract that changes nothing at the server.

    Bookings are asked for from the day before `today` (a site-local day) to two days after it, of `resource_id` or else
    the first resource listed. A visit is looked up only where a `code` is given: whether looking checks anyone in is
    not known.
    """
    check = _Check(client)
    sections = [_parts(client)]
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
            section.remarks.append(_("Not tried: it would change something at the server."))
            sections.append(section)
    return sections


def as_text(sections: list[Section]) -> Iterator[str]:
    """The sections as lines of plain text, with the count of misfits at the end."""
    for section in sections:
        yield section.title
        yield from (f"  {line}" for line in section.lines)
        yield from (f"  - {remark}" for remark in section.remarks)
        yield from (f"  ! {misfit}" for misfit in section.misfits)
        yield ""
    count = sum(len(section.misfits) for section in sections)
    if count:
        yield ngettext(
            "%(count)d thing did not fit; it is marked with !.",
            "%(count)d things did not fit; they are marked with !.",
            count,
        ) % {"count": count}
    else:
        yield _("Everything that was tried fits.")


def _parts(client: OffisionClient) -> Section:
    contract = client.contract
    parts = {
        "auth": contract.auth.status,
        "answers": contract.answers.status,
        "times": contract.times.status,
        "callback": contract.callback.status,
        "subscription": contract.subscription.status,
    }
    section = Section(_("Offision at %(host)s") % {"host": client.host})
    if guessed := [name for name, status in parts.items() if status == "unconfirmed"]:
        section.remarks.append(_("Unconfirmed parts of the contract: %(parts)s.") % {"parts": ", ".join(guessed)})
    if absent := [name for name in OPERATIONS if not contract.has(name)]:
        section.remarks.append(_("Not in the contract: %(names)s.") % {"names": ", ".join(absent)})
    return section


class _Check:
    def __init__(self, client: OffisionClient) -> None:
        self.client = client
        self.contract: Contract = client.contract
        self.zone = client.time_zone
        self.reader = Reader(client.contract, client.time_zone)

    def title(self, name: OperationName) -> str:
        operation = self.contract.operations[name]
        marks = [
            word
            for word, status in ((_("request"), operation.status), (_("answer"), operation.answer_status))
            if status == "unconfirmed"
        ]
        guessed = _("  [unconfirmed: %(parts)s]") % {"parts": ", ".join(marks)} if marks else ""
        return f"{name}  {operation.method} {operation.path}{guessed}"

    def run(self, name: OperationName, look: Callable[[Section], object]) -> Section:
        section = Section(self.title(name))
        try:
            look(section)
        except OffisionError as error:
            section.misfits.append(error.summary)
        del section.misfits[MOST_MISFITS:]
        return section

    def information(self, section: Section) -> None:
        record = self.client.raw_record("information")
        self._fields(section, "information", [record])
        named = self.reader.information(record).time_zone
        zone = known_zone(named)
        if named and zone is None:
            section.remarks.append(_("The server names its time zone %(zone)s, no IANA name.") % {"zone": named})
        elif zone is not None and zone.key != self.zone.key:
            section.misfits.append(
                _("The server's time zone is %(zone)s, but the site's (SITE_TIME_ZONE) is %(site)s.")
                % {"zone": named, "site": self.zone.key}
            )

    def resources(self, section: Section) -> list[str]:
        records = self.client.raw_records("resources")
        self._fields(section, "resources", records)
        read = [self.reader.resource(record) for record in records]
        section.lines += [f"{resource.id}: {resource.name}" for resource in read[:FIRST]]
        return [resource.id for resource in read]

    def bookings(self, section: Section, resource_id: str | None, today: date) -> None:
        if resource_id is None:
            section.remarks.append(_("Not tried: give the id of a resource that has bookings with --resource."))
            return
        records, requests = self.client.raw_bookings(resource_id, today - timedelta(days=1), today + timedelta(days=2))
        section.lines.append(
            _("Resource %(id)s, four days: %(count)d records in %(requests)d requests.")
            % {"id": resource_id, "count": len(records), "requests": requests}
        )
        self._fields(section, "daily_bookings", records)
        self._naive(section, records)
        bookings, rejected = self.reader.bookings(records, resource_id)
        section.lines += [self._booking(booking) for booking in bookings[:FIRST]]
        unknown = {one.status_word for one in bookings if one.status is BookingStatus.UNKNOWN}
        section.misfits += [self._unknown(word, "booking") for word in sorted(unknown)]
        if bookings and not any(one.organizer_email or any(one.attendee_emails) for one in bookings):
            section.misfits.append(_("No booking has an organizer's or attendee's email: nobody would be admitted."))
        section.misfits += [f"{aside.record_id or '?'}: {aside.reason}" for aside in rejected]

    def subscriptions(self, section: Section) -> None:
        records = self.client.raw_records("subscriptions")
        self._fields(section, "subscriptions", records)
        for record in records:
            read = self.reader.subscription(record, "subscriptions")
            if len(section.lines) < FIRST + len(self.contract.operations["subscriptions"].fields) + 1:
                until = self._local(read.expires_at) if read.expires_at else _("no end")
                section.lines.append(f"{read.id}: {mask_url(read.callback_url)}, {read.resource_id or '*'}, {until}")

    def visit(self, section: Section, code: str | None) -> None:
        if code is None:
            section.remarks.append(
                _("Not tried: give a registration code with --code. Looking may check the visitor in.")
            )
            return
        record = self.client.raw_record("visit", code=code)
        self._fields(section, "visit", [record])
        visit: Visit = self.reader.visit(record, code, "visit")
        since = self._local(visit.valid_from) if visit.valid_from else "…"
        until = self._local(visit.valid_until) if visit.valid_until else "…"
        section.lines.append(f"{visit.name} ({visit.company}): {visit.status}, {since} – {until}, {visit.host_email}")
        if visit.status is VisitStatus.UNKNOWN:
            section.misfits.append(self._unknown(visit.status_word, "visit"))

    def visits(self, section: Section, today: date) -> None:
        records = self.client.raw_records("visits", date=today.isoformat())
        self._fields(section, "visits", records)
        read = self.reader.visits(records)
        for visit in read[:FIRST]:  # the code itself is a key to the turnstile
            section.lines.append(f"{visit.name} ({visit.company}): {visit.status}")
        if len(read) < len(records):
            section.misfits.append(
                _("%(n)d of %(all)d visits can't be read, and are not fetched ahead.")
                % {"n": len(records) - len(read), "all": len(records)}
            )
        unknown = {one.status_word for one in read if one.status is VisitStatus.UNKNOWN}
        section.misfits += [self._unknown(word, "visit") for word in sorted(unknown)]

    def _fields(self, section: Section, name: OperationName, records: list[Any]) -> None:
        """A line a field: in how many records it was found, and the first example."""
        fields: Mapping[str, Expression] = self.contract.operations[name].fields
        if not records:
            section.remarks.append(_("There were no records, so no field could be tried."))
            return
        width = max(map(len, fields), default=0)
        for field_name, expression in fields.items():
            found = [value for value in map(expression.read, records) if value not in (None, "", [])]
            example = found[0] if found else None
            if field_name == "callback_url" and isinstance(example, str):
                example = mask_url(example)
            if name == "visits" and field_name == "code":
                example = "***"  # whoever reads it here could pass with it
            shown = excerpt(example)[:EXAMPLE] if found else ""
            section.lines.append(
                _("%(field)s  found in %(found)d of %(all)d  by %(expression)s  %(example)s")
                % {
                    "field": field_name.ljust(width),
                    "found": len(found),
                    "all": len(records),
                    "expression": expression.text,
                    "example": shown,
                }
            )
            missing = len(records) - len(found)
            if missing and field_name in OPERATIONS[name].required:
                section.misfits.append(
                    _("The field %(field)s was not found in %(missing)d of %(all)d records.")
                    % {"field": field_name, "missing": missing, "all": len(records)}
                )
            elif not found:
                section.remarks.append(
                    _("The field %(field)s was not found anywhere. If your server has it, its expression is wrong.")
                    % {"field": field_name}
                )

    def _naive(self, section: Section, records: list[Any]) -> None:
        starts = self.contract.operations["daily_bookings"].fields["starts_at"]
        if self.contract.times.format == "iso" and any(_is_naive(starts.read(record)) for record in records):
            section.remarks.append(
                _("Times come without an offset and are read as %(zone)s time (times.naive). Is that right?")
                % {"zone": self.contract.times.zone(self.zone).key}
            )

    def _booking(self, booking: Booking) -> str:
        return _("%(title)s: %(start)s – %(end)s, %(status)s, organizer %(organizer)s, attendees: %(count)d") % {
            "title": booking.title or booking.id,
            "start": self._local(booking.starts_at),
            "end": self._local(booking.ends_at),
            "status": booking.status,
            "organizer": booking.organizer_email or "?",
            "count": len(booking.attendee_emails),
        }

    def _local(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"

    def _unknown(self, word: str, kind: str) -> str:
        return _("The status word %(word)r is not in words.%(kind)s of the contract: it admits nobody.") % {
            "word": word,
            "kind": kind,
        }


def _is_naive(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is None
    except (TypeError, ValueError):
        return False
