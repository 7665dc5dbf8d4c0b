"""What the portal wrote into controllers, in the database: intents before a write, results after it.

So the portal can tell its own entries from others', even after a crash between the two.
"""

from collections.abc import Mapping, Set
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from accessmap.models import Card, Controller, Door, Resource, masked
from doorsync.controllers import unlock
from doorsync.controllers.result import SUSPEND_AFTER, ReconcileResult
from doorsync.drivers.base import Actual
from doorsync.models import (
    BookingFetch,
    ControllerCard,
    ControllerHold,
    ControllerSync,
    FetchTarget,
    Reconciliation,
    UnmanagedCard,
)
from doorsync.models.values import (
    permissions_as_json,
    permissions_of,
    record_as_json,
    record_from_json,
    window_of,
    windows_as_json,
)
from doorsync.policy.plan import Kind, OwnEntries, Plan, Target, pairs_as_json
from doorsync.policy.windows import DoorWindows
from doorsync.work import queue
from portal.audit.models import Entry, Outcome, record
from portal.core import clock
from portal.core.problems import Problem, Problems

State = ControllerCard.State

_FAILED = (State.FAILED, State.UNCONFIRMED)
# A write without an answer may still be carried out by the controller for this long.
WATCHED_FOR = timedelta(hours=1)

_ACTIONS = {Kind.REMOVE: "card.removed", Kind.UPDATE: "card.updated", Kind.ADD: "card.added"}


def load(controller: Controller) -> dict[str, ControllerCard]:
    """The portal's own entries at a controller, by card number."""
    return {row.number: row for row in ControllerCard.objects.filter(controller=controller)}


def own_entries(controller: Controller, rows: Mapping[str, ControllerCard]) -> OwnEntries:
    """The same, and the doors that the portal holds unlocked, as planning needs them."""
    holds = list(ControllerHold.objects.filter(controller=controller))
    states: dict[Target, str] = {number: row.state for number, row in rows.items()}
    states |= {hold.door_number: hold.state for hold in holds}
    return OwnEntries(
        promised={number: permissions_of(row.desired) for number, row in rows.items()},
        holds=frozenset(hold.door_number for hold in holds),
        in_step=frozenset(target for target, state in states.items() if state == State.IN_STEP),
        failed_before=frozenset(target for target, state in states.items() if state in _FAILED),
    )


def as_written(controller: Controller, rows: Mapping[str, ControllerCard]) -> Actual:
    """What a controller that can't list its cards must hold, by what was written there.

    A write that is in doubt becomes an entry that equals no record, so that it is written again.
    """
    cards = {n: record_from_json(row.written) if row.state == State.IN_STEP else {} for n, row in rows.items()}
    known = {n for n, row in rows.items() if row.state != State.IN_STEP or row.written}
    holds = ControllerHold.objects.filter(controller=controller)
    return Actual(
        cards={number: cards[number] for number in known},
        holds={
            row.door_number: tuple(window_of(w) for w in row.desired) if row.state == State.IN_STEP else ()
            for row in holds
        },
    )


@transaction.atomic
def write_intents(controller: Controller, plan: Plan, now: datetime) -> None:
    """Write down what is about to be written, so that after a crash it is still known as the portal's own.

    The row of a change that was refused before, and is tried again, stays as it is.
    """
    rows, cards = load(controller), plan.cards
    new, changed = [], []
    for number, permissions in plan.desired.cards.items():
        if number in cards.unmanaged:
            continue
        desired = permissions_as_json(permissions)
        # A controller without time windows does not hold a card between its windows: then it is to be removed.
        pending = number in cards.add or number in cards.update or number in cards.remove
        state = State.PENDING if pending else State.IN_STEP
        row = rows.get(number)
        if row is None:
            new.append(
                ControllerCard(controller=controller, number=number, desired=desired, state=state, changed_at=now)
            )
        elif row.desired != desired or not (row.state == state or (pending and row.state in _FAILED)):
            row.desired, row.state, row.changed_at = desired, state, now
            if state == State.IN_STEP:
                row.reason, row.confirmed_at = Problems(), now
            changed.append(row)
    for number in rows.keys() - plan.desired.cards.keys():
        row = rows[number]
        if row.desired or (number in cards.remove and row.state not in (State.PENDING, *_FAILED)):
            row.desired, row.changed_at = {}, now
            if number in cards.remove:
                row.state = State.PENDING
            changed.append(row)
    ControllerCard.objects.bulk_create(new)
    ControllerCard.objects.bulk_update(
        changed, ["desired", "state", "changed_at", "reason", "confirmed_at"], batch_size=500
    )
    for door, hold in {**plan.holds.add, **plan.holds.update}.items():
        ControllerHold.objects.update_or_create(
            controller=controller,
            door_number=door,
            defaults={"desired": windows_as_json(hold.get(door, ())), "state": State.PENDING, "changed_at": now},
        )


