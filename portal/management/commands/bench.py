"""`manage.py bench`: the figures that the portal promises, with their floors."""

import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from rich.console import Console
from rich.table import Table

from portal.buildings.reading import load_building
from portal.management.commands.demo import BUILDINGS
from portal.sandbox import bench, bench_pages, bench_visitors, playground

PARTS = ("once", "doors", "visitors", "pages")


def _measured(part: str) -> Iterator[bench.Figure]:
    building = BUILDINGS / "harbour-tower.json"
    if part == "once":
        yield from (*bench.once(building), *bench.fresh_clone())
        return
    if part == "pages":
        yield from bench_pages.measure()
        return
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.sandbox.bench_settings"  # for the processes started here
    if part == "doors":
        with playground.running(load_building(building), building) as place:
            yield from bench.measure(place)
    else:
        with playground.running(load_building(building), building, web_workers=2) as place:
            yield from bench_visitors.measure(place)


def _in_its_own_process(part: str) -> Iterator[bench.Figure]:
    """Each part has a fresh database of its own, which a process has one of."""
    command = [sys.executable, "manage.py", "bench", "--part", part, "--json"]
    done = subprocess.run(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise CommandError(_("The part %(part)s could not be measured; its messages stand above.") % {"part": part})
    yield from (bench.Figure(**figure) for figure in json.loads(done.stdout))


class Command(BaseCommand):
    help = _("Measures speed against floors taken in the same run. Takes about ten minutes.")
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help=_("for machines"))
        parser.add_argument("--part", choices=PARTS, help=_("only these"))

    def handle(self, *_args: Any, **options: Any) -> None:
        part = options["part"]
        figures = list(_measured(part)) if part else [figure for each in PARTS for figure in _in_its_own_process(each)]
        if options["json"]:
            self.stdout.write(bench.as_json(figures))
            return
        table = Table(_("what"), _("value"), _("goal"), "", _("how"))
        for figure in figures:
            mark = "" if figure.reached is None else _("reached") if figure.reached else _("MISSED")
            table.add_row(figure.name, f"{figure.value:g} {figure.unit}", figure.goal, mark, figure.how)
        Console(width=150).print(table)
