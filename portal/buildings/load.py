"""Load a building file's map into the database: people, doors, policies, resources, turnstiles."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from accessmap.models import (
    AccessLevel,
    AccessPolicy,
    Card,
    Cardholder,
    Controller,
    Door,
    Membership,
    PolicyAdmits,
    PolicyAlways,
    Resource,
    ResourceDoor,
    Site,
)
from portal.audit.models import record
from portal.buildings.building import Building
from visitors.models import Turnstile


@transaction.atomic
def load_map(building: Building, *, controller_options: Mapping[str, Mapping[str, Any]]) -> Site:
    """Make the access map of a building. `controller_options` are added to each controller's own, by name.

    Raises django.db.IntegrityError where the map has any of these names, numbers or emails already.
    """
    site = Site.objects.create(name=building.site.name, time_zone=building.site.timezone)
    levels = {name: AccessLevel.objects.create(name=name) for name in building.access_levels}
    people = Cardholder.objects.bulk_create(
        Cardholder(email=person.email.strip(), name=person.name) for person in building.cardholders
    )
    Card.objects.bulk_create(
        Card(cardholder=row, number=card.number, status=card.status)
        for row, person in zip(people, building.cardholders, strict=True)
        for card in person.cards
    )
    Membership.objects.bulk_create(
        Membership(cardholder=row, access_level=levels[level])
        for row, person in zip(people, building.cardholders, strict=True)
        for level in dict.fromkeys(person.access_levels)
    )
    doors: dict[str, Door] = {}
    for box in building.controllers:
        controller = Controller.objects.create(
            site=site,
            name=box.name,
            driver=box.driver,
            options={**box.options, **controller_options.get(box.name, {})},
        )
        for door in box.doors:
            doors[door.name] = Door.objects.create(controller=controller, number=door.number, name=door.name)
    policies = {policy.name: _policy(policy, levels) for policy in building.policies}
    for entry in building.resources:
        resource = Resource.objects.create(
            site=site, external_id=entry.id, name=entry.name, policy=policies[entry.policy]
        )
        ResourceDoor.objects.bulk_create(
            ResourceDoor(resource=resource, door=doors[name]) for name in dict.fromkeys(entry.doors)
        )
    Turnstile.objects.bulk_create(
        Turnstile(
            site=site,
            name=gate.name,
            direction=gate.direction,
            statuses_in=list(dict.fromkeys(gate.statuses_in)),
            statuses_out=list(dict.fromkeys(gate.statuses_out)),
        )
        for gate in building.turnstiles
    )
    record(actor="load_building", action="map.loaded", on=site)
    return site


def _policy(entry: Any, levels: Mapping[str, AccessLevel]) -> AccessPolicy:
    policy = AccessPolicy.objects.create(
        name=entry.name,
        admit_organizer="organizer" in entry.admit,
        admit_attendees="attendees" in entry.admit,
        admit_anyone="anyone" in entry.admit,
        statuses=list(dict.fromkeys(entry.statuses)),
        lead_minutes=entry.lead_minutes,
        grace_minutes=entry.grace_minutes,
    )
    for model, names in ((PolicyAdmits, entry.admit_access_levels), (PolicyAlways, entry.always)):
        for name in dict.fromkeys(names):
            model.objects.create(policy=policy, access_level=levels[name])
    return policy
