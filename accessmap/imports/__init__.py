"""Sheets of people and of resources: exported from the map, and imported into it.

Every row is compared with a snapshot of the map, and either says what it would change or what is wrong with it, by
column. Nothing is written while a row is wrong.
"""

from accessmap.imports.people import PeopleSheet
from accessmap.imports.resources import ResourcesSheet
from accessmap.imports.sheet import MapSheet
from accessmap.models import MapImport

SHEETS: dict[str, type[MapSheet]] = {MapImport.Kind.PEOPLE: PeopleSheet, MapImport.Kind.RESOURCES: ResourcesSheet}
