"""Reads a building file: it is valid as a whole, or BuildingError names every fault in a sentence."""

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from django.utils.translation import gettext as _
from pydantic import ValidationError

from portal.buildings.model import Building
from portal.buildings.validation import reference_faults, shape_faults, unstorable_faults

MAX_BYTES = 20 * 1024 * 1024
_MAX_FAULTS = 20


class BuildingError(Exception):
    """A building file cannot be used. Its text has a line for each fault."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


def load_building(path: Path) -> Building:
    """Read and check a building file; its references hold and its changes can be played in order.

    Raises only BuildingError: for a file that is missing, unreadable, larger than MAX_BYTES, no JSON, or not in the
    format.
    """
    raw = _parse(_read(path), path)
    _raise_any(unstorable_faults(raw))
    try:
        building = Building.model_validate(raw)
    except ValidationError as error:
        _raise_any(shape_faults(error, raw))
        raise  # never reached: an error has details
    _raise_any(reference_faults(building))
    return building


def _raise_any(faults: Iterable[str]) -> None:
    faults = iter(faults)
    shown = list(islice(faults, _MAX_FAULTS))
    if shown:
        more = sum(1 for _fault in faults)
        if more:
            shown.append(_("There are %(count)s more faults in the file.") % {"count": more})
        raise BuildingError(shown)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BuildingError(
            [_("The building file %(path)s cannot be read: %(reason)s.") % {"path": path, "reason": reason}]
        ) from None
    if len(content) > MAX_BYTES:
        raise BuildingError(
            [
                _("The building file %(path)s is larger than %(limit)s MB, the largest size that is read.")
                % {"path": path, "limit": MAX_BYTES // (1024 * 1024)}
            ]
        )
    return content


def _parse(content: bytes, path: Path) -> object:
    try:
        parsed: object = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        fault = _("byte %(position)s is not UTF-8") % {"position": error.start}
    except json.JSONDecodeError as error:
        fault = _("line %(line)s, column %(column)s: %(reason)s") % {
            "line": error.lineno,
            "column": error.colno,
            "reason": error.msg,
        }
    except RecursionError:
        fault = _("its lists and objects are nested too deep")
    except ValueError as error:
        fault = str(error)
    else:
        return parsed
    raise BuildingError(
        [_("The building file %(path)s is not valid JSON: %(fault)s.") % {"path": path, "fault": fault}]
    )


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # JSON allows a key twice and Python keeps the last: half a building would be lost silently.
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _value in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(_("the key “%(key)s” is twice in one object") % {"key": repeated[:60]})
    return values


def _no_constant(name: str) -> object:
    raise ValueError(_("%(name)s is not a number in JSON") % {"name": name})
