"""What a person decides: a doubtful list is right, a plan that takes much away may go ahead."""

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accessmap.models import Controller, masked
from doorsync.drivers import driver_for
from doorsync.drivers.base import BadOptions
from doorsync.models import (
    ControllerCard,
    ControllerHold,
    ControllerSync,
    ResourceSync,
    UnmanagedCard,
)
from doorsync.work import queue
from portal.audit.models import record
from portal.core import clock


@transaction.atomic
def approve(rows: QuerySet[ControllerSync], *, actor: str) -> int:
    """Let what the plans held for these controllers take away be taken away. How many were held."""
    held = list(rows.filter(pending_plan__isnull=False).select_for_update(of=("self",)).select_related("controller"))
    for row in held:
        assert row.pending_plan is not None
        ControllerSync.objects.filter(pk=row.pk).update(approved=row.pending_plan["pairs"])
        record(actor=actor, action="plan.approve", on=row.controller, reasons=[row.last_error])
    queue.enqueue_now(ControllerSync.objects.filter(pk__in=[row.pk for row in held]))
    return len(held)


@transaction.atomic
def drop(controller: Controller, *, reason: str, actor: str) -> bool:
    """Have the cards keep what the plan held for this controller would take away, until the ends that were promised.

    What has no end goes on waiting for an approval. Whether a plan was held.
    """
    row = ControllerSync.objects.select_for_update().filter(controller=controller, pending_plan__isnull=False).first()
    if row is None or row.pending_plan is None:
        return False
    row.dropped = sorted([*row.dropped, *(pair for pair in row.pending_plan["pairs"] if pair not in row.dropped)])
    row.save(update_fields=["dropped"])
    queue.enqueue_now(ControllerSync.objects.filter(pk=row.pk))
    record(actor=actor, action="plan.drop", on=controller, reasons=[reason, row.last_error])
    return True


@transaction.atomic
def reconsider(controller: Controller, *, actor: str) -> int:
    """Have what staff dropped decided anew: by the plan, which is held again where it takes much away. How many."""
    row = ControllerSync.objects.select_for_update().get(controller=controller)
    count = len(row.dropped)
    if count:
        ControllerSync.objects.filter(pk=row.pk).update(dropped=[])
        queue.enqueue_now(ControllerSync.objects.filter(pk=row.pk))
        record(actor=actor, action="plan.take_up", on=controller)
    return count


@transaction.atomic
def adopt(rows: QuerySet[UnmanagedCard], *, actor: str) -> int:
    """Take these entries, which the portal did not write, for its own from now on. How many.

    They then follow the bookings: a card that none admits is taken out of the controller.
    """
    chosen = list(rows.select_for_update(of=("self",)).select_related("controller"))
    now = clock.now()
    ControllerCard.objects.bulk_create(
        (
            ControllerCard(
                controller=row.controller, number=row.number, state=ControllerCard.State.PENDING, changed_at=now
            )
            for row in chosen
        ),
        ignore_conflicts=True,
    )
    for row in chosen:
        record(
            actor=actor,
            action="card.adopt",
            on=row.controller,
            label=f"{row.controller.name}: {masked(row.number)}",
            detail={"held": row.held},
        )
    UnmanagedCard.objects.filter(pk__in=[row.pk for row in chosen]).delete()
    queue.enqueue_now(ControllerSync.objects.filter(controller__in={row.controller_id for row in chosen}))
    return len(chosen)


@transaction.atomic
def forget_boxes(rows: QuerySet[ControllerSync], *, actor: str) -> int:
    """Forget what the portal wrote into these controllers' boxes, which were replaced or are dead. How many.

    Only where there is trouble or the controller is disabled: a box that answers is emptied by the portal itself. What
    a forgotten box still holds it goes on to admit, and the portal no longer takes it for its own.
    """
    chosen = rows.filter(~Q(last_error="") | Q(controller__enabled=False), lease_token__isnull=True)
    held = list(chosen.select_for_update(of=("self",)).select_related("controller"))
    for row in held:
        cards = ControllerCard.objects.filter(controller=row.controller)
        count = cards.count()
        cards.delete()
        ControllerHold.objects.filter(controller=row.controller).delete()
        UnmanagedCard.objects.filter(controller=row.controller).delete()
        record(
            actor=actor,
            action="controller.forget",
            on=row.controller,
            reasons=[
                _("%(n)d cards of serial number %(serial)s forgotten.") % {"n": count, "serial": row.serial or "?"}
            ],
        )
    changed = ControllerSync.objects.filter(pk__in=[row.pk for row in held])
    changed.update(serial="", pending_plan=None, approved=[], dropped=[])
    queue.enqueue_now(changed)
    return len(held)


@transaction.atomic
def enable(controller: Controller, *, enabled: bool, reason: str, actor: str) -> None:
    """Speak to a controller again, or leave it as it is until then."""
    Controller.objects.filter(pk=controller.pk).update(enabled=enabled)
    if enabled:
        queue.enqueue_now(ControllerSync.objects.filter(controller=controller))
    record(
        actor=actor,
        action="controller.resume" if enabled else "controller.suspend",
        on=controller,
        reasons=[reason] if reason else [],
    )


@transaction.atomic
def look(rows: QuerySet[ResourceSync] | QuerySet[ControllerSync], *, actor: str) -> None:
    """Have these fetched or reconciled now, on a person's word."""
    queue.enqueue_now(rows)
    for row in rows:
        what = row.resource if isinstance(row, ResourceSync) else row.controller
        record(actor=actor, action="look.now", on=what)


def revocation_in_words(controller: Controller) -> str:
    """Whether cards lapse by themselves at this controller, or the portal must be there to take them away."""
    try:
        driver = driver_for(controller, clock.now())
    except BadOptions as error:
        return str(error)
    driver.close()
    if driver.capabilities.ends_by_itself:
        return _("by the controller itself, when the time is over")
    return _("depends on the portal being up")
