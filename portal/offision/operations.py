"""The operations that the portal knows: the values that fill each request, and the fields of each answer."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from portal.core.problems import Problem
from portal.offision import problems

OperationName = Literal[
    "information",
    "resources",
    "daily_bookings",
    "subscribe",
    "subscriptions",
    "unsubscribe",
    "visit",
    "visits",
    "check_in",
    "check_out",
]

# `{name}` is filled in as text; `{name:number}` as a JSON number, for servers that number their resources.
_PLACEHOLDER = re.compile(r"\{([a-z_]+)(:number)?\}")
_ANY_BRACES = re.compile(r"\{([^{}]*)\}")

_VISIT_FIELDS = ("code", "name", "company", "host_email", "valid_from", "valid_until", "status", "site")


@dataclass(frozen=True, kw_only=True)
class OperationRule:
    """What an operation's table in a contract can and must hold."""

    fills: tuple[str, ...] = ()
    must_fill: tuple[tuple[str, ...], ...] = ()  # of each group, at least one must be in the request
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    many: bool = False
    may_read_nothing: bool = False

    def misfits(self, *, request: Any, fields: Collection[str], has_records: bool) -> Iterator[tuple[str, Problem]]:
        """Why a table cannot work, each with its key below the operation."""
        braces = set(_every_brace(request))
        for name in sorted(braces - {f"{fill}{kind}" for fill in self.fills for kind in ("", ":number")}):
            known = ", ".join(f"{{{fill}}}" for fill in self.fills)
            no_placeholder = problems.NO_PLACEHOLDERS(name=name)
            yield "path", problems.NOT_A_PLACEHOLDER(name=name, known=known) if known else no_placeholder
        names = {name.removesuffix(":number") for name in braces}
        for group in self.must_fill:
            if not names & set(group):
                yield "path", problems.PLACEHOLDER_NEEDED(needed=", ".join(f"{{{name}}}" for name in group))
        for field in sorted(set(fields) - {*self.required, *self.optional}):
            yield f"fields.{field}", problems.NOT_A_FIELD()
        if not (self.may_read_nothing and not fields):
            for field in self.required:
                if field not in fields:
                    yield f"fields.{field}", problems.FIELD_NEEDED()
        if self.many and not has_records:
            yield "records", problems.RECORDS_NEEDED()
        if has_records and not self.many:
            yield "records", problems.RECORD_NEEDED()


OPERATIONS: dict[OperationName, OperationRule] = {
    "information": OperationRule(optional=("version", "product", "time_zone")),
    "resources": OperationRule(required=("id", "name"), many=True),
    "daily_bookings": OperationRule(
        fills=("resource_id", "date", "from", "until"),
        must_fill=(("resource_id",), ("date", "from"), ("date", "until")),
        required=("id", "starts_at", "ends_at", "status"),
        optional=("resource_id", "title", "organizer_email", "organizer_name", "attendee_emails"),
        many=True,
    ),
    "subscribe": OperationRule(
        fills=("callback_url", "resource_id"),
        must_fill=(("callback_url",),),
        required=("id",),
        optional=("callback_url", "resource_id", "expires_at"),
    ),
    "subscriptions": OperationRule(required=("id", "callback_url"), optional=("resource_id", "expires_at"), many=True),
    "unsubscribe": OperationRule(fills=("subscription_id",), must_fill=(("subscription_id",),)),
    "visit": OperationRule(fills=("code",), must_fill=(("code",),), required=("status",), optional=_VISIT_FIELDS),
    "visits": OperationRule(fills=("date",), required=("code", "status"), optional=_VISIT_FIELDS, many=True),
    "check_in": OperationRule(
        fills=("code",),
        must_fill=(("code",),),
        required=("status",),
        optional=_VISIT_FIELDS,
        may_read_nothing=True,
    ),
    "check_out": OperationRule(
        fills=("code",),
        must_fill=(("code",),),
        required=("status",),
        optional=_VISIT_FIELDS,
        may_read_nothing=True,
    ),
}


def _strings(template: Any) -> Iterator[str]:
    if isinstance(template, str):
        yield template
    elif isinstance(template, dict):
        for value in template.values():
            yield from _strings(value)
    elif isinstance(template, list):
        for value in template:
            yield from _strings(value)


def _every_brace(template: Any) -> Iterator[str]:
    for text in _strings(template):
        yield from (str(match) for match in _ANY_BRACES.findall(text))


def placeholders(template: Any) -> frozenset[str]:
    """The names of the placeholders anywhere in a template of strings, dicts and lists."""
    return frozenset(name.removesuffix(":number") for name in _every_brace(template))


_LEFT_OUT = object()


def fill(template: Any, values: dict[str, str | None]) -> Any:
    """The template with its placeholders filled in.

    A template with a value of None is left out, together with its key or list entry. Raises ValueError where the
    value of a `{name:number}` is no whole number.
    """
    filled = _fill(template, values)
    return None if filled is _LEFT_OUT else filled


def _fill(template: Any, values: dict[str, str | None]) -> Any:
    if isinstance(template, dict):
        pairs = ((key, _fill(value, values)) for key, value in template.items())
        return {key: value for key, value in pairs if value is not _LEFT_OUT}
    if isinstance(template, list):
        return [value for value in (_fill(entry, values) for entry in template) if value is not _LEFT_OUT]
    if not isinstance(template, str):
        return template
    if any(values[match[1]] is None for match in _PLACEHOLDER.finditer(template)):
        return _LEFT_OUT
    if (whole := _PLACEHOLDER.fullmatch(template)) and whole[2]:
        return int(values[whole[1]] or "")
    return _PLACEHOLDER.sub(lambda match: values[match[1]] or "", template)
