"""`manage.py load_building FILE`: load the people, doors, policies and resources of a building file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.utils.translation import gettext as _

from portal.buildings.loading import load_map
from portal.buildings.reading import BuildingError, load_building


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
                _("Nothing was loaded: the map already has an entry of this file. Change one of them. %(why)s")
                % {"why": str(error).splitlines()[-1].strip()}
            ) from error
        self.stdout.write(
            _("%(site)s: %(people)d cardholders, %(doors)d doors and %(resources)d resources loaded.")
            % {
                "site": building.site.name,
                "people": len(building.cardholders),
                "doors": sum(len(controller.doors) for controller in building.controllers),
                "resources": len(building.resources),
            }
        )
