"""The sheet of resources and the doors that lead to them."""

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from accessmap.imports import problems
from accessmap.imports.reader import Cell
from accessmap.imports.sheet import (
    BATCH,
    NOTHING,
    CellError,
    MapSheet,
    Row,
    delete_pairs,
    listed,
    name_of,
    with_parents,
)
from accessmap.models import AccessPolicy, Door, Resource, ResourceDoor, Site
from portal.core.problems import Problem

MAX_ID = 200
_CHANGED = {"name": problems.RENAMED, "site": problems.SITE_CHANGED, "policy": problems.POLICY_CHANGED}


class ResourcesSheet(MapSheet):
    """One row a resource: id, name, site, policy, doors."""

    columns = ("id", "name", "site", "policy", "doors")
    key = "id"

    def load_map(self) -> None:
        resources = Resource.objects.select_related("site", "policy")
        self._resources = {resource.external_id: resource for resource in resources}
        self._sites = {site.name.casefold(): site for site in Site.objects.all()}
        self._policies = {policy.name.casefold(): policy for policy in AccessPolicy.objects.all()}
        self._doors: dict[str, list[int]] = defaultdict(list)
        self._door_names: dict[int, str] = {}
        for door in Door.objects.select_related("controller"):
            self._doors[door.name.casefold()].append(door.pk)
            self._doors[f"{door.controller.name} / {door.name}".casefold()].append(door.pk)
            self._door_names[door.pk] = door.name
        self._doors_of: dict[int, set[int]] = defaultdict(set)
        for resource_id, door_id in ResourceDoor.objects.values_list("resource_id", "door_id"):
            self._doors_of[resource_id].add(door_id)
        self._new: list[Resource] = []
        self._changed: list[Resource] = []
        self._links_added: list[ResourceDoor] = []
        self._links_removed: set[tuple[int, int]] = set()

    def read_row(self, row: Row) -> None:
        external_id = row.read("id", self._id, row)
        values = {
            "name": row.read("name", name_of, row["name"]),
            "site": row.read("site", _one_of, row["site"], self._sites, problems.NO_SITE),
            "policy": row.read("policy", _one_of, row["policy"], self._policies, problems.NO_POLICY),
        }
        doors = row.read("doors", self._named_doors, row["doors"])
        resource = self._resources.get(external_id)
        if resource is None and external_id:
            if not row["site"] and len(self._sites) == 1:
                values["site"] = next(iter(self._sites.values()))
            for column, value in values.items():
                if not value and column not in dict(row.errors):
                    row.refuse(column, problems.VALUE_MISSING())
        if row.errors:
            return
        if resource is None:
            row.created = True
            resource = Resource(external_id=external_id, **values)
            self._new.append(resource)
            row.changes.append(problems.CREATED(name=resource.name))
        else:
            self._change(row, resource, values)
        row.subject = resource.name
        if doors is not None:
            self._change_doors(row, resource, doors)

    def _id(self, row: Row) -> str:
        cell = row["id"]
        if not cell:
            raise CellError(problems.ID_MISSING())
        if len(cell) > MAX_ID:
            raise CellError(problems.TOO_LONG(n=MAX_ID))
        if first := self.named_before(f"id:{cell}", row):
            raise CellError(problems.NAMED_BEFORE(text=str(cell), row=first))
        return str(cell)

    def _named_doors(self, cell: Cell) -> set[int] | None:
        """Primary keys; None for a blank cell."""
        if not cell:
            return None
        if cell == NOTHING:
            return set()
        doors: set[int] = set()
        for name in filter(None, map(str.strip, re.split(r"[;\n]", cell))):
            named = self._doors.get(name.casefold(), [])
            if not named:
                raise CellError(problems.NO_DOOR(name=name[:100]))
            if len(named) > 1:
                raise CellError(problems.SEVERAL_DOORS(name=name[:100]))
            doors.update(named)
        return doors

    def _change(self, row: Row, resource: Resource, values: dict[str, Any]) -> None:
        for attribute, value in values.items():
            before = getattr(resource, attribute)
            if value and value != before:
                row.changes.append(_CHANGED[attribute](before=str(before), after=str(value)))
                setattr(resource, attribute, value)
        if row.changes:
            self._changed.append(resource)

    def _change_doors(self, row: Row, resource: Resource, doors: set[int]) -> None:
        present = self._doors_of.get(resource.pk, set()) if resource.pk else set()
        for door in sorted(doors - present):
            self._links_added.append(ResourceDoor(resource=resource, door_id=door))
            row.changes.append(problems.DOOR_ADDED(door=self._door_names[door]))
        for door in sorted(present - doors):
            self._links_removed.add((resource.pk, door))
            row.changes.append(problems.DOOR_REMOVED(door=self._door_names[door]))

    def write(self, *, actor: str) -> None:
        Resource.objects.bulk_create(self._new, batch_size=BATCH)
        Resource.objects.bulk_update(self._changed, ["name", "site", "policy"], batch_size=BATCH)
        delete_pairs(ResourceDoor, "resource_id", "door_id", self._links_removed)
        ResourceDoor.objects.bulk_create(with_parents(self._links_added, "resource"), batch_size=BATCH)

    @classmethod
    def export_row(cls, instance: Any, *, whole_numbers: bool) -> list[str]:
        """`instance` is a Resource whose doors are prefetched with their controllers."""
        doors = (f"{door.controller.name} / {door.name}" for door in instance.doors.all())
        return [instance.external_id, instance.name, instance.site.name, instance.policy.name, "; ".join(doors)]


def _one_of(cell: Cell, known: dict[str, Any], problem: Callable[..., Problem]) -> Any:
    if cell and cell.casefold() not in known:
        raise CellError(problem(name=cell[:100], known=listed(known.values())))
    return known.get(cell.casefold())
