"""The faults of a building file, in sentences that name the entry and the key."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from pydantic import ValidationError

from portal.buildings.model import Building, ChangeError, SimulatedOptions, apply_change

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_LABELS = ("id", "code", "number", "email", "name", "update", "delete", "turnstile")
_SHOWN = 60  # characters of a value that a sentence quotes


def shape_faults(error: ValidationError, raw: object) -> Iterator[str]:
    """A sentence for each entry that does not have the format's shape. `raw` is what was validated."""
    for detail in error.errors():
        place, key = _where(raw, detail["loc"])
        yield _sentence(place, key, detail)


def reference_faults(building: Building) -> Iterator[str]:
    """A sentence for each duplicate, each reference to nothing, and each change that cannot be played."""
    yield from _duplicates(building)
    yield from _unknown_references(building)
    yield from _options(building)
    yield from _unplayable_changes(building)


def unstorable_faults(raw: object) -> Iterator[str]:
    """A sentence for each text with characters that no database stores: NUL and lone surrogates."""
    stack: list[tuple[tuple[str | int, ...], object]] = [((), raw)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict):
            stack.extend(((*path, str(key)), key) for key in value)
            stack.extend(((*path, str(key)), inner) for key, inner in value.items())
        elif isinstance(value, list):
            stack.extend(((*path, index), inner) for index, inner in enumerate(value))
        elif isinstance(value, str) and any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
            place, key = _where(raw, path)
            yield _("%(place)s: “%(key)s” holds a character that cannot be stored (NUL or half a pair).") % {
                "place": place,
                "key": json.dumps(key)[1:-1],
            }


def _where(raw: object, path: tuple[str | int, ...]) -> tuple[str, str]:
    """The entry of a path, such as "bookings[3] (bk-0004)", and the key within it."""
    key_at = max((i for i, part in enumerate(path) if isinstance(part, str)), default=0)
    entry: object = raw
    words: list[str] = []
    for part in path[:key_at]:
        if isinstance(part, int):
            entry = entry[part] if isinstance(entry, list) and part < len(entry) else None
            words[-1] += f"[{part}]{_label(entry)}"
        else:
            entry = entry.get(part) if isinstance(entry, dict) else None
            words.append(part)
    key = "".join(f"[{part}]" if isinstance(part, int) else part for part in path[key_at:])
    return " ".join(words) or _("The file"), key


def _label(entry: object) -> str:
    if isinstance(entry, dict):
        if isinstance(entry.get("create"), dict):
            return _label(entry["create"])
        for key in _LABELS:
            if isinstance(value := entry.get(key), str | int) and str(value).strip():
                return f" ({_short(str(value))})"
    return ""


def _short(text: str) -> str:
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return printable if len(printable) <= _SHOWN else printable[:_SHOWN] + "…"


def _sentence(place: str, key: str, detail: "ErrorDetails") -> str:
    kind = detail["type"]
    names = {"place": place, "key": _short(key)}
    if kind == "missing":
        return _("%(place)s: the key “%(key)s” is missing.") % names
    if kind == "extra_forbidden":
        return _("%(place)s: the key “%(key)s” is unknown; remove it or correct its spelling.") % names
    fault = _fault(detail)
    if not key:
        return _("%(place)s %(fault)s.") % {"place": place, "fault": fault}
    return _("%(place)s: “%(key)s” %(fault)s.") % {**names, "fault": fault}


def _fault(detail: "ErrorDetails") -> str:
    kind, limits = detail["type"], detail.get("ctx", {})
    value = {"value": _short(json.dumps(detail["input"], ensure_ascii=False, default=str))}
    match kind:
        case "string_type":
            return _("must be text, but is %(value)s") % value
        case "int_type" | "int_from_float":
            return _("must be a whole number, but is %(value)s") % value
        case "float_type" | "finite_number":
            return _("must be a number, but is %(value)s") % value
        case "list_type":
            return _("must be a list, but is %(value)s") % value
        case "model_type" | "dict_type":
            return _("must be an object, but is %(value)s") % value
        case "literal_error":
            return _("must be one of %(allowed)s, but is %(value)s") % {
                "allowed": limits["expected"],
                **value,
            }
        case "string_pattern_mismatch":
            return _("must be a time such as “+0d 09:00”, but is %(value)s") % value
        case "greater_than_equal":
            return _("must be at least %(limit)s, but is %(value)s") % {"limit": limits["ge"], **value}
        case "less_than_equal":
            return _("must be at most %(limit)s, but is %(value)s") % {"limit": limits["le"], **value}
        case "string_too_long":
            return _("must be at most %(limit)s characters long") % {"limit": limits["max_length"]}
        case _:
            return detail["msg"]


