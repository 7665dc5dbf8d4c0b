"""`manage.py driver_table`: writes the tables of drivers in the docs from the drivers' quality.toml."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from doorsync.drivers.quality import documents


class Command(BaseCommand):
    help = _("Writes the tables of drivers in the docs, from each driver's quality.toml.")

    def handle(self, *_args: Any, **_options: Any) -> None:
        for path, content in documents().items():
            if path.read_text() != content:
                path.write_text(content)
                self.stdout.write(str(path))
