"""`manage.py load_building FILE`: load a building file's people, doors, policies and resources."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.utils.translation import gettext as _

from portal.buildings.building import BuildingError, load_building
from portal.buildings.load import load_map


class Command(BaseCommand):
    help = _("Loads the map of a building file: people, cards, doors, policies, resources. All of it or nothing.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            building = load_building(options["file"])
            load_map(building, controller_options={})
        except BuildingError as error:
            raise CommandError(str(error)) from error
        except IntegrityError as error:
            raise CommandError(
                _("Nothing was loaded: something of this building is in the map already. %(why)s")
                % {"why": str(error).splitlines()[-1].strip()}
            ) from error
        self.stdout.write(
            _("%(site)s: %(people)d cardholders, %(doors)d doors and %(rooms)d resources loaded.")
            % {
                "site": building.site.name,
                "people": len(building.cardholders),
                "doors": sum(len(box.doors) for box in building.controllers),
                "rooms": len(building.resources),
            }
        )
