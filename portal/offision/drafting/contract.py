"""Drafts a contract from the server's own OpenAPI document.

An open point becomes a line that starts with "# QUESTION:", with its candidates below it.
"""

import re
from collections.abc import Iterator
from typing import Any, get_args

from django.utils.translation import gettext as _

from portal.offision.drafting.matching import FIELD_PATTERNS, Choice, find_field, find_operation, key, meaning
from portal.offision.drafting.openapi import ApiOperation, Document, Node, enum_of
from portal.offision.drafting.operation import MOST_CANDIDATES, DraftedOperation, draft_operation, named
from portal.offision.drafting.text import comment, question, toml
from portal.offision.operations import OperationName
from portal.offision.statuses import BookingStatus, VisitStatus

_SUCCESS = re.compile(r"(i)?(is)?(success|succeeded|successful|ok)")
_MESSAGE = re.compile(r"(error)?(message|msg)|error(description|text)")
_CODE = re.compile(r"(error|result|return|status|ret)?code|errno")
_MILLISECONDS = 100_000_000_000  # as seconds, this would be the year 5138
_PURPOSE: dict[str, str] = {
    "information": "tells the server's version and time zone",
    "resources": "lists the bookable resources",
    "daily_bookings": "lists the bookings of one resource (Booking > Get bookable resource daily booking list)",
    "subscribe": "subscribes to changes (Booking > Subscribe resource appointment change)",
    "subscriptions": "lists the subscriptions",
    "unsubscribe": "ends a subscription",
    "visit": "looks a visit up by its registration code",
    "visits": "lists the visits of a day",
    "check_in": "checks a visitor in",
    "check_out": "checks a visitor out",
}


def draft_contract(document: Document, *, source: str) -> str:
    """A contract in TOML, drafted from `document`; `source` is the document's name, for the first line."""
    names: tuple[OperationName, ...] = get_args(OperationName)
    choices = {name: find_operation(name, document.operations) for name in names}
    drafts: dict[OperationName, DraftedOperation] = {}
    tables: list[str] = []
    for name in names:
        tables += ["", *_operation(document, name, choices[name], drafts)]
    first = next(
        (choices[name].candidates[0] for name in ("daily_bookings", "visit") if choices[name].candidates), None
    )
    body = [
        *_auth(document),
        *_answers(document, first),
        *_times(drafts),
        *_words("booking", drafts, ("daily_bookings",)),
        *_words("visit", drafts, ("visit", "check_in", "check_out")),
        *tables,
        *_callback(document, choices["subscribe"]),
        *_scope(drafts.get("subscribe"), choices["subscribe"].decided),
    ]
    open_questions = sum(line.lstrip("# ").startswith("QUESTION:") for line in body)
    head = [
        comment(_("Drafted from %(source)s.") % {"source": source}),
        comment(
            _("Questions left open: %(count)d. Each is marked QUESTION, with its candidates below it.")
            % {"count": open_questions}
        ),
        comment(_("Then run: manage.py offision check --contract THIS-FILE --resource ID --code CODE")),
        comment(_('Where it shows that a part is right, write "confirmed".')),
    ]
    return "\n".join([*head, *body]) + "\n"


def _operation(
    document: Document,
    name: OperationName,
    choice: Choice[ApiOperation],
    drafts: dict[OperationName, DraftedOperation],
) -> Iterator[str]:
    if choice.decided is not None:
        drafts[name] = draft_operation(document, name, choice.decided, certain=choice.certain)
        yield from drafts[name].lines
        return
    purpose = _PURPOSE[name]
    if not choice.candidates:
        wanted = {"booking", "appointment"} if name == "daily_bookings" else {"subscribe", "subscription", "webhook"}
        near = [
            named(one) for one in document.operations if any(word in key([one.path, one.summary]) for word in wanted)
        ]
        if name in {"daily_bookings", "subscribe"}:
            yield from question(
                _("Which operation %(purpose)s? None was recognised.") % {"purpose": purpose}, near[:MOST_CANDIDATES]
            )
        else:
            yield comment(_("No operation found that %(purpose)s.") % {"purpose": purpose})
        return
    yield from question(
        _("Which operation %(purpose)s? Remove the # from the lines of one of these.") % {"purpose": purpose}
    )
    for number, candidate in enumerate(choice.candidates[:3]):
        drafted = draft_operation(document, name, candidate, certain=False)
        if number == 0:
            drafts[name] = drafted  # the best guess for times and words
        yield "#"
        yield from (f"# {line}" for line in drafted.lines)


def _auth(document: Document) -> Iterator[str]:
    styles = document.auth_styles()
    yield from ("", "[auth]", f"style = {toml('basic' if styles == {'basic'} else 'bare')}", 'status = "confirmed"')


