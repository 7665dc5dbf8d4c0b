"""A problem or a reason: a code with parameters. It is put into words when somebody reads it, in the reader's language.

A module named `problems` in any package declares the codes of that package:

    FULL = problem("controller.full", _("The controller is full: it has room for %(capacity)d cards."))

`FULL(capacity=500)` is a Problem. The database keeps `{"code", "params"}`; two problems are the same news if their
codes are the same, and the codes of the problems within them, whatever the other parameters say.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, overload

from django.apps import apps
from django.db import models
from django.utils.functional import Promise

from portal.core import clock

_PLACEHOLDER = re.compile(r"%\((\w+)\)")


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A code and its sentence. `template` is lazily translated; its placeholders are the parameters.

    A parameter is text, a number, an aware datetime (shown in the zone of the page) or another Problem.
    """

    code: str
    template: str | Promise
    params: frozenset[str]

    def __call__(self, **params: Any) -> "Problem":
        """Raises TypeError for parameters that the sentence does not have, or lacks."""
        if params.keys() != self.params:
            raise TypeError(f"The problem {self.code} takes {sorted(self.params)}, not {sorted(params)}.")
        return Problem(self.code, params)


_types: dict[str, ProblemType] = {}


def problem(code: str, template: str | Promise, *, params: Iterable[str] | None = None) -> ProblemType:
    """Declare a code. `params`: where the template is a plural (ngettext_lazy), whose placeholders can't be read.

    Raises ValueError for a code that is declared already.
    """
    if code in _types:
        raise ValueError(f"The problem {code} is declared twice.")
    names = _PLACEHOLDER.findall(str(template)) if params is None else params
    _types[code] = ProblemType(code, template, frozenset(names))
    return _types[code]


# Words of a person or a device, which nobody translates.
QUOTED = problem("quoted", "%(text)s")


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem or reason. Its text is its sentence in the language that is active."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        kind = _types.get(self.code)
        if kind is None:  # declared by a later or an earlier version
            return f"{self.code} {json.dumps(_packed(self.params))}" if self.params else self.code
        shown = {name: _shown(value) for name, value in self.params.items()}
        text: str = kind.template % shown if shown or isinstance(kind.template, Promise) else str(kind.template)
        return text

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> str:
        """The code, with the codes of the problems within it: what makes it news."""
        inner = [value.key for _name, value in sorted(self.params.items()) if isinstance(value, Problem)]
        return f"{self.code}({','.join(inner)})" if inner else self.code

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "params": _packed(self.params)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Problem":
        return cls(stored["code"], {name: _unpacked(value) for name, value in stored.get("params", {}).items()})


def problem_of(error: Exception) -> Problem:
    """The problem that an exception holds; its text where it holds none."""
    held = getattr(error, "problem", None)
    return held if isinstance(held, Problem) else QUOTED(text=str(error))


class Problems(Sequence[Problem]):
    """Several problems, in order. Their text is all their sentences; none is false."""

    def __init__(self, problems: Iterable[Problem] = ()) -> None:
        self._problems = tuple(problems)

    @overload
    def __getitem__(self, index: int) -> Problem: ...
    @overload
    def __getitem__(self, index: slice) -> "Problems": ...
    def __getitem__(self, index: int | slice) -> "Problem | Problems":
        return Problems(self._problems[index]) if isinstance(index, slice) else self._problems[index]

    def __len__(self) -> int:
        return len(self._problems)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._problems)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Iterable) and self._problems == tuple(other)

    def __hash__(self) -> int:
        return hash(self._problems)

    def __str__(self) -> str:
        return " ".join(map(str, self._problems))

    def __repr__(self) -> str:
        return f"Problems({list(self._problems)!r})"

    @property
    def keys(self) -> frozenset[str]:
        """What makes them news: see Problem.key."""
        return frozenset(one.key for one in self._problems)

    def as_json(self) -> list[dict[str, Any]]:
        return [one.as_json() for one in self._problems]


class ProblemsField(models.JSONField):
    """Problems, as a list of {"code", "params"}. One Problem or any number of them can be assigned; never null."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"default": list, "blank": True, **kwargs})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        if kwargs.get("default") is list:
            del kwargs["default"]
        if kwargs.get("blank") is True:
            del kwargs["blank"]
        return name, path, args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Problems:
        return self.to_python(super().from_db_value(value, expression, connection))

    def to_python(self, value: Any) -> Problems:
        """Raises TypeError for text: a sentence is not a problem."""
        if isinstance(value, str):
            raise TypeError(f"{self.name} takes problems, not text.")
        if isinstance(value, Problem):
            return Problems([value])
        return Problems(one if isinstance(one, Problem) else Problem.from_json(one) for one in value or ())

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None or isinstance(value, str | Problem | Problems | list | tuple):
            value = self.to_python(value).as_json()
        return super().get_db_prep_value(value, connection, prepared)

    def value_to_string(self, obj: models.Model) -> Any:
        return self.to_python(self.value_from_object(obj)).as_json()

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, name, _Assigned(self))


class _Assigned:
    """Makes Problems of what is assigned to the field, so that a row reads the same before and after it is saved."""

    def __init__(self, problems_field: ProblemsField) -> None:
        self._field = problems_field

    def __get__(self, row: Any, owner: Any = None) -> Any:
        if row is None:
            return self
        if self._field.attname not in row.__dict__:
            row.refresh_from_db(fields=[self._field.attname])  # deferred
        return row.__dict__[self._field.attname]

    def __set__(self, row: Any, value: Any) -> None:
        is_expression = hasattr(value, "resolve_expression")
        row.__dict__[self._field.attname] = value if is_expression else self._field.to_python(value)


def load() -> None:
    """Import every module `problems` of the installed apps, so that every code can be put into words."""
    for config in apps.get_app_configs():
        root = Path(config.path)
        if "site-packages" in root.parts:
            continue
        for path in sorted(root.rglob("problems.py")):
            import_module(".".join([config.name, *path.relative_to(root).with_suffix("").parts]))


def _packed(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _pack(value) for name, value in params.items()}


def _pack(value: Any) -> Any:
    if isinstance(value, Problem):
        return value.as_json()
    if isinstance(value, datetime):
        return {"moment": value.isoformat()}
    return value if isinstance(value, int | float | bool) else str(value)


def _unpacked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return datetime.fromisoformat(value["moment"]) if "moment" in value else Problem.from_json(value)
    return value


def _shown(value: Any) -> Any:
    return clock.local(value) if isinstance(value, datetime) else value
