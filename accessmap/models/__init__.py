"""Who may open what: sites, cardholders, cards, access levels, controllers, doors, access policies, resources.

These rows say how things are meant to be; `doorsync` makes the controllers follow. Triggers note every change of them
in MapChange and keep it in history (pghistory).
"""

from accessmap.models.cardholders import AccessLevel, Cardholder, Membership, normal_email
from accessmap.models.cards import Card, CardStatus, masked
from accessmap.models.changes import MapChange
from accessmap.models.controllers import Controller, Door
from accessmap.models.imports import MapImport
from accessmap.models.policies import (
    BOOKING_STATUS_CHOICES,
    MAX_LEAD_MINUTES,
    AccessPolicy,
    PolicyAdmits,
    PolicyAlways,
    default_statuses,
)
from accessmap.models.resources import Resource, ResourceDoor
from accessmap.models.sites import Site, validate_time_zone

__all__ = [
    "BOOKING_STATUS_CHOICES",
    "MAX_LEAD_MINUTES",
    "AccessLevel",
    "AccessPolicy",
    "Card",
    "CardStatus",
    "Cardholder",
    "Controller",
    "Door",
    "MapChange",
    "MapImport",
    "Membership",
    "PolicyAdmits",
    "PolicyAlways",
    "Resource",
    "ResourceDoor",
    "Site",
    "default_statuses",
    "masked",
    "normal_email",
    "validate_time_zone",
]
