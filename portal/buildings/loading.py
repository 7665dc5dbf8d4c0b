"""Loads a building file's map into the database: people, doors, policies, resources, turnstiles."""

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
from portal.buildings.model import Building
from visitors.models import Turnstile


@transaction.atomic
def load_map(building: Building, *, controller_options: Mapping[str, Mapping[str, Any]]) -> Site:
    """Create the access map of a building. `controller_options`, by controller name, are added to the file's.

    Raises django.db.IntegrityError where the map already has any of these names, numbers or emails.
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
    for entry in building.controllers:
        controller = Controller.objects.create(
            site=site,
            name=entry.name,
            driver=entry.driver,
            options={**entry.options, **controller_options.get(entry.name, {})},
        )
        for door in entry.doors:
            doors[door.name] = Door.objects.create(controller=controller, number=door.number, name=door.name)
    policies = {policy.name: _policy(policy, levels) for policy in building.policies}
    for resource_entry in building.resources:
        resource = Resource.objects.create(
            site=site, external_id=resource_entry.id, name=resource_entry.name, policy=policies[resource_entry.policy]
        )
        ResourceDoor.objects.bulk_create(
            ResourceDoor(resource=resource, door=doors[name]) for name in dict.fromkeys(resource_entry.doors)
        )
    Turnstile.objects.bulk_create(
        Turnstile(
            site=site,
            name=turnstile.name,
            direction=turnstile.direction,
            statuses_in=list(dict.fromkeys(turnstile.statuses_in)),
            statuses_out=list(dict.fromkeys(turnstile.statuses_out)),
        )
        for turnstile in building.turnstiles
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
