"""System checks of the settings. A portal whose settings have an error does not start.

manage.py runs them as it runs Django's own; the web server and the worker call `stop_on_errors`.
"""

import sys
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.checks import CheckMessage, Error, register, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

TAG = "portal"
MIN_SECRET_LENGTH = 20
EXAMPLES = ("change-me", "changeme")
HOW_TO_MAKE_ONE = 'Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'


def stop_on_errors() -> None:
    """End this process, with a sentence on standard error for each setting that is wrong."""
    errors = [message for message in run_checks(tags=[TAG]) if message.is_serious()]
    if errors:
        sys.exit("\n".join(["The portal does not start.", *map(str, errors)]))


@register(TAG)
def check_secrets(**_options: Any) -> list[CheckMessage]:
    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured:  # Django's own word for an empty one
        key = ""
    problems = _problems_of_secret("PORTAL_SECRET_KEY", [key])
    errors: list[CheckMessage] = [Error(problem, hint=HOW_TO_MAKE_ONE, id="portal.E001") for problem in problems]
    problems = _problems_of_secret("OFFISION_CALLBACK_SECRET", settings.CALLBACK_SECRETS or [""])
    return errors + [Error(problem, hint=HOW_TO_MAKE_ONE, id="portal.E002") for problem in problems]


def _problems_of_secret(name: str, values: list[str]) -> Iterator[str]:
    for value in values:
        if not value:
            yield f"{name} is not set."
        elif settings.DEMO:
            continue
        elif value.startswith((settings.MADE_UP, *EXAMPLES)) or value.lower().startswith(EXAMPLES):
            yield f"{name} still has an example value."
        elif len(value) < MIN_SECRET_LENGTH:
            yield f"{name} has {len(value)} characters and needs at least {MIN_SECRET_LENGTH}."


@register(TAG)
def check_offision(**_options: Any) -> list[CheckMessage]:
    if settings.OFFISION_URL and not settings.OFFISION_TOKEN and not settings.DEMO:
        return [
            Error(
                "OFFISION_TOKEN is not set.",
                hint="It is the access token from Offision's Management console -> Settings -> API authentication.",
                id="portal.E003",
            )
        ]
    return []


@register(TAG)
def check_time_zone(**_options: Any) -> list[CheckMessage]:
    try:
        ZoneInfo(settings.SITE_TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        sentence = f"SITE_TIME_ZONE is {settings.SITE_TIME_ZONE!r}, which is no IANA time zone."
        return [Error(sentence, hint="An example is Asia/Hong_Kong.", id="portal.E004")]
    return []


@register(TAG)
def check_database(**_options: Any) -> list[CheckMessage]:
    if settings.DATABASES["default"].get("NAME"):
        return []
    return [
        Error(
            "DATABASE_URL is not set.",
            hint="Set it to postgres://user:password@host/name. `manage.py run` starts a PostgreSQL of its own.",
            id="portal.E005",
        )
    ]


@register(TAG)
def check_values(**_options: Any) -> list[CheckMessage]:
    return [
        Error(sentence, hint="See docs/settings.md.", id="portal.E006") for sentence in settings.UNREADABLE.values()
    ]


@register(TAG)
def check_classes(**_options: Any) -> list[CheckMessage]:
    """What settings name by its dotted path can be imported."""
    paths = {f"DRIVERS[{name!r}]": path for name, path in settings.DRIVERS.items()} | {"OPEN_DOOR": settings.OPEN_DOOR}
    errors: list[CheckMessage] = []
    for name, path in paths.items():
        try:
            import_string(path)
        except ImportError as error:
            errors.append(Error(f"{name} can't be imported: {error}", hint=f"It is {path!r}.", id="portal.E007"))
    return errors
