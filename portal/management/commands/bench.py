"""`manage.py bench`: the figures that the portal promises, with their floors."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from rich.console import Console
from rich.table import Table

from portal.management.commands.demo import BUILDINGS
from portal.sandbox import bench, bench_visitors, playground
from portal.sandbox.building import load_building


class Command(BaseCommand):
    help = _("Measures speed against floors taken in the same run. Takes about eight minutes.")
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help=_("for machines"))
        parser.add_argument("--part", choices=["all", "once", "doors", "visitors"], default="all")

    def handle(self, *_args: Any, **options: Any) -> None:
        building = BUILDINGS / "harbour-tower.json"
        figures: list[bench.Figure] = []
        if options["part"] in ("all", "once"):
            figures += [*bench.once(building), *bench.fresh_clone()]
        os.environ["DJANGO_SETTINGS_MODULE"] = "portal.sandbox.bench_settings"  # for the processes started here
        if options["part"] in ("all", "doors"):
            with playground.running(load_building(building), building) as place:
                figures += bench.measure(place)
        if options["part"] in ("all", "visitors"):
            with playground.running(load_building(building), building, web_workers=2) as place:
                figures += bench_visitors.measure(place)
        if options["json"]:
            self.stdout.write(bench.as_json(figures))
            return
        table = Table(_("what"), _("value"), _("goal"), "", _("how"))
        for figure in figures:
            mark = "" if figure.reached is None else _("reached") if figure.reached else _("MISSED")
            table.add_row(figure.name, f"{figure.value:g} {figure.unit}", figure.goal, mark, figure.how)
        Console(width=150).print(table)