@transaction.atomic
def save(sync: ControllerSync, result: ReconcileResult, *, next_attempt_at: datetime | None) -> None:
    """Write down the result, in the audit log too, and release the controller.

    A Reconciliation is stored only if something changed or the problems are new.
    """
    controller, now = sync.controller, clock.now()
    # A fetch that enqueues this controller at the same moment either comes before, and is confirmed here, or after,
    # and sees that its generation is observed. Without the lock, it could miss both.
    locked = ControllerSync.objects.select_for_update().get(pk=sync.pk)
    if locked.lease_token != sync.lease_token:
        _save_overtaken(sync, result, now)
        return
    problems = result.problems(_door_names(controller))
    is_news = problems.keys != sync.last_error.keys
    _save_cards(controller, result, now, log_refusals=is_news)
    _save_holds(controller, result)
    if result.plan is not None:
        _forget_absent(controller, result.plan, result.started_at, now)
        _save_unmanaged(controller, result.plan, now)
    doubtful = result.doors_in_doubt()
    if doubtful is not None:
        _confirm_fetches(sync, doubtful, now)
    silent = 0 if result.reached else sync.unreachable + 1
    if problems and is_news:
        record(
            actor="portal",
            action="controller.reconcile",
            on=controller,
            outcome=Outcome.PENDING if result.in_step else Outcome.FAILED,
            reasons=problems,
        )
    changed = bool(result.done or (result.plan and result.plan.confirmed))
    if changed or (problems and is_news):
        _save_reconciliation(sync, result, problems, now)
    changes: dict[str, object] = {}
    if result.plan is not None:
        protection = result.plan.protection
        pairs = pairs_as_json(protection.pending)
        changes["pending_plan"] = {"pairs": pairs} if pairs else None
        # What has ended, or is wanted again, is decided anew the next time.
        if locked.dropped == sync.dropped:
            changes["dropped"] = pairs_as_json(protection.dropped)
        # An approval counts once, for the plan it was given for, whether or not every change worked: what was not
        # removed is no longer promised. An approval given meanwhile is for the next reconciliation.
        if locked.approved == sync.approved:
            changes["approved"] = []
        # Doors that were unlocked for a moment during this reconciliation are looked at when that moment is over.
        moment = unlock.next_end(controller, after=result.started_at)
        changes["next_edge_at"] = min(filter(None, (result.next_edge_at, moment)), default=None)
        changes["clock_skew_seconds"] = result.device.clock_skew_seconds
    queue.release(
        sync,
        observed=result.in_step,
        failures=0 if result.in_step else sync.failures + 1,
        last_error=problems,
        unreachable=silent,
        suspended_until=next_attempt_at if silent >= SUSPEND_AFTER else None,
        next_attempt_at=next_attempt_at,
        succeeded_at=result.started_at if result.in_step else sync.succeeded_at,
        firmware=result.device.firmware or sync.firmware,
        serial=sync.serial or result.device.serial,
        **changes,
    )


def _save_overtaken(sync: ControllerSync, result: ReconcileResult, now: datetime) -> None:
    """The result of a worker whose lease ended: its writes stay known as the portal's own, and are looked at again."""
    Entry.objects.bulk_create(_entries(sync.controller, result, now, log_refusals=True))
    written = {change.target for change in result.done if change.kind is not Kind.REMOVE} | result.unconfirmed.keys()
    ControllerCard.objects.bulk_create(
        (
            ControllerCard(controller=sync.controller, number=target, state=State.UNCONFIRMED, changed_at=now)
            for target in written
            if isinstance(target, str)
        ),
        ignore_conflicts=True,
    )
    ControllerSync.objects.filter(pk=sync.pk).update(generation=F("generation") + 1, enqueued_at=None)


