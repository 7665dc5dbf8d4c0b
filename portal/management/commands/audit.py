"""manage.py audit: verify the seals of the audit log, or list its events."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from portal.audit.events import all_events
from portal.audit.models import Seal
from portal.audit.verifying import check

_PROGRESS_EVERY = 100_000  # entries


class Command(BaseCommand):
    """Reads the log and its seals; stores only the result of the check, for the notices and the home page."""

    help = _("Verify the seals of the audit log, or list its events.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One subcommand each."""
        subcommands = parser.add_subparsers(dest="subcommand", required=True)
        verify = subcommands.add_parser(
            "verify", help=_("recompute every seal, and name the first thing that is wrong")
        )
        verify.add_argument(
            "--expect",
            type=_numbered_hash,
            metavar="NUMBER:HASH",
            help=_("a seal that was printed earlier, and kept elsewhere: it must still be there"),
        )
        subcommands.add_parser("events", help=_("print the table of events that docs/audit.md has"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the subcommand."""
        if options["subcommand"] == "events":
            self.stdout.write(events_table())
        else:
            self._verify(options["expect"])

    def _verify(self, expected: tuple[int, str] | None) -> None:
        """Exits with 1, after a sentence, at the first thing that is wrong."""
        reported = entries = 0

        def progress(seal: Seal) -> None:
            nonlocal reported, entries
            entries += seal.count
            if entries - reported >= _PROGRESS_EVERY:
                reported = entries
                line = _("%(entries)d entries in order, up to seal %(number)d")
                self.stderr.write(line % {"entries": entries, "number": seal.number}, self.style.NOTICE)

        state = check(everything=True, progress=progress)
        if state.last_error:
            raise CommandError(str(state.last_error))
        if expected and not Seal.objects.filter(number=expected[0], hash=expected[1]).exists():
            sentence = _("Seal %(number)d is not there with that hash: the log was made anew since you noted it.")
            raise CommandError(sentence % {"number": expected[0]})
        if not state.number:
            self.stdout.write(_("Nothing is sealed yet, and nothing is amiss."))
            return
        self.stdout.write(
            _("All %(n)d seals are in order; they cover %(entries)d entries.") % {"n": state.number, "entries": entries}
        )
        self.stdout.write(
            _("Keep this somewhere else, for --expect: %(seal)s") % {"seal": f"{state.number}:{state.hash}"}
        )


def events_table() -> str:
    """A Markdown table with a row for every audit event; personal parameters are in italics."""
    lines = ["| code | what happened | parameters |", "|---|---|---|"]
    for event in all_events():
        names = [f"*{name}*" if name in event.personal else name for name in sorted(event.parameters)]
        lines.append(f"| `{event.code}` | {event.name} | {', '.join(names)} |")
    return "\n".join(lines)


def _numbered_hash(text: str) -> tuple[int, str]:
    match = re.fullmatch(r"([1-9]\d{0,17}):([0-9a-f]{64})", text.strip().lower())
    if match is None:
        raise ArgumentTypeError(_("NUMBER:HASH is wanted, with 64 hexadecimal digits, as `audit verify` prints it."))
    return int(match[1]), match[2]
