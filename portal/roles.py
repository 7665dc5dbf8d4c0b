"""The roles and what each may see and do in the admin. They are installed after every migration."""

import sys

import pgtrigger
from django.apps import apps as all_apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_noop

from portal.audit.actor import process_name
from portal.audit.models import record
from portal.audit_events import ROLE_CHANGED

FACILITY_STAFF = gettext_noop("Facility staff")
SECURITY = gettext_noop("Security")
INTEGRATOR = gettext_noop("Integrator")
ADMINISTRATOR = gettext_noop("Administrator")

_WHOLE_NUMBERS = Q(content_type__app_label="accessmap", codename="view_card_number")  # the audit log records each look
_VIEW_MAP_AND_SYNC = (
    Q(content_type__app_label__in=["accessmap", "doorsync", "visitors"], codename__startswith="view_") & ~_WHOLE_NUMBERS
)
_TURNSTILES = Q(content_type__app_label="visitors", content_type__model__in=["turnstile", "reader", "template"])
_WHO_IS_HERE = Q(content_type__app_label="visitors", content_type__model__in=["passage", "visitstatusupdate", "visit"])
_EVENTS = Q(content_type__model__endswith="event")  # pghistory's tables are read through the history of their rows
_MAP_OF_STAFF = Q(
    content_type__app_label="accessmap",
    content_type__model__in=[
        "accesslevel",
        "accesspolicy",
        "card",
        "cardholder",
        "door",
        "mapimport",
        "membership",
        "policyadmits",
        "policyalways",
        "resource",
        "resourcedoor",
    ],
)
_CONTROLLERS = Q(content_type__app_label="accessmap", content_type__model__in=["controller", "door", "site"]) & ~Q(
    codename="unlock_door"
)
_ACT_ON_STATES = Q(content_type__app_label="doorsync", codename__in=["change_resourcesync", "change_controllersync"])
_RECIPIENTS = Q(content_type__app_label="doorsync", content_type__model="recipient")
_APPROVE = Q(content_type__app_label="doorsync", codename__startswith="approve_")
_ACCOUNTS = Q(content_type__app_label="auth", content_type__model="user") | Q(codename="view_group")
_API_KEYS = Q(content_type__app_label="api", content_type__model="apikey")
_TRIGGERS = ("audit.AuditedGroup:audited", "audit.AuditedGroupPermission:audited")
_LOG = Q(content_type__app_label="audit", codename__in=["view_entry", "view_seal"])

ROLES: dict[str, Q] = {
    FACILITY_STAFF: _VIEW_MAP_AND_SYNC | _MAP_OF_STAFF | _ACT_ON_STATES | _APPROVE,
    SECURITY: _VIEW_MAP_AND_SYNC | _WHOLE_NUMBERS | _LOG,
    INTEGRATOR: _VIEW_MAP_AND_SYNC & ~_WHO_IS_HERE | _CONTROLLERS | _TURNSTILES | _ACT_ON_STATES | _RECIPIENTS,
    ADMINISTRATOR: Q(content_type__app_label__in=["accessmap", "doorsync", "visitors"]) | _ACCOUNTS | _API_KEYS | _LOG,
}


def install(**_kwargs: object) -> None:
    """Make the groups and give each exactly its permissions. Safe to run again. The log has one entry for each role
    that an update changes, not one for each permission."""
    for config in all_apps.get_app_configs():
        create_permissions(config, verbosity=0)
    for name, rule in ROLES.items():
        with transaction.atomic(), pgtrigger.ignore(*_TRIGGERS):
            group, is_new = Group.objects.get_or_create(name=name)
            before = set(group.permissions.all())
            group.permissions.set(Permission.objects.filter(rule).exclude(_EVENTS))
            after = set(group.permissions.all())
            if before != after and not is_new:
                record(
                    actor=process_name(sys.argv),
                    action=ROLE_CHANGED,
                    on=group,
                    detail={"added": _codenames(after - before), "removed": _codenames(before - after)},
                )


def _codenames(permissions: set[Permission]) -> list[str]:
    return sorted(permission.codename for permission in permissions)
