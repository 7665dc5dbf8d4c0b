"""Notices in sentences, in the language that is active, times in the site's zone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from doorsync.models.notices import Kind, Notice
from portal.core.clock import local

LISTED = 20  # of each sort; the rest is counted
_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Message:
    """What a recipient is sent: by email subject and text, by webhook the data."""

    type: str
    subject: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)


def news(begun: Sequence[Notice], ended: Sequence[Notice], now: datetime) -> Message:
    """What is wrong since the last message, and what is over."""
    if begun:
        subject = ngettext("Wrong: %(first)s", "%(n)d things are wrong: %(first)s, …", len(begun))
        subject %= {"n": len(begun), "first": begun[0]}
    else:
        subject = ngettext("Over: %(first)s", "%(n)d things are over: %(first)s, …", len(ended))
        subject %= {"n": len(ended), "first": ended[0]}
    parts = [(_("Wrong now:"), begun), (_("Over:"), ended)]
    return _message("notices.changed", subject, parts, {"begun": begun, "ended": ended}, now)


def digest(going_on: Sequence[Notice], ended: Sequence[Notice], now: datetime) -> Message:
    """What goes on, and what came and went since the last digest."""
    subject = _("Doors and bookings: %(n)d things are wrong, %(m)d came and went") % {
        "n": len(going_on),
        "m": len(ended),
    }
    parts = [(_("Wrong still:"), going_on), (_("Came and went since the last digest:"), ended)]
    return _message("notices.digest", subject, parts, {"going_on": going_on, "ended": ended}, now)


def trial(now: datetime) -> Message:
    """To see whether messages arrive."""
    text = _("This is a test, sent at %(time)s. Nothing is wrong.") % {"time": local(now)}
    return Message(
        "notices.test", _("A test of the Offision Access Portal"), f"{text}\n\n{settings.PORTAL_PUBLIC_URL}/\n"
    )


def _message(
    kind: str,
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
    # A name with a line break in it must not become a header of the email.
    subject = " ".join(subject.split())
    subject = subject if len(subject) <= _SUBJECT else subject[: _SUBJECT - 1] + "…"
    as_data = {name: [_as_data(notice) for notice in notices[:LISTED]] for name, notices in data.items()}
    return Message(kind, subject, "\n".join(lines) + "\n", as_data)


def _lines(notice: Notice) -> list[str]:
    if notice.ended_at is not None:
        times = {"notice": notice, "since": local(notice.since), "until": local(notice.ended_at)}
        return [_("- %(notice)s, from %(since)s to %(until)s.") % times]
    lines = [_("- %(notice)s, since %(since)s.") % {"notice": notice, "since": local(notice.since)}]
    if notice.why:
        lines.append(f"  {notice.why}")
    return [*lines, f"  {page_of(notice)}"]


def _as_data(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.pk,
        "kind": notice.kind,
        "object": notice.label,
        "since": notice.since.isoformat(),
        "until": notice.ended_at.isoformat() if notice.ended_at else None,
        "why": notice.why,
        "page": page_of(notice),
    }


def page_of(notice: Notice) -> str:
    """The address of the page on which it is seen, and mended."""
    states = "resourcesync" if notice.key.startswith("resource:") else "controllersync"
    if notice.kind == Kind.CALLBACKS and notice.key == "silence":
        path = reverse("admin:doorsync_callback_changelist")
    elif notice.kind == Kind.SEALS:
        path = reverse("admin:audit_seal_changelist")
    elif notice.kind in (Kind.CALLBACKS, Kind.OFFISION):
        path = reverse("admin:doorsync_schedulerstate_changelist")
    else:
        path = reverse(f"admin:doorsync_{states}_changelist")
    return f"{settings.PORTAL_PUBLIC_URL}{path}"
