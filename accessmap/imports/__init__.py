"""Sheets of people and of resources, out of the map and into it, by django-import-export.

A row is understood against a snapshot of the map and either says what it would change or what is wrong with it, by
column and in words. Nothing is written until every row was understood.
"""

from accessmap.imports.people import PeopleSheet
from accessmap.imports.resource import SheetResource
from accessmap.imports.resources import RoomsSheet
from accessmap.models import MapImport

SHEETS: dict[str, type[SheetResource]] = {MapImport.Kind.PEOPLE: PeopleSheet, MapImport.Kind.RESOURCES: RoomsSheet}
