"""What a driver needs to know of its controller: checked when it is made, and shown as a form by the admin.

Secrets are of type SecretStr. Titles and descriptions are lazily translated: a form shows them in the
language of its reader.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar, cast

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from doorsync.drivers import problems
from doorsync.drivers.errors import BadOptions
from portal.core.http import normal_fingerprint
from portal.core.problems import QUOTED, Problem, ProblemType


def option(default: Any = ..., *, title: Promise, description: Promise | str = "", **more: Any) -> Any:
    """A field of a driver's options. `more`: the arguments of pydantic's Field. Without a default it is needed.

    pydantic only passes titles and descriptions on, so they stay lazy.
    """
    return Field(default, title=cast(str, title), description=cast(str, description), **more)


def timeout(seconds: float, *, at_most: float, at_least: float | None = None) -> Any:
    """The field for the time-out, where a family has another default or other bounds."""
    return option(seconds, title=_("time-out (seconds)"), gt=0, le=at_most, ge=at_least)


class DriverOptions(BaseModel):
    """What every family has. Its own fields come before these in the form."""

    model_config = ConfigDict(extra="forbid")

    timeout_seconds: float = timeout(5, at_most=30)


def form_fields(options: type[DriverOptions]) -> dict[str, FieldInfo]:
    """The options of a driver by name, in the order of its form."""
    fields = options.model_fields
    common = [name for name in fields if name in DriverOptions.model_fields]
    return {name: fields[name] for name in (*(name for name in fields if name not in common), *common)}


# Kinds of fields --------------------------------------------------------------------------------------------------


def matching(pattern: str, expected: ProblemType) -> AfterValidator:
    """Text of this form. `expected` says in words what it must be."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.search(value):
            raise ValueError(expected())
        return value

    return AfterValidator(check)


def _fingerprint(value: str) -> str:
    try:
        return normal_fingerprint(value)
    except ValueError:
        raise ValueError(problems.FINGERPRINT_EXPECTED()) from None


Fingerprint = Annotated[str, AfterValidator(_fingerprint)]
OptionalFingerprint = Annotated[str, AfterValidator(lambda value: value and _fingerprint(value))]


# Checking ---------------------------------------------------------------------------------------------------------

OptionsT = TypeVar("OptionsT", bound=DriverOptions)

# What pydantic finds wrong, by its type of error.
_REASONS: Mapping[str, Callable[[Mapping[str, Any]], Problem]] = {
    "missing": lambda context: problems.MISSING(),
    "extra_forbidden": lambda context: problems.UNKNOWN_OPTION(),
    "string_type": lambda context: problems.TEXT_EXPECTED(),
    "float_type": lambda context: problems.NUMBER_EXPECTED(),
    "float_parsing": lambda context: problems.NUMBER_EXPECTED(),
    "int_type": lambda context: problems.WHOLE_NUMBER_EXPECTED(),
    "int_parsing": lambda context: problems.WHOLE_NUMBER_EXPECTED(),
    "int_from_float": lambda context: problems.WHOLE_NUMBER_EXPECTED(),
    "bool_type": lambda context: problems.YES_OR_NO_EXPECTED(),
    "bool_parsing": lambda context: problems.YES_OR_NO_EXPECTED(),
    "literal_error": lambda context: problems.CHOICE_EXPECTED(choices=context["expected"]),
    "greater_than": lambda context: problems.MORE_THAN(limit=context["gt"]),
    "greater_than_equal": lambda context: problems.AT_LEAST(limit=context["ge"]),
    "less_than": lambda context: problems.LESS_THAN(limit=context["lt"]),
    "less_than_equal": lambda context: problems.AT_MOST(limit=context["le"]),
    "string_too_short": lambda context: problems.TOO_SHORT(n=context["min_length"]),
    "string_too_long": lambda context: problems.TOO_LONG(n=context["max_length"]),
}


def validated(model: type[OptionsT], options: Mapping[str, Any]) -> OptionsT:
    """A controller's options as its driver needs them. Raises BadOptions, naming the first that does not fit."""
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]  # the input may be a secret
        why = _reason(first["type"], first.get("ctx", {}), first["msg"])
        name = ".".join(map(str, first["loc"]))
        unfit = problems.OPTION_UNFIT(option=name, why=why) if name else problems.OPTIONS_UNFIT(why=why)
        raise BadOptions(unfit) from None


def _reason(kind: str, context: Mapping[str, Any], text: str) -> Problem:
    """Why an option does not fit. A family's own validator raises ValueError with a Problem."""
    cause = context.get("error")
    if isinstance(cause, ValueError) and cause.args and isinstance(cause.args[0], Problem):
        return cause.args[0]
    return _REASONS[kind](context) if kind in _REASONS else QUOTED(text=text)
