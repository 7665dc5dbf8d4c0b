"""An access policy in sentences. Pure."""

from collections.abc import Sequence

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext


def policy_in_words(
    *,
    organizer: bool,
    attendees: bool,
    anyone: bool,
    levels: Sequence[str],
    always: Sequence[str],
    statuses: Sequence[str],
    lead: int,
    grace: int,
) -> str:
    """What a policy means at the doors, in sentences.

    `levels` are admitted while the resource is booked, `always` at any time; `statuses` are the booking statuses that
    count, in words; `lead` and `grace` are minutes.
    """
    admitted = [
        *([_("organizer")] if organizer else []),
        *([_("attendees")] if attendees else []),
        *levels,
    ]
    sentences = []
    if admitted and statuses:
        sentences.append(
            _("Admits %(who)s, from %(start)s until %(end)s, while %(statuses)s.")
            % {"who": _and(admitted), "start": _start(lead), "end": _end(grace), "statuses": _or(statuses)}
        )
    if anyone and statuses:
        sentences.append(
            _("The door is unlocked for anyone from the start of the booking until its end, while %(statuses)s.")
            % {"statuses": _or(statuses)}
        )
    if not sentences:
        sentences.append(_("A booking admits nobody."))
    if always:
        sentences.append(_("%(levels)s may always pass.") % {"levels": capfirst(_and(always))})
    return " ".join(sentences)


def _start(lead: int) -> str:
    if not lead:
        return _("the start of the booking")
    return ngettext("%(n)d minute before", "%(n)d minutes before", lead) % {"n": lead}


def _end(grace: int) -> str:
    if not grace:
        return _("its end")
    return ngettext("%(n)d minute after", "%(n)d minutes after", grace) % {"n": grace}


def _and(names: Sequence[str]) -> str:
    return _joined(names, pgettext("in a list: A, B and C", "%(first)s and %(last)s"))


def _or(names: Sequence[str]) -> str:
    return _joined(names, pgettext("in a list: A, B or C", "%(first)s or %(last)s"))


def _joined(names: Sequence[str], pattern: str) -> str:
    if len(names) < 2:
        return "".join(names)
    return pattern % {"first": pgettext("between the parts of a list", ", ").join(names[:-1]), "last": names[-1]}
