"""Matches the operations, parameters and fields of a foreign document with ours, by names alone. Pure.

The result is a Choice: decided, or left open with its candidates, best first.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from portal.offision.drafting.openapi import ApiOperation, Node
from portal.offision.operations import OperationName

T = TypeVar("T")


@dataclass(frozen=True)
class Choice(Generic[T]):
    """The match, or None; and all candidates, best first."""

    decided: T | None
    candidates: tuple[T, ...] = ()
    certain: bool = False
    """Whether the match has a name that Offision's guide gives."""


def words(name: str) -> list[str]:
    """A name as lower-case words: "resourceID", "resource_id" and "Resource Id" are all ["resource", "id"]."""
    parted = re.sub(r"([A-Z]+)([A-Z][a-z])|([a-z0-9])([A-Z])", r"\1\3 \2\4", name)
    return re.findall(r"[a-z]+|\d+", parted.lower())


def key(names: Iterable[str]) -> str:
    """Names joined, in the singular: ["attendees", "emailAddress"] is "attendeeemailaddress"."""
    return "".join(_singular(word) for name in names for word in words(name))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


# What Offision's integration guide calls the operations.
_GUIDE_NAMES = {
    "subscribe": "subscribe resource appointment change",
    "daily_bookings": "get bookable resource daily booking list",
}

_BOOKING = "booking|appointment|reservation|meeting"
_THING = "resource|room|space"
_SUBSCRIPTION = "subscription|subscribe|webhook"
_VISIT = "visit|visitor|visiting|receptionist|registration"


@dataclass(frozen=True)
class _Signs:
    """How an operation is recognised: methods, groups of which a word must occur, forbidden words, welcome words."""

    methods: str
    must: tuple[str, ...]
    must_not: str = "$"
    welcome: tuple[str, ...] = ()
    needs_code: bool = False


_SIGNS: dict[OperationName, _Signs] = {
    "information": _Signs("GET", ("information|info|version|about", "system|server|information"), "by|id"),
    "resources": _Signs("GET", (_THING,), f"{_BOOKING}|{_SUBSCRIPTION}|by|id|{_VISIT}", ("bookable", "list")),
    "daily_bookings": _Signs(
        "GET POST",
        (_BOOKING, _THING),
        f"{_SUBSCRIPTION}|unsubscribe|create|update|delete|cancel|weekly|monthly|add|approve|change",
        ("daily|day", "list", "bookable", "get"),
    ),
    "subscribe": _Signs(
        "POST PUT",
        (_SUBSCRIPTION, f"{_BOOKING}|{_THING}"),
        "unsubscribe|delete|remove|list|cancel|renew",
        ("appointment", "change", "resource"),
    ),
    "subscriptions": _Signs(
        "GET", (_SUBSCRIPTION, f"{_BOOKING}|{_THING}|list"), "by|id|unsubscribe", ("list", "appointment", "change")
    ),
    "unsubscribe": _Signs(
        "DELETE POST",
        (f"{_SUBSCRIPTION}|unsubscribe", "unsubscribe|delete|remove|cancel|end"),
        welcome=("appointment", "change", "resource"),
    ),
    "visit": _Signs(
        "GET POST",
        (_VISIT,),
        "checkin|checkout|signin|signout|create|update|cancel|list|sign|arrive|leave|delete|add",
        ("code", "registration", "get", "receptionist", "by"),
        needs_code=True,
    ),
    "visits": _Signs(
        "GET",
        (_VISIT, "list|visits|visitors|registrations|today|daily"),
        "checkin|checkout|signin|signout|create|update|cancel|delete|code|by|host|type|id",
        ("list", "daily", "today", "date"),
    ),
    "check_in": _Signs(
        "POST PUT PATCH GET",
        (_VISIT, "checkin|signin|arrive|arrival|arrived"),
        "checkout|signout|undo|room",
        ("code", "checkin"),
        needs_code=True,
    ),
    "check_out": _Signs(
        "POST PUT PATCH GET",
        (_VISIT, "checkout|signout|leave|departure|left"),
        "checkin|signin|undo|room",
        ("code", "checkout"),
        needs_code=True,
    ),
}

_CODE = re.compile(r"(registration|visit|visitor|visiting|qr|pass)*code")