def _duplicates(building: Building) -> Iterator[str]:
    cards = [
        (f"cardholders[{i}]{_label(holder.model_dump())} cards[{j}]", card.number)
        for i, holder in enumerate(building.cardholders)
        for j, card in enumerate(holder.cards)
    ]
    doors = [
        (f"controllers[{i}] ({_short(controller.name)}) doors[{j}]", door)
        for i, controller in enumerate(building.controllers)
        for j, door in enumerate(controller.doors)
    ]
    yield from _repeated(_("access level"), _listed("access_levels", building.access_levels))
    emails = [(f"cardholders[{i}]", h.email) for i, h in enumerate(building.cardholders) if h.email.strip()]
    yield from _repeated(_("email"), emails, fold=lambda email: email.strip().casefold())
    yield from _repeated(_("card number"), cards)
    yield from _repeated(_("controller"), _listed("controllers", [c.name for c in building.controllers]))
    yield from _repeated(_("door"), [(place, door.name) for place, door in doors])
    for i, controller in enumerate(building.controllers):
        place = f"controllers[{i}] ({_short(controller.name)}) doors"
        yield from _repeated(_("door number"), _listed(place, [str(door.number) for door in controller.doors]))
    yield from _repeated(_("policy"), _listed("policies", [p.name for p in building.policies]))
    yield from _repeated(_("resource id"), _listed("resources", [r.id for r in building.resources]))
    yield from _repeated(_("booking id"), _listed("bookings", [b.id for b in building.bookings]))
    codes = _listed("visits", [v.code for v in building.visits])
    yield from _repeated(_("visit code"), codes, fold=lambda code: code.strip().casefold())
    yield from _repeated(_("turnstile"), _listed("turnstiles", [t.name for t in building.turnstiles]))


def _listed(key: str, values: Iterable[str]) -> list[tuple[str, str]]:
    return [(f"{key}[{index}]", value) for index, value in enumerate(values)]


def _repeated(
    what: str, entries: Iterable[tuple[str, str]], fold: Callable[[str], str] = lambda value: value
) -> Iterator[str]:
    first: dict[str, str] = {}
    for place, value in entries:
        if (earlier := first.setdefault(fold(value), place)) is not place:
            yield _("%(place)s: %(what)s “%(value)s” is there already, at %(earlier)s.") % {
                "place": place,
                "what": what,
                "value": _short(value),
                "earlier": earlier,
            }


def _unknown_references(building: Building) -> Iterator[str]:
    levels = set(building.access_levels)
    doors = {door.name for controller in building.controllers for door in controller.doors}
    policies = {policy.name for policy in building.policies}
    turnstiles = {turnstile.name for turnstile in building.turnstiles}
    references: list[tuple[str, int, Any, str, Iterable[str], set[str]]] = [
        *(
            ("cardholders", i, holder, "access_levels", holder.access_levels, levels)
            for i, holder in enumerate(building.cardholders)
        ),
        *(
            ("policies", i, policy, key, named, levels)
            for i, policy in enumerate(building.policies)
            for key, named in (("admit_access_levels", policy.admit_access_levels), ("always", policy.always))
        ),
        *(("resources", i, r, "doors", r.doors, doors) for i, r in enumerate(building.resources)),
        *(("resources", i, r, "policy", [r.policy], policies) for i, r in enumerate(building.resources)),
        *(("scans", i, scan, "turnstile", [scan.turnstile], turnstiles) for i, scan in enumerate(building.scans)),
    ]
    for section, index, entry, key, named, known in references:
        for value in named:
            if value not in known:
                yield _("%(place)s: “%(key)s” names “%(value)s”, which this file does not have.") % {
                    "place": f"{section}[{index}]{_label(entry.model_dump())}",
                    "key": key,
                    "value": _short(value),
                }


def _options(building: Building) -> Iterator[str]:
    for i, controller in enumerate(building.controllers):
        if controller.driver == "simulated":
            try:
                SimulatedOptions.model_validate(controller.options)
            except ValidationError as error:
                for detail in error.errors():
                    key = ".".join(map(str, detail["loc"]))
                    yield _sentence(f"controllers[{i}] ({_short(controller.name)}) options", key, detail)


def _unplayable_changes(building: Building) -> Iterator[str]:
    present = {booking.id: booking for booking in building.bookings}
    for index, change in enumerate(building.changes):
        place = f"changes[{index}]{_label(change.model_dump(by_alias=True))}"
        try:
            apply_change(present, change)
        except ChangeError as error:
            yield f"{place}: {error}"
        except ValidationError as error:
            for detail in error.errors():
                yield _sentence(f"{place} set", ".".join(map(str, detail["loc"])), detail)