def _save_cards(controller: Controller, result: ReconcileResult, now: datetime, *, log_refusals: bool) -> None:
    rows = ControllerCard.objects.filter(controller=controller)
    entries = _entries(controller, result, now, log_refusals=log_refusals)
    written = _written_cards(result)
    removed = {change.target for change in result.done if change.kind is Kind.REMOVE}
    if result.plan is not None:
        # Without time windows a card is removed between its windows, and is still the portal's own.
        rows.filter(number__in=removed - result.plan.desired.cards.keys()).delete()
    changed = []
    for row in rows.filter(number__in={*written, *result.failed, *result.unconfirmed}):
        if row.number in written:
            row.state, row.reason, row.confirmed_at = State.IN_STEP, Problems(), now
            row.written = record_as_json(written[row.number])
            changed.append(row)
            continue
        is_refused = row.number in result.failed
        state = State.FAILED if is_refused else State.UNCONFIRMED
        reason = Problems([(result.failed if is_refused else result.unconfirmed)[row.number]])
        # A card that is refused every few seconds for the same reason is written once.
        if row.state != state or row.reason.keys != reason.keys:
            row.state, row.reason, row.changed_at = state, reason, now
            changed.append(row)
    rows.bulk_update(changed, ["state", "reason", "changed_at", "confirmed_at", "written"], batch_size=500)
    Entry.objects.bulk_create(entries)


def _written_cards(result: ReconcileResult) -> dict[str, DoorWindows]:
    """The cards that are now known to be as they were written, and how."""
    confirmed = result.plan.confirmed if result.plan else {}
    every = [*confirmed.items(), *((change.target, change.record) for change in result.done)]
    return {target: written for target, written in every if isinstance(target, str)}


def _save_holds(controller: Controller, result: ReconcileResult) -> None:
    rows = ControllerHold.objects.filter(controller=controller)
    for targets, state in ((result.failed, State.FAILED), (result.unconfirmed, State.UNCONFIRMED)):
        for target, why in targets.items():
            if isinstance(target, int):
                rows.filter(door_number=target).update(state=state, reason=why)
    names = _door_names(controller)
    confirmed = result.plan.confirmed if result.plan else {}
    every = [*confirmed.items(), *((change.target, change.record) for change in result.done)]
    for door, hold in every:
        if not isinstance(door, int):
            continue
        if hold:
            rows.filter(door_number=door).update(state=State.IN_STEP, reason=[])
        else:
            rows.filter(door_number=door).exclude(open_until__gt=result.started_at).delete()
        record(
            actor="portal",
            action="door.held_unlocked" if hold else "door.locked",
            on=controller,
            label=names.get(door, f"{controller} {door}"),
            detail={"windows": windows_as_json(hold.get(door, ()))},
        )


def _forget_absent(controller: Controller, plan: Plan, started_at: datetime, now: datetime) -> None:
    """Forget entries that are no longer wanted and that the controller no longer holds.

    Where a write may still be on its way, only after a while: an entry that arrives late must be known as the portal's
    own, to be removed.
    """
    rows = ControllerCard.objects.filter(controller=controller).exclude(number__in={*plan.desired.cards, *plan.present})
    rows.filter(state=State.IN_STEP).delete()
    rows.filter(state=State.GONE, changed_at__lt=now - WATCHED_FOR).delete()
    gone = list(rows.exclude(state=State.GONE).values_list("pk", "number", "confirmed_at"))
    rows.filter(pk__in=[pk for pk, _number, _at in gone]).update(state=State.GONE, changed_at=now)
    seen = {number: "card.removed" for _pk, number, confirmed_at in gone if confirmed_at}
    Entry.objects.bulk_create(_card_entries(controller, seen, {}, now))
    ControllerHold.objects.filter(controller=controller).exclude(
        Q(door_number__in=plan.doors_held) | Q(open_until__gt=started_at)
    ).filter(Q(state=State.IN_STEP) | Q(changed_at__lt=now - WATCHED_FOR)).delete()


def _save_unmanaged(controller: Controller, plan: Plan, now: datetime) -> None:
    rows = UnmanagedCard.objects.filter(controller=controller)
    rows.exclude(number__in=plan.cards.unmanaged).delete()
    UnmanagedCard.objects.bulk_create(
        (
            UnmanagedCard(
                controller=controller,
                number=number,
                held=record_as_json(held),
                wanted=number in plan.contested,
                first_seen_at=now,
            )
            for number, held in plan.cards.unmanaged.items()
        ),
        update_conflicts=True,
        unique_fields=["controller", "number"],
        update_fields=["held", "wanted"],
    )


