"""The sheet of resources and the doors that lead to them."""

import re
from collections import defaultdict
from functools import partial
from typing import Any

from django.utils.translation import gettext as _
from import_export.fields import Field
from tablib import Dataset

from accessmap.imports.reader import Cell, escaped
from accessmap.imports.resource import (
    BATCH,
    NOTHING,
    Columns,
    SheetResource,
    Understood,
    Wrong,
    delete_pairs,
    with_parents,
)
from accessmap.models import AccessPolicy, Door, Resource, ResourceDoor, Site


class RoomsSheet(SheetResource):
    """One row a resource: id, name, site, policy, doors."""

    columns = ("id", "name", "site", "policy", "doors")
    key = "id"

    external_id = Field(attribute="external_id", column_name="id")
    name = Field(attribute="name", column_name="name")
    site = Field(column_name="site")
    policy = Field(column_name="policy")
    doors = Field(column_name="doors")

    class Meta:
        model = Resource
        import_id_fields = ("external_id",)
        fields = ("external_id", "name", "site", "policy", "doors")
        use_bulk = True
        batch_size = chunk_size = BATCH
        skip_diff = True
        report_skipped = False

    def get_bulk_update_fields(self) -> list[str]:
        return ["name", "site", "policy"]

    def load(self, dataset: Dataset) -> None:
        resources = Resource.objects.select_related("site", "policy")
        self._resources = {resource.external_id: resource for resource in resources}
        self._sites = {site.name.casefold(): site for site in Site.objects.all()}
        self._policies = {policy.name.casefold(): policy for policy in AccessPolicy.objects.all()}
        self._doors: dict[str, list[Door]] = defaultdict(list)
        self._door_names: dict[int, str] = {}
        for door in Door.objects.select_related("controller"):
            self._doors[door.name.casefold()].append(door)
            self._doors[f"{door.controller.name} / {door.name}".casefold()].append(door)
            self._door_names[door.pk] = door.name
        self._doors_of: dict[int, set[int]] = defaultdict(set)
        for resource_id, door_id in ResourceDoor.objects.values_list("resource_id", "door_id"):
            self._doors_of[resource_id].add(door_id)
        self._new_links: list[ResourceDoor] = []
        self._ended: list[tuple[Resource, int]] = []

    def understand(self, row: dict[str, Cell], number: int) -> Understood:
        columns = Columns()
        key = columns.read("id", self._id, row["id"], number)
        site = columns.read("site", self._one_of, row["site"], self._sites, _("site"))
        policy = columns.read("policy", self._one_of, row["policy"], self._policies, _("access policy"))
        doors = columns.read("doors", self._named_doors, row["doors"])
        name = str(row["name"])
        if len(name) > 200:
            columns.wrong["name"].append(_("has more than %(n)d characters") % {"n": 200})
        resource = self._resources.get(key or "")
        if resource is None and key:
            if site is None and not row["site"] and len(self._sites) == 1:
                site = next(iter(self._sites.values()))
            for column, value in (("name", name), ("site", site), ("policy", policy)):
                if not value and column not in columns.wrong:
                    columns.wrong[column].append(_("a new resource needs one"))
        columns.check()
        if resource is None:
            resource = Resource(external_id=key, name=name, site=site, policy=policy)
            found = self._means(resource, new=True, who=name)
            found.tell(lambda: _("new: %(name)s") % {"name": name})
        else:
            found = self._means(resource, new=False, who=resource.name)
            self._change(found, resource, {"name": name, "site": site, "policy": policy})
        self._change_doors(found, resource, doors)
        return found

    def _change(self, found: Understood, resource: Resource, values: dict[str, Any]) -> None:
        labels = {"name": _("name"), "site": _("site"), "policy": _("access policy")}
        for attribute, value in values.items():
            before = getattr(resource, attribute)
            if value and value != before:
                setattr(resource, attribute, value)
                found.own = True
                words = {"what": labels[attribute], "before": before, "after": value}
                found.tell(partial(_("%(what)s: %(before)s → %(after)s").__mod__, words))

    def _id(self, cell: Cell, number: int) -> str:
        if not cell:
            raise Wrong(_("there is none; it is the resource's id in Offision"))
        if len(cell) > 200:
            raise Wrong(_("has more than %(n)d characters") % {"n": 200})
        self._once(f"id:{cell}", number, str(cell))
        return str(cell)

    def _one_of(self, cell: Cell, known: dict[str, Any], what: str) -> Any:
        if not cell:
            return None
        if cell.casefold() not in known:
            names = ", ".join(str(one) for one in list(known.values())[:20])
            raise Wrong(
                _("there is no %(what)s “%(name)s”; there are: %(known)s")
                % {"what": what, "name": cell[:100], "known": names or "–"}
            )
        return known[cell.casefold()]

    def _named_doors(self, cell: Cell) -> set[int] | None:
        if not cell:
            return None
        if cell == NOTHING:
            return set()
        found: set[int] = set()
        for part in re.split(r"[;\n]", cell):
            name = part.strip()
            doors = self._doors.get(name.casefold(), [])
            if name and not doors:
                raise Wrong(_("there is no door “%(name)s”") % {"name": name[:100]})
            if len(doors) > 1:
                raise Wrong(_("several doors are called “%(name)s”; write controller / door") % {"name": name[:100]})
            found.update(door.pk for door in doors)
        return found

    def _change_doors(self, found: Understood, resource: Resource, doors: set[int] | None) -> None:
        if doors is None:
            return
        present = self._doors_of.get(resource.pk, set()) if resource.pk else set()
        for door in sorted(doors - present):
            self._new_links.append(ResourceDoor(resource=resource, door_id=door))
            found.tell(partial(_("door %(door)s added").__mod__, {"door": self._door_names[door]}))
        for door in sorted(present - doors):
            self._ended.append((resource, door))
            found.tell(partial(_("door %(door)s no longer leads here").__mod__, {"door": self._door_names[door]}))

    def write_the_rest(self) -> None:
        ended = {(resource.pk, door) for resource, door in self._ended}
        delete_pairs(ResourceDoor, "resource_id", "door_id", ended)
        ResourceDoor.objects.bulk_create(with_parents(self._new_links, "resource"), batch_size=BATCH)

    # --- out

    def dehydrate_external_id(self, resource: Resource) -> str:
        return escaped(resource.external_id)

    def dehydrate_name(self, resource: Resource) -> str:
        return escaped(resource.name)

    def dehydrate_site(self, resource: Resource) -> str:
        return escaped(resource.site.name)

    def dehydrate_policy(self, resource: Resource) -> str:
        return escaped(resource.policy.name)

    def dehydrate_doors(self, resource: Resource) -> str:
        """Its doors; `resource.doors` is prefetched with their controllers."""
        return escaped("; ".join(f"{door.controller.name} / {door.name}" for door in resource.doors.all()))