def find_operation(name: OperationName, operations: Sequence[ApiOperation]) -> Choice[ApiOperation]:
    """The operation of a document that matches ours of this name."""
    live = [operation for operation in operations if not operation.deprecated] or list(operations)
    if guide := _GUIDE_NAMES.get(name):
        exact = [
            one
            for one in live
            if any(_plain(name) in {guide, f"booking {guide}"} for name in (one.summary, _own_id(one)))
        ]
        if exact:
            return Choice(exact[0] if len(exact) == 1 else None, tuple(exact), certain=len(exact) == 1)
    if name == "information":
        known = [one for one in live if one.method == "GET" and one.path.endswith("/system/v1/information")]
        if len(known) == 1:
            return Choice(known[0], (known[0],), certain=True)
    scored = sorted(
        ((_score(_SIGNS[name], one), number, one) for number, one in enumerate(live)),
        key=lambda entry: (-entry[0], entry[1]),
    )
    ranked = [(score, one) for score, _number, one in scored if score > 0]
    candidates = tuple(one for _score_, one in ranked[:4])
    if not ranked:
        return Choice(None)
    clear = len(ranked) == 1 or ranked[0][0] >= ranked[1][0] + 2
    return Choice(ranked[0][1] if clear else None, candidates)


def _plain(text: str) -> str:
    return " ".join(word for word in words(text) if word not in {"a", "an", "the", "of", "s", "v", "1"})


def _score(signs: _Signs, operation: ApiOperation) -> int:
    if operation.method not in signs.methods.split():
        return 0
    named = _vocabulary(operation.summary) | _vocabulary(_own_id(operation))
    steps = _vocabulary(re.sub(r"\{[^}]*\}", " ", operation.path)) - {"api", "external"}
    around = named.union(steps, *map(_vocabulary, operation.tags))
    if operation.method == "DELETE":
        around.add("delete")
    if any(not _has(around, group) for group in signs.must):
        return 0
    if _has(named or steps, signs.must_not):
        return 0
    if signs.needs_code and not any(_CODE.fullmatch(key([each])) for each in _inputs(operation)):
        return 0
    return 1 + sum(2 for group in signs.must if _has(named, group)) + sum(_has(around, one) for one in signs.welcome)


def _own_id(operation: ApiOperation) -> str:
    """The operationId without the tag that some generators prefix: Booking_GetResources -> GetResources."""
    head, _line, rest = operation.operation_id.partition("_")
    return rest if rest and key([head]) in {key([tag]) for tag in operation.tags} else operation.operation_id


def _vocabulary(text: str) -> set[str]:
    """The words of a text, in the singular; "check in", "sign out" and "check a visitor in" each count as one word."""
    plain = " ".join(words(text))
    plain = re.sub(r"\b(check|sign)((?: (?:a|the|visitor|visit|guest))*) (in|out)\b", r"\1\3\2", plain)
    return {_singular(word) for word in plain.split()}


def _has(vocabulary: set[str], group: str) -> bool:
    return bool(vocabulary & set(group.split("|")))


def _inputs(operation: ApiOperation) -> Iterable[str]:
    yield from (parameter.name for parameter in operation.parameters)
    properties = (operation.body or {}).get("properties")
    yield from (str(name) for name in properties) if isinstance(properties, dict) else ()


_B = "(booking|appointment|reservation|meeting|event)?"
_ID = "(id|guid|uuid|identifier)"
_AT = "(date|day)?(time|at|on|utc|timestamp)*"
_MAIL = "(user|person|contact)?(email|mail)(addres|address)?"
_NAME = "(user|person|contact)?(display|full)?name"
_BY = ("organi[sz]er", "host", "(booking)?owner", "bookedby|booker", "requester|requestor", "createdby|creator")