def _answers(document: Document, operation: ApiOperation | None) -> Iterator[str]:
    yield from ("", "[answers]")
    nodes = document.nodes(operation.answer) if operation else []
    top = [node for node in nodes if len(node.names) in {1, 2} and not node.in_list]
    flags = [node for node in top if node.kind == "boolean" and _SUCCESS.fullmatch(key(node.names))]
    if flags:
        yield f"error = {toml(f'{flags[0].path} == `false`')}"
    else:
        codes = [node for node in top if len(node.names) == 1 and _CODE.fullmatch(key(node.names))]
        if codes:
            yield from question(
                _("An answer has a code. Which codes say no?"),
                (f"error = {toml(f'{node.path} != `{good}`')}" for node in codes for good in ("0", "200")),
            )
    words = [node for node in top if node.kind == "string" and _MESSAGE.fullmatch(key(node.names[-1:]))]
    if words:
        yield f"message = {toml(words[0].path)}"
    yield 'status = "unconfirmed"'


def _times(drafts: dict[OperationName, DraftedOperation]) -> Iterator[str]:
    yield from ("", "[times]")
    places = (("daily_bookings", "starts_at"), ("visit", "valid_from"), ("subscriptions", "expires_at"))
    node = next((drafts[n].nodes[f] for n, f in places if n in drafts and f in drafts[n].nodes), None)
    choice = _time_format(node)
    if choice is not None:
        yield f"format = {toml(choice)}"
    else:
        yield from question(
            _("How are times written?"),
            (f"format = {toml(one)}" for one in ("iso", "epoch_seconds", "epoch_milliseconds")),
        )
    yield 'naive = "site"   # the zone of times without an offset, should there be any'
    yield 'status = "unconfirmed"'


def _time_format(node: Node | None) -> str | None:
    if node is None:
        return None
    if node.kind == "string":
        return "iso"
    text = f"{node.schema.get('description') or ''} {node.schema.get('title') or ''} {node.names[-1]}".lower()
    if re.search(r"milli|\bms\b|_ms\b", text):
        return "epoch_milliseconds"
    example: Any = node.schema.get("example", node.schema.get("default"))
    if isinstance(example, int) and not isinstance(example, bool) and example > 0:
        return "epoch_milliseconds" if example >= _MILLISECONDS else "epoch_seconds"
    return "epoch_seconds" if "second" in text else None


def _words(
    kind: str, drafts: dict[OperationName, DraftedOperation], operations: tuple[OperationName, ...]
) -> Iterator[str]:
    yield from ("", f"[words.{kind}]")
    node = next((drafts[n].nodes["status"] for n in operations if n in drafts and "status" in drafts[n].nodes), None)
    ours = [status.value for status in (BookingStatus if kind == "booking" else VisitStatus) if status != "unknown"]
    listed = enum_of(node.schema) if node else []
    if not listed:
        described = f" ({node.schema['description']})" if node and node.schema.get("description") else ""
        yield from question(
            _("Which status words are there? The document lists none%(described)s.") % {"described": described},
            (f"{status} = []" for status in ours),
        )
        return
    table: dict[str, list[Any]] = {}
    undecided: list[tuple[Any, str]] = []
    for value, name in listed:
        means = meaning(kind, name) or meaning(kind, str(value))
        if means is None:
            undecided.append((value, name))
        else:
            table.setdefault(means, []).append(value)
    for status in ours:
        if status in table:
            names = ", ".join(name for value, name in listed if value in table[status] and name != str(value))
            yield f"{status} = {toml(table[status])}" + (f"   {comment(names)}" if names else "")
    for value, name in undecided:
        called = toml(value) if name == str(value) else f"{toml(value)} ({name})"
        yield from question(
            _("What does %(called)s mean? Until it is added to a list, it admits nobody.") % {"called": called}, ours
        )


def _callback(document: Document, choice: Choice[ApiOperation]) -> Iterator[str]:
    yield from ("", "[callback]")
    bodies = choice.decided.callbacks if choice.decided else ()
    for body in bodies:
        choice_of_field = find_field(FIELD_PATTERNS["daily_bookings"]["resource_id"], document.nodes(body))
        nested = [
            node
            for node in document.nodes(body)
            if node.names and re.fullmatch(FIELD_PATTERNS["subscribe"]["resource_id"][0], key(node.names[-1:]))
        ]
        if node := choice_of_field.decided or next(iter(nested), None):
            yield f"resource_id = {toml([node.path])}"
            break
    else:
        yield comment(_("The document does not describe the calls to our callURL; these places are tried."))
        yield f"resource_id = {toml(['resourceId', 'data.resourceId', 'appointment.resourceId', 'resource.id'])}"
    yield 'status = "unconfirmed"'


def _scope(drafted: DraftedOperation | None, operation: ApiOperation | None) -> Iterator[str]:
    yield from ("", "[subscription]")
    if drafted is None or drafted.scope is not None:
        yield f"scope = {toml(drafted.scope if drafted else 'all')}"
    else:
        yield from question(
            _("The resource may be left out when subscribing. Does that subscribe to all?"),
            ['scope = "all"', 'scope = "per_resource"'],
        )
        yield 'scope = "all"'
    yield f"status = {toml('unconfirmed')}"