def _confirm_fetches(sync: ControllerSync, doubtful: Set[int], now: datetime) -> None:
    """Confirm the fetches whose changes this controller now holds, once every controller has confirmed them.

    Fetches of resources behind one of the doubtful doors (numbers) are not confirmed.
    """
    targets = FetchTarget.objects.filter(
        controller=sync.controller_id, generation__lte=sync.generation, confirmed_at__isnull=True
    )
    if doubtful:
        doors = Door.objects.filter(controller=sync.controller_id, number__in=doubtful)
        targets = targets.exclude(fetch__resource__in=Resource.objects.filter(doors__in=doors))
    fetch_of = dict(targets.values_list("pk", "fetch_id"))
    if not fetch_of:
        return
    fetches = set(fetch_of.values())
    # Two controllers of one resource finishing at once must see each other's confirmation.
    list(BookingFetch.objects.select_for_update().filter(pk__in=fetches).order_by("pk").values_list("pk"))
    FetchTarget.objects.filter(pk__in=fetch_of).update(confirmed_at=now)
    BookingFetch.objects.filter(pk__in=fetches, confirmed_at__isnull=True).exclude(
        targets__confirmed_at__isnull=True
    ).update(confirmed_at=now)


def _save_reconciliation(sync: ControllerSync, result: ReconcileResult, problems: Problems, now: datetime) -> None:
    kinds = [change.kind for change in result.done]
    plan = result.plan
    Reconciliation.objects.create(
        controller=sync.controller,
        generation=sync.generation,
        started_at=result.started_at,
        finished_at=now,
        unchanged=len(plan.cards.unchanged) if plan else 0,
        added=kinds.count(Kind.ADD),
        updated=kinds.count(Kind.UPDATE),
        removed=kinds.count(Kind.REMOVE),
        failed=len(result.failed),
        unconfirmed=len(result.unconfirmed),
        unmanaged=len(plan.cards.unmanaged) if plan else 0,
        pending=len({card for card, _door in result.pending}),
        last_error=problems,
    )


def _entries(controller: Controller, result: ReconcileResult, now: datetime, *, log_refusals: bool) -> list[Entry]:
    """Audit entries for the cards that were changed at the controller.

    `log_refusals`: whether refusals are news. A controller that keeps refusing is tried again and again.
    """
    confirmed = result.plan.confirmed if result.plan else {}
    actions = {target: "card.confirmed" for target in confirmed if isinstance(target, str)}
    actions |= {change.target: _ACTIONS[change.kind] for change in result.done if isinstance(change.target, str)}
    refused = {target: why for target, why in result.failed.items() if isinstance(target, str)}
    return _card_entries(controller, actions, refused if log_refusals else {}, now)


def _card_entries(
    controller: Controller, actions: Mapping[str, str], refused: Mapping[str, Problem], now: datetime
) -> list[Entry]:
    """One entry for each card: whose it is, which doors, from when until when, and why."""
    numbers = {*actions, *refused}
    if not numbers:
        return []
    holders = dict(Card.objects.filter(number__in=numbers).values_list("number", "cardholder__name"))
    rows = ControllerCard.objects.filter(controller=controller, number__in=numbers)
    desired = {row.number: row.desired for row in rows}
    names = _door_names(controller)

    def entry(action: str, card: str, outcome: Outcome, reasons: list[Problem]) -> Entry:
        doors = desired.get(card, {}) if action != "card.removed" else {}
        return Entry(
            at=now,
            actor="portal",
            action=action,
            object_type=controller._meta.label,
            object_id=str(controller.pk),
            object_label=f"{controller.name}: {holders.get(card, '')} {masked(card)}"[:300],
            outcome=outcome,
            reasons=reasons,
            detail={"doors": {names.get(int(d), d): w for d, w in doors.items()}, "card": masked(card)},
        )

    return [
        *(entry(action, card, Outcome.DONE, []) for card, action in actions.items()),
        *(entry("card.refused", card, Outcome.FAILED, [why]) for card, why in refused.items() if card in holders),
    ]


def _door_names(controller: Controller) -> dict[int, str]:
    return dict(Door.objects.filter(controller=controller).values_list("number", "name"))
