"""Notices as messages: in the active language, with times in the site's zone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from doorsync.models.notices import Notice
from doorsync.notices.decision import SILENCE, Kind
from portal.core.clock import local

LISTED = 20  # notices in each part of a message; the others are counted
_SUBJECT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Message:
    """An email has the subject and the text; a webhook has the data too."""

    type: str
    subject: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)


def news(begun: Sequence[Notice], ended: Sequence[Notice], now: datetime) -> Message:
    """What started and what ended since the last message."""
    if begun:
        subject = ngettext("Needs attention: %(first)s", "%(n)d issues need attention: %(first)s, …", len(begun))
        subject %= {"n": len(begun), "first": begun[0]}
    else:
        subject = ngettext("Resolved: %(first)s", "%(n)d issues are resolved: %(first)s, …", len(ended))
        subject %= {"n": len(ended), "first": ended[0]}
    parts = [(_("Needs attention:"), begun), (_("Resolved:"), ended)]
    return _message("notices.changed", subject, parts, {"begun": begun, "ended": ended}, now)


def digest(going_on: Sequence[Notice], ended: Sequence[Notice], now: datetime) -> Message:
    """The open issues, and those that ended since the last digest."""
    subject = _("Daily digest: open issues: %(n)d, resolved since the last digest: %(m)d") % {
        "n": len(going_on),
        "m": len(ended),
    }
    parts = [(_("Still needs attention:"), going_on), (_("Resolved since the last digest:"), ended)]
    return _message("notices.digest", subject, parts, {"going_on": going_on, "ended": ended}, now)


def test_message(now: datetime) -> Message:
    """A message that only shows whether messages arrive."""
    text = _("This is a test message, sent at %(time)s. You need not do anything.") % {"time": local(now)}
    return Message(
        "notices.test", _("Test message of the Offision Access Portal"), f"{text}\n\n{settings.PORTAL_PUBLIC_URL}/\n"
    )


def _message(
    message_type: str,
    subject: str,
    parts: Sequence[tuple[str, Sequence[Notice]]],
    data: dict[str, Sequence[Notice]],
    now: datetime,
) -> Message:
    lines: list[str] = []
    for title, notices in parts:
        if not notices:
            continue
        lines += [title, ""]
        for notice in notices[:LISTED]:
            lines += _lines(notice)
        if len(notices) > LISTED:
            lines += ["", _("… and %(n)d more.") % {"n": len(notices) - LISTED}]
        lines.append("")
    lines += [_("As of %(time)s. %(portal)s") % {"time": local(now), "portal": f"{settings.PORTAL_PUBLIC_URL}/"}]
    # A line break in a name must not start another header of the email.
    subject = " ".join(subject.split())
    subject = subject if len(subject) <= _SUBJECT_LENGTH else subject[: _SUBJECT_LENGTH - 1] + "…"
    as_data = {name: [_as_data(notice) for notice in notices[:LISTED]] for name, notices in data.items()}
    return Message(message_type, subject, "\n".join(lines) + "\n", as_data)


def _lines(notice: Notice) -> list[str]:
    if notice.ended_at is not None:
        times = {"notice": notice, "since": local(notice.since), "until": local(notice.ended_at)}
        return [_("- %(notice)s, from %(since)s to %(until)s.") % times]
    lines = [_("- %(notice)s, since %(since)s.") % {"notice": notice, "since": local(notice.since)}]
    if notice.problems:
        lines.append(f"  {notice.problems}")
    return [*lines, f"  {page_of(notice)}"]


def _as_data(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.pk,
        "kind": notice.kind,
        "object": notice.object_name,
        "since": notice.since.isoformat(),
        "until": notice.ended_at.isoformat() if notice.ended_at else None,
        "why": str(notice.problems),
        "problems": notice.problems.as_json(),
        "page": page_of(notice),
    }


def page_of(notice: Notice) -> str:
    """The address of the page on which staff see the issue and fix it."""
    if notice.key == SILENCE.key:
        path = reverse("admin:doorsync_callback_changelist")
    elif notice.kind == Kind.SEALS:
        path = reverse("admin:audit_seal_changelist")
    elif notice.kind in (Kind.CALLBACKS, Kind.OFFISION):
        path = reverse("admin:doorsync_schedulerstate_changelist")
    elif notice.key.startswith("resource:"):
        path = reverse("admin:doorsync_resourcesync_changelist")
    else:
        path = reverse("admin:doorsync_controllersync_changelist")
    return f"{settings.PORTAL_PUBLIC_URL}{path}"
