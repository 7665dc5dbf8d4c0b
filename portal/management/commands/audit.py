"""manage.py audit: verify the seals of the audit log."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from portal.audit.models import Seal
from portal.audit.verifying import check

_EVERY = 100_000  # entries, between two lines that tell how far it is


class Command(BaseCommand):
    """Reads the log and its seals; keeps only what it found, for the notices and the home page."""

    help = _("Verify the seals of the audit log.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One subcommand each."""
        subcommands = parser.add_subparsers(dest="subcommand", required=True)
        verify = subcommands.add_parser(
            "verify", help=_("recompute every seal, and name the first thing that is wrong")
        )
        verify.add_argument(
            "--expect",
            type=_expected,
            metavar="NUMBER:HASH",
            help=_("a seal as it was printed once, and kept elsewhere: it must be there still"),
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify. Exits with 1, after a sentence, at the first thing that is wrong."""
        told = entries = 0

        def progress(seal: Seal) -> None:
            nonlocal told, entries
            entries += seal.count
            if entries - told >= _EVERY:
                told = entries
                line = _("%(entries)d entries in order, up to seal %(number)d")
                self.stderr.write(line % {"entries": entries, "number": seal.number}, self.style.NOTICE)

        state = check(everything=True, progress=progress)
        if state.last_error:
            raise CommandError(str(state.last_error))
        if options["expect"]:
            number, expected = options["expect"]
            if not Seal.objects.filter(number=number, hash=expected).exists():
                sentence = _("Seal %(number)d is not there with that hash: the log was made anew since you noted it.")
                raise CommandError(sentence % {"number": number})
        if not state.number:
            self.stdout.write(_("Nothing is sealed yet, and nothing is amiss."))
            return
        self.stdout.write(
            _("All %(n)d seals are in order; they cover %(entries)d entries.") % {"n": state.number, "entries": entries}
        )
        self.stdout.write(
            _("Keep this somewhere else, for --expect: %(seal)s") % {"seal": f"{state.number}:{state.hash}"}
        )


def _expected(text: str) -> tuple[int, str]:
    found = re.fullmatch(r"([1-9]\d{0,17}):([0-9a-f]{64})", text.strip().lower())
    if found is None:
        raise ArgumentTypeError(_("NUMBER:HASH is wanted, with 64 hexadecimal digits, as `audit verify` prints it."))
    return int(found[1]), found[2]
