"""`manage.py screenshots`: the pictures of docs/screenshots, taken of the demo building."""

import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from portal.buildings.reading import load_building
from portal.management.commands.demo import BUILDINGS
from portal.sandbox import playground
from portal.sandbox.processes import StartError
from portal.sandbox.screenshots import CannotPhotographError, photograph


class Command(BaseCommand):
    help = _("Starts the demo building, takes pictures of its pages for the documentation, and stops it.")
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", type=Path, default=settings.BASE_DIR / "docs" / "screenshots", help=_("a folder"))

    def handle(self, *_args: Any, **options: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):  # what was started ends first, as in the demo
            signal.signal(number, signal.default_int_handler)
        path = BUILDINGS / "pier-house.json"
        try:
            with playground.running(load_building(path), path, static=True) as place:
                pictures = photograph(place, options["to"])
        except (StartError, playground.NotConverged, CannotPhotographError) as error:
            raise CommandError(str(error)) from error
        kilobytes = sum(picture.stat().st_size for picture in pictures) // 1024
        self.stdout.write(
            _("%(n)d pictures in %(folder)s, %(kb)d KiB in all.")
            % {"n": len(pictures), "folder": options["to"], "kb": kilobytes}
        )
