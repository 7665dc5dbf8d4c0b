"""`manage.py demo`: a building at work, or one building file played once."""

import json
import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from portal.buildings.reading import BuildingError, load_building
from portal.sandbox import play_once, playground
from portal.sandbox.processes import StartError
from portal.sandbox.story import tell

BUILDINGS = Path(__file__).resolve().parents[2] / "sandbox" / "buildings"


class Command(BaseCommand):
    help = _("Shows a building at work: pretend Offision, pretend controllers, and the portal between them.")
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--building", type=Path, default=BUILDINGS / "pier-house.json", help=_("a building file (JSON)")
        )
        parser.add_argument("--once", action="store_true", help=_("play the file once and stop"))
        parser.add_argument("--json", action="store_true", help=_("with --once: print the result as JSON"))
        parser.add_argument("--port", type=int, default=8000, help=_("of the portal, if it is free (8000)"))

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["json"] and not options["once"]:
            raise CommandError(_("--json goes with --once."))
        # However it is asked to end, everything that it started ends first.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        try:
            building = load_building(options["building"])
            if foreign := sorted({box.driver for box in building.controllers} - {"simulated"}):
                raise CommandError(
                    _("The demo has only pretend controllers; it cannot play the drivers: %(names)s.")
                    % {"names": ", ".join(foreign)}
                )
            if options["once"]:
                with playground.running(building, options["building"].resolve()) as place:
                    result = play_once.play(place)
                print_result(result, as_json=options["json"])
            else:
                with playground.running(
                    building, options["building"].resolve(), port=options["port"], static=True
                ) as place:
                    tell(place)
        except (BuildingError, StartError, playground.NotConverged) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            sys.stderr.write("\n" + _("Stopped; everything that was started has ended.") + "\n")


def print_result(result: dict[str, Any], *, as_json: bool) -> None:
    """The result on standard output: JSON for machines, a few lines for people."""
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
        return
    cards = {(row["controller"], row["card"]) for row in result["permissions"]}
    lines = [
        _("%(site)s: every change has reached the doors.") % result,
        _("%(windows)d windows for %(cards)d cards, %(unlocked)d of doors held unlocked.")
        % {"windows": len(result["permissions"]), "cards": len(cards), "unlocked": len(result["unlocked"])},
        _("%(received)d callbacks, %(fetches)d fetches.") % result["callbacks"],
        _("Callback to door: half within %(p50)s s, 95%% within %(p95)s s.") % result["sync_seconds"],
        _("Unmapped: %(emails)s; %(resources)s")
        % {key: ", ".join(repr(v) for v in values) or "–" for key, values in result["unmapped"].items()},
    ]
    sys.stdout.write("\n".join(lines) + "\n")
