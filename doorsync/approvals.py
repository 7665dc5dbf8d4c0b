"""What a person decides: a doubtful list is right, a plan that takes much away may go ahead."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accessmap.models import Controller
from doorsync import asking
from doorsync.drivers import driver_for
from doorsync.drivers.base import BadOptions
from doorsync.models import ControllerSync, ResourceSync
from portal.audit.models import record


@transaction.atomic
def believe(rows: QuerySet[ResourceSync], *, actor: str) -> int:
    """Take Offision's next list for these resources as it comes. How many were held."""
    held = list(rows.exclude(held_reason="").select_for_update(of=("self",)).select_related("resource"))
    chosen = ResourceSync.objects.filter(pk__in=[row.pk for row in held])
    chosen.update(approved=True)
    asking.ask_at_once(chosen)
    for row in held:
        record(actor=actor, action="bookings.approve", on=row.resource, reasons=[row.held_reason])
    return len(held)


@transaction.atomic
def approve(rows: QuerySet[ControllerSync], *, actor: str) -> int:
    """Let the plans held for these controllers go ahead, as they stand. How many were held."""
    held = list(rows.filter(held_plan__isnull=False).select_for_update(of=("self",)).select_related("controller"))
    for row in held:
        assert row.held_plan is not None
        ControllerSync.objects.filter(pk=row.pk).update(approved_digest=row.held_plan["digest"])
        record(actor=actor, action="plan.approve", on=row.controller, reasons=[row.trouble])
    asking.ask_at_once(ControllerSync.objects.filter(pk__in=[row.pk for row in held]))
    return len(held)


def revocation_in_words(controller: Controller) -> str:
    """Whether cards lapse by themselves at this controller, or the portal must be there to take them away."""
    try:
        driver = driver_for(controller)
    except BadOptions as error:
        return str(error)
    driver.close()
    if driver.capabilities.acts_at_edges:
        return _("depends on the portal being up")
    return _("by the controller itself, when the time is over")
