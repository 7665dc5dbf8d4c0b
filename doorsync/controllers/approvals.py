"""What staff decide about controllers: approve or drop a plan, adopt cards, forget a device, suspend, reconcile now."""

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accessmap.models import Controller, masked
from doorsync.controllers.problems import FORGOTTEN
from doorsync.drivers import driver_for
from doorsync.drivers.base import BadOptions
from doorsync.models import ControllerCard, ControllerHold, ControllerSync, UnmanagedCard
from doorsync.work import queue
from portal.audit.models import record
from portal.core import clock
from portal.core.problems import QUOTED


@transaction.atomic
def approve(rows: QuerySet[ControllerSync], *, actor: str) -> int:
    """Approve what the pending plans of these controllers take away. How many plans were pending."""
    with_plan = rows.filter(pending_plan__isnull=False).order_by("pk")
    pending = list(with_plan.select_for_update(of=("self",)).select_related("controller"))
    for row in pending:
        assert row.pending_plan is not None
        ControllerSync.objects.filter(pk=row.pk).update(approved=row.pending_plan["pairs"])
        record(actor=actor, action="plan.approve", on=row.controller, reasons=row.last_error)
    queue.enqueue(ControllerSync.objects.filter(pk__in=[row.pk for row in pending]), at_once=True)
    return len(pending)


@transaction.atomic
def drop(controller: Controller, *, reason: str, actor: str) -> bool:
    """Keep what the pending plan of a controller would take away, until the ends that were promised.

    What has no end goes on waiting for approval. Whether a plan was pending.
    """
    row = ControllerSync.objects.select_for_update().filter(controller=controller, pending_plan__isnull=False).first()
    if row is None or row.pending_plan is None:
        return False
    dropped = sorted([*row.dropped, *(pair for pair in row.pending_plan["pairs"] if pair not in row.dropped)])
    queue.enqueue(ControllerSync.objects.filter(pk=row.pk), at_once=True, dropped=dropped)
    record(actor=actor, action="plan.drop", on=controller, reasons=[QUOTED(text=reason), *row.last_error])
    return True


@transaction.atomic
def reconsider(controller: Controller, *, actor: str) -> int:
    """Forget which plans staff dropped; the next plan is pending again if it takes much away. How many pairs."""
    row = ControllerSync.objects.select_for_update().get(controller=controller)
    count = len(row.dropped)
    if count:
        queue.enqueue(ControllerSync.objects.filter(pk=row.pk), at_once=True, dropped=[])
        record(actor=actor, action="plan.reconsider", on=controller)
    return count


@transaction.atomic
def adopt(rows: QuerySet[UnmanagedCard], *, actor: str) -> int:
    """Make these entries, which the portal did not write, its own from now on. How many.

    They then follow the bookings: a card that none admits is removed from the controller.
    """
    # Locked in the order of a reconciliation's end: the controller's row first, then its cards.
    controllers = ControllerSync.objects.filter(controller__in=rows.values("controller"))
    list(controllers.select_for_update().order_by("pk").values_list("pk"))
    adopted = list(rows.select_for_update(of=("self",)).select_related("controller").order_by("pk"))
    now = clock.now()
    ControllerCard.objects.bulk_create(
        (
            ControllerCard(
                controller=row.controller, number=row.number, state=ControllerCard.State.PENDING, changed_at=now
            )
            for row in adopted
        ),
        ignore_conflicts=True,
    )
    for row in adopted:
        record(
            actor=actor,
            action="card.adopt",
            on=row.controller,
            label=f"{row.controller.name}: {masked(row.number)}",
            detail={"held": row.held},
        )
    UnmanagedCard.objects.filter(pk__in=[row.pk for row in adopted]).delete()
    queue.enqueue(ControllerSync.objects.filter(controller__in={row.controller_id for row in adopted}), at_once=True)
    return len(adopted)


@transaction.atomic
def forget_devices(rows: QuerySet[ControllerSync], *, actor: str) -> int:
    """Forget what the portal wrote into these controllers' devices, which were replaced or are dead. How many.

    Only where there is an error or the controller is disabled: the portal itself empties a device that answers. What a
    forgotten device still holds goes on admitting, and no longer counts as the portal's own.
    """
    now = clock.now()
    # A lease that has ended is a dead worker's, and does not protect the row.
    idle = Q(leased_until__isnull=True) | Q(leased_until__lte=now)
    forgettable = rows.filter(idle, ~Q(last_error=[]) | Q(controller__enabled=False))
    forgotten = list(forgettable.select_for_update(of=("self",)).select_related("controller").order_by("pk"))
    for row in forgotten:
        cards = ControllerCard.objects.filter(controller=row.controller)
        count = cards.count()
        cards.delete()
        ControllerHold.objects.filter(controller=row.controller).delete()
        UnmanagedCard.objects.filter(controller=row.controller).delete()
        record(
            actor=actor,
            action="controller.forget",
            on=row.controller,
            reasons=[FORGOTTEN(n=count, serial=row.serial or "?")],
        )
    queue.enqueue(
        ControllerSync.objects.filter(pk__in=[row.pk for row in forgotten]),
        at_once=True,
        serial="",
        pending_plan=None,
        approved=[],
        dropped=[],
        lease_token=None,
        leased_until=None,
    )
    return len(forgotten)


@transaction.atomic
def enable(controller: Controller, *, enabled: bool, reason: str, actor: str) -> None:
    """Resume a controller, or suspend it: the portal leaves it as it is until it is resumed."""
    Controller.objects.filter(pk=controller.pk).update(enabled=enabled)
    if enabled:
        queue.enqueue(ControllerSync.objects.filter(controller=controller), at_once=True)
    record(
        actor=actor,
        action="controller.resume" if enabled else "controller.suspend",
        on=controller,
        reasons=[QUOTED(text=reason)] if reason else [],
    )


@transaction.atomic
def reconcile_now(rows: QuerySet[ControllerSync], *, actor: str) -> int:
    """Reconcile these controllers now. How many."""
    controllers = Controller.objects.filter(pk__in=queue.enqueue(rows, at_once=True))
    for controller in controllers:
        record(actor=actor, action="work.requested", on=controller)
    return len(controllers)


def revocation_sentence(controller: Controller) -> str:
    """Whether cards lapse by themselves at this controller, or the portal must be up to remove them."""
    try:
        driver = driver_for(controller, clock.now())
    except BadOptions as error:
        return str(error)
    driver.close()
    if driver.capabilities.ends_by_itself:
        return _("by the controller itself, when the time is over")
    return _("depends on the portal being up")