# For each field of an operation, patterns of the key of the whole path, the surest first.
_VISIT_FIELDS: dict[str, tuple[str, ...]] = {
    "code": (
        "registrationcode",
        "code",
        "(visit|visitor|qr|pass)code",
        "(visit|visitor|visiting)*(registration|qr)?code",
    ),
    "name": ("(visitor|guest)name", f"(visitor|guest)?{_NAME}", "name"),
    "company": ("(visitor|guest)?(company|organi[sz]ation)(name)?",),
    "host_email": tuple(f"({by}){_MAIL}" for by in ("host", "visitee|meetingwith|contact", "organi[sz]er")),
    "valid_from": (f"validfrom{_AT}", f"(visit|visiting|expected|scheduled)?(start|from|arrival|begin){_AT}"),
    "valid_until": (
        f"valid(until|to|till){_AT}",
        f"(visit|visiting|expected|scheduled)?(end|until|to|departure|leave){_AT}",
        f"expir(e|es|ed|y|ation){_AT}",
    ),
    "status": (
        "(visiting|visit|visitor)status",
        "status",
        "state",
        "(visiting|visit|visitor)?status(code|id|name|value)",
    ),
    "site": ("(site|building|location)(id|name|code)?",),
}
_SUBSCRIPTION_FIELDS: dict[str, tuple[str, ...]] = {
    "id": ("id", f"subscription{_ID}", _ID),
    "callback_url": (
        "(call|callback)(url|uri)",
        "(callback|webhook|notify|notification|target|hook)?(url|uri|endpoint)",
    ),
    "resource_id": (f"(bookable)?({_THING}){_ID}",),
    "expires_at": (f"expir(e|es|ed|y|ation){_AT}", f"valid(until|to){_AT}"),
}
FIELD_PATTERNS: dict[OperationName, dict[str, tuple[str, ...]]] = {
    "information": {
        "product": ("(product|application|app|system|server)(name)?", "name"),
        "version": ("version", "(product|application|app|system|server|software)version", "apiversion"),
        "time_zone": ("(system|server|default)?timezone(id|name)?",),
    },
    "resources": {
        "id": ("id", f"(bookable)?({_THING}){_ID}", _ID),
        "name": ("name", f"(bookable)?({_THING})name", "(display|full)name|title"),
    },
    "daily_bookings": {
        "id": ("id", f"{_B}{_ID}"),
        "resource_id": (f"(bookable)?({_THING}){_ID}",),
        "title": ("subject|title", f"{_B}(subject|title|topic)", f"{_B}name"),
        "starts_at": (f"{_B}(start|begin){_AT}", f"{_B}from{_AT}"),
        "ends_at": (f"{_B}(end|finish){_AT}", f"{_B}(until|to|till){_AT}"),
        "status": ("status", f"{_B}status", f"{_B}state", f"{_B}status(code|id|name|value)"),
        "organizer_email": tuple(f"({by}){_MAIL}" for by in _BY),
        "organizer_name": tuple(f"({by}){_NAME}" for by in _BY),
        "attendee_emails": (f"(attendee|participant|invitee|guest|member){_MAIL}",),
    },
    "subscribe": _SUBSCRIPTION_FIELDS,
    "subscriptions": _SUBSCRIPTION_FIELDS,
    "unsubscribe": {},
    "visit": _VISIT_FIELDS,
    "visits": _VISIT_FIELDS,
    "check_in": _VISIT_FIELDS,
    "check_out": _VISIT_FIELDS,
}

# The placeholder for a parameter of a request, or a property of its body.
REQUEST_PATTERNS: dict[str, tuple[str, ...]] = {
    "resource_id": (f"(bookable)?({_THING}){_ID}", "id"),
    "date": ("(booking|target|query|local)?(date|day)",),
    "from": (f"(start|from|begin|since){_AT}", "date(start|from)"),
    "until": (f"(end|to|until|till){_AT}", "date(end|to)"),
    "callback_url": _SUBSCRIPTION_FIELDS["callback_url"],
    "subscription_id": (f"subscription{_ID}", _ID),
    "code": (_CODE.pattern,),
}


def find_field(patterns: Sequence[str], nodes: Sequence[Node], *, many: bool = False) -> Choice[Node]:
    """The node whose path matches the surest pattern. `many`: lists and nodes within a list count."""
    plain = [
        node
        for node in nodes
        if node.names and node.kind != "object" and (many or (node.kind != "array" and not node.in_list))
    ]
    for pattern in patterns:
        fitting = [node for node in plain if re.fullmatch(pattern, key(node.names))]
        if not fitting:
            continue
        shallowest = min(len(node.names) for node in fitting)
        top = [node for node in fitting if len(node.names) == shallowest]
        return Choice(top[0] if len(top) == 1 else None, tuple(fitting[:8]))
    return Choice(None)


# Unambiguous words. "active", "approved" and the like become questions: they need not mean "may enter".
_MEANINGS: dict[str, dict[str, str]] = {
    "booking": {
        "confirmed": "confirmed|booked|reserved|accepted",
        "checked_in": "checkedin|checkin|inuse|inprogress|ongoing|started",
        "checked_out": "checkedout|checkout|ended|completed|finished|earlycheckout|earlycheckedout",
        "cancelled": "cancelled|canceled|cancel|rejected|declined|deleted|withdrawn|autocancelled|autocanceled",
        "tentative": "tentative|pending|waitingapproval|pendingapproval|waitingforapproval|draft|requested",
        "no_show": "noshow|missed|noshowcancelled|absent",
    },
    "visit": {
        "expected": "expected|expecting|registered|preregistered|scheduled|invited",
        "checked_in": "checkedin|checkin|arrived|signedin|onsite|visiting",
        "checked_out": "checkedout|checkout|left|departed|signedout|completed|finished",
        "cancelled": "cancelled|canceled|cancel|rejected|declined|deleted",
        "blacklisted": "blacklisted|blacklist|blocked|banned|denied",
    },
}


def meaning(kind: str, name: str) -> str | None:
    """The meaning of an unambiguous status word, for kind "booking" or "visit"; None where a person has to decide."""
    plain = "".join(words(name))
    for entity in ("booking", "appointment", "visitor", "visit", "status"):
        plain = plain.removeprefix(entity) or plain
    return next((ours for ours, theirs in _MEANINGS[kind].items() if plain in theirs.split("|")), None)
