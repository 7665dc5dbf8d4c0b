"""What the portal wrote into a controller, kept in the database: intents before a write, outcomes after it.

The ledger is how the portal knows its own entries from others', also after a crash between the two.
"""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from accessmap.models import Card, Controller, Door, Resource, masked
from doorsync.controllers import unlock
from doorsync.controllers.result import SUSPEND_AFTER, Round, door_name, is_door
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
from doorsync.policy.diff import Diff
from doorsync.policy.windows import Permission, Record, Window
from doorsync.work import queue
from portal.audit.models import Entry, Outcome, record
from portal.core import clock
from portal.core.problems import QUOTED

State = ControllerCard.State

_TROUBLED = (State.FAILED, State.UNCONFIRMED)
# A write of which nobody knows whether it arrived may yet be carried out for so long.
WATCHED_FOR = timedelta(hours=1)


def load(controller: Controller) -> dict[str, ControllerCard]:
    """The portal's own entries at a controller, by card number."""
    return {row.number: row for row in ControllerCard.objects.filter(controller=controller)}


def owned_holds(controller: Controller) -> dict[int, str]:
    """The doors whose being held unlocked is the portal's affair, and how it stands with that (State)."""
    return dict(ControllerHold.objects.filter(controller=controller).values_list("door_number", "state"))


def promised(rows: Mapping[str, ControllerCard]) -> dict[str, dict[int, tuple[Permission, ...]]]:
    """What each card was last meant to be admitted to."""
    return {
        number: {int(door): tuple(_permission(p) for p in found) for door, found in row.desired.items()}
        for number, row in rows.items()
    }


def in_doubt(controller: Controller, rows: Mapping[str, ControllerCard]) -> set[str]:
    """The cards, and doors held unlocked, with which the last round had trouble; by their names in a Round."""
    holds = ControllerHold.objects.filter(controller=controller, state__in=_TROUBLED)
    doors = {door_name(number) for number in holds.values_list("door_number", flat=True)}
    return doors | {number for number, row in rows.items() if row.state in _TROUBLED}


def as_written(controller: Controller, rows: Mapping[str, ControllerCard]) -> Actual:
    """What a controller that can't be asked must hold by what was written there. Where a write is in doubt, an entry
    that equals none, so that it is written again."""
    cards = {n: _record(row.written) if row.state == State.IN_STEP else {} for n, row in rows.items()}
    known = {n for n, row in rows.items() if row.state != State.IN_STEP or row.written}
    holds = ControllerHold.objects.filter(controller=controller)
    return Actual(
        cards={number: cards[number] for number in known},
        holds={
            row.door_number: tuple(_window(w) for w in row.desired) if row.state == State.IN_STEP else ()
            for row in holds
        },
    )


@transaction.atomic
def write_intents(
    controller: Controller, rows: Mapping[str, ControllerCard], outcome: Round, cards: Diff[str], holds: Diff[int]
) -> None:
    """Note what is about to be written, so that after a crash it is still known for the portal's own."""
    now = outcome.started_at
    new, changed = [], []
    for number, doors in outcome.desired.cards.items():
        if number in cards.unmanaged:
            continue
        wanted = {str(door): [_as_json(p) for p in found] for door, found in sorted(doors.items())}
        # Without time windows a card is taken out between its windows.
        pending = number in cards.add or number in cards.update or number in cards.remove
        state = State.PENDING if pending else State.IN_STEP
        row = rows.get(number)
        if row is None:
            new.append(
                ControllerCard(controller=controller, number=number, desired=wanted, state=state, changed_at=now)
            )
        elif row.desired != wanted or row.state != state:
            row.desired, row.state, row.changed_at = wanted, state, now
            if state == State.IN_STEP:
                row.reason, row.confirmed_at = "", now
            changed.append(row)
    for number in rows.keys() - outcome.desired.cards.keys():
        row = rows[number]
        if row.desired or (number in cards.remove and row.state != State.PENDING):
            row.desired, row.changed_at = {}, now
            if number in cards.remove:
                row.state = State.PENDING
            changed.append(row)
    ControllerCard.objects.bulk_create(new)
    ControllerCard.objects.bulk_update(
        changed, ["desired", "state", "changed_at", "reason", "confirmed_at"], batch_size=500
    )
    for door, hold in {**holds.add, **holds.update}.items():
        ControllerHold.objects.update_or_create(
            controller=controller,
            door_number=door,
            defaults={
                "desired": [[_iso(w.start), _iso(w.end)] for w in hold.get(door, ())],
                "state": State.PENDING,
                "changed_at": now,
            },
        )


@transaction.atomic
def close_round(sync: ControllerSync, outcome: Round, *, next_attempt_at: datetime | None) -> None:
    """Write down what came of a round, in the log too, and give the controller back. News makes a report."""
    controller, now = sync.controller, clock.now()
    # A fetch that asks for this controller at the same moment either comes before, and is confirmed here, or after,
    # and sees that its generation is done. Without the lock it could fall between, and wait for ever.
    locked = ControllerSync.objects.select_for_update().get(pk=sync.pk)
    if locked.lease_token != sync.lease_token:
        _close_overtaken(sync, outcome, now)
        return
    problem = _in_words(controller, outcome)
    is_new = problem != sync.last_error
    _close_cards(controller, outcome, now, tell_refusals=is_new)
    _close_holds(controller, outcome)
    if outcome.read:
        _close_leftovers(controller, outcome, now)
        _note_unmanaged(controller, outcome, now)
    doubtful = outcome.doors_in_doubt()
    if doubtful is not None:
        _confirm(sync, doubtful, now)
    silent = 0 if outcome.reached else sync.unreachable + 1
    if problem and is_new:
        record(
            actor="portal",
            action="controller.reconcile",
            on=controller,
            outcome=Outcome.HELD if outcome.in_order else Outcome.FAILED,
            reasons=[problem],
        )
    if outcome.done or outcome.holds_done or (problem and is_new):
        _report(sync, outcome, problem, now)
    changes: dict[str, object] = {}
    if outcome.read:
        pairs = sorted(map(list, outcome.held))
        changes["pending_plan"] = {"pairs": pairs} if pairs else None
        # What has ended, or is wanted again, is decided anew the next time.
        if locked.dropped == sync.dropped:
            changes["dropped"] = sorted(map(list, outcome.dropped))
        # Doors that were unlocked for a moment while this round ran, or are still, are looked at after it.
        moment = unlock.next_end(controller, after=outcome.started_at)
        changes["next_edge_at"] = min(filter(None, (outcome.next_edge_at, moment)), default=None)
        changes["clock_skew_seconds"] = outcome.clock_skew
    # An approval is for what was held, once. One that was given while this round ran is not this round's to take away.
    if outcome.in_order and locked.approved == sync.approved:
        changes["approved"] = []
    queue.release(
        sync,
        answered=outcome.in_order,
        failures=0 if outcome.in_order else sync.failures + 1,
        last_error=problem,
        unreachable=silent,
        suspended_until=next_attempt_at if silent >= SUSPEND_AFTER else None,
        next_attempt_at=next_attempt_at,
        succeeded_at=outcome.started_at if outcome.in_order else sync.succeeded_at,
        firmware=outcome.firmware or sync.firmware,
        serial=sync.serial or outcome.serial,
        **changes,
    )


def _close_overtaken(sync: ControllerSync, outcome: Round, now: datetime) -> None:
    """The end of a round whose claim lapsed: what it wrote stays known for the portal's own, and is looked at again."""
    Entry.objects.bulk_create(_log_entries(sync.controller, outcome, now, tell_refusals=True))
    touched = {card for kind, card in outcome.done if kind != "removed"} | outcome.unconfirmed.keys()
    ControllerCard.objects.bulk_create(
        (
            ControllerCard(controller=sync.controller, number=card, state=State.UNCONFIRMED, changed_at=now)
            for card in touched
            if not is_door(card)
        ),
        ignore_conflicts=True,
    )
    ControllerSync.objects.filter(pk=sync.pk).update(generation=F("generation") + 1, enqueued_at=None)


def _close_cards(controller: Controller, outcome: Round, now: datetime, *, tell_refusals: bool) -> None:
    rows = ControllerCard.objects.filter(controller=controller)
    log = _log_entries(controller, outcome, now, tell_refusals=tell_refusals)
    removed = {card for kind, card in outcome.done if kind == "removed"}
    # Without time windows a card is taken out between its windows, and is still the portal's.
    rows.filter(number__in=removed - outcome.desired.cards.keys()).delete()
    written = {card: record for (_kind, card), record in outcome.done.items()}
    done = list(rows.filter(number__in=written))
    for row in done:
        row.state, row.reason, row.confirmed_at = State.IN_STEP, "", now
        row.written = {str(d): [[_iso(w.start), _iso(w.end)] for w in some] for d, some in written[row.number].items()}
    rows.bulk_update(done, ["state", "reason", "confirmed_at", "written"], batch_size=500)
    for names, state in ((outcome.failed, State.FAILED), (outcome.unconfirmed, State.UNCONFIRMED)):
        for name, why in names.items():
            rows.filter(number=name).update(state=state, reason=why, changed_at=now)
    Entry.objects.bulk_create(log)


def _close_holds(controller: Controller, outcome: Round) -> None:
    rows = ControllerHold.objects.filter(controller=controller)
    for row in rows:
        for names, state in ((outcome.failed, State.FAILED), (outcome.unconfirmed, State.UNCONFIRMED)):
            if why := names.get(door_name(row.door_number)):
                rows.filter(pk=row.pk).update(state=state, reason=why)
    for door, held in outcome.holds_done.items():
        if held:
            rows.filter(door_number=door).update(state=State.IN_STEP, reason="")
        else:
            rows.filter(door_number=door).exclude(open_until__gt=outcome.started_at).delete()
        record(
            actor="portal",
            action="door.held_unlocked" if held else "door.let_lock",
            on=controller,
            label=_door_names(controller).get(door, f"{controller} {door}"),
            detail={"windows": [[_iso(w.start), _iso(w.end)] for w in held.get(door, ())]},
        )


def _close_leftovers(controller: Controller, outcome: Round, now: datetime) -> None:
    """Forget what is wanted no more and what the controller no longer holds either; but where a write may still be on
    its way, only after a while: an entry that comes late must be known for the portal's own, to be taken out."""
    rows = ControllerCard.objects.filter(controller=controller).exclude(
        number__in={*outcome.desired.cards, *outcome.present}
    )
    rows.filter(state=State.IN_STEP).delete()
    rows.filter(state=State.GONE, changed_at__lt=now - WATCHED_FOR).delete()
    gone = list(rows.exclude(state=State.GONE).values_list("pk", "number", "confirmed_at"))
    rows.filter(pk__in=[pk for pk, _number, _at in gone]).update(state=State.GONE, changed_at=now)
    seen = Round(started_at=now, desired=outcome.desired)
    seen.done = {("removed", number): {} for _pk, number, confirmed_at in gone if confirmed_at}
    Entry.objects.bulk_create(_log_entries(controller, seen, now, tell_refusals=False))
    ControllerHold.objects.filter(controller=controller).exclude(
        Q(door_number__in=outcome.doors_held) | Q(open_until__gt=outcome.started_at)
    ).filter(Q(state=State.IN_STEP) | Q(changed_at__lt=now - WATCHED_FOR)).delete()


def _note_unmanaged(controller: Controller, outcome: Round, now: datetime) -> None:
    rows = UnmanagedCard.objects.filter(controller=controller)
    rows.exclude(number__in=outcome.unmanaged).delete()
    UnmanagedCard.objects.bulk_create(
        (
            UnmanagedCard(
                controller=controller,
                number=number,
                held={str(d): [[_iso(w.start), _iso(w.end)] for w in found] for d, found in held.items()},
                wanted=number in outcome.contested,
                first_seen_at=now,
            )
            for number, held in outcome.unmanaged.items()
        ),
        update_conflicts=True,
        unique_fields=["controller", "number"],
        update_fields=["held", "wanted"],
    )


def _confirm(sync: ControllerSync, doubtful: Set[int], now: datetime) -> None:
    """The fetches whose changes this controller now holds; those that waited for it alone are confirmed.

    Fetches of resources behind one of the doubtful doors (by number) are not.
    """
    targets = FetchTarget.objects.filter(
        controller=sync.controller_id, generation__lte=sync.generation, confirmed_at__isnull=True
    )
    if doubtful:
        doors = Door.objects.filter(controller=sync.controller_id, number__in=doubtful)
        targets = targets.exclude(fetch__resource__in=Resource.objects.filter(doors__in=doors))
    found = dict(targets.values_list("pk", "fetch_id"))
    if not found:
        return
    fetches = set(found.values())
    # Two controllers of one resource finishing at once must see each other's confirmation.
    list(BookingFetch.objects.select_for_update().filter(pk__in=fetches).order_by("pk").values_list("pk"))
    FetchTarget.objects.filter(pk__in=found).update(confirmed_at=now)
    BookingFetch.objects.filter(pk__in=fetches, confirmed_at__isnull=True).exclude(
        targets__confirmed_at__isnull=True
    ).update(confirmed_at=now)


def _report(sync: ControllerSync, outcome: Round, problem: str, now: datetime) -> None:
    kinds = [kind for kind, _card in outcome.done]
    Reconciliation.objects.create(
        controller=sync.controller,
        generation=sync.generation,
        started_at=outcome.started_at,
        finished_at=now,
        unchanged=outcome.unchanged,
        added=kinds.count("added"),
        updated=kinds.count("updated"),
        removed=kinds.count("removed"),
        failed=len(outcome.failed),
        unconfirmed=len(outcome.unconfirmed),
        unmanaged=len(outcome.unmanaged),
        held=len({card for card, _door in outcome.held}),
        last_error=problem,
    )


def _in_words(controller: Controller, outcome: Round) -> str:
    """Everything that is not as it should be, for staff; "" where all is well."""
    sentences = [outcome.last_error] if outcome.last_error else []
    sentences += outcome.warnings
    for names, form in ((outcome.failed, outcome.FAILED), (outcome.unconfirmed, outcome.UNCONFIRMED)):
        if names:
            sentences.append(str(form) % {"n": len(names), "why": next(iter(names.values()))})
    if outcome.held:
        sentences.append(str(outcome.HELD) % {"n": len({card for card, _door in outcome.held})})
    if outcome.contested:
        sentences.append(str(outcome.CONTESTED) % {"n": len(outcome.contested)})
    if outcome.foreign_holds:
        known = _door_names(controller)
        doors = ", ".join(known.get(door, str(door)) for door in sorted(outcome.foreign_holds))
        sentences.append(str(outcome.FOREIGN_HOLDS) % {"doors": doors})
    return " ".join(sentences)


def _log_entries(controller: Controller, outcome: Round, now: datetime, *, tell_refusals: bool) -> list[Entry]:
    """One entry for each card that was changed at the controller: whose, which doors, from when until when, why.

    Refusals are told when they are news: a controller that keeps refusing is tried again and again.
    """
    if not (outcome.done or outcome.failed):
        return []
    numbers = {card for _kind, card in outcome.done} | outcome.failed.keys()
    people = dict(Card.objects.filter(number__in=numbers).values_list("number", "cardholder__name"))
    rows = ControllerCard.objects.filter(controller=controller, number__in=numbers)
    desired = {row.number: row.desired for row in rows}
    names = _door_names(controller)

    def entry(action: str, card: str, result: Outcome, reasons: list[str]) -> Entry:
        doors = desired.get(card, {}) if action != "card.removed" else {}
        return Entry(
            at=now,
            actor="portal",
            action=action,
            object_type=controller._meta.label,
            object_id=str(controller.pk),
            object_label=f"{controller.name}: {people.get(card, '')} {masked(card)}"[:300],
            outcome=result,
            reasons=[QUOTED(text=why) for why in reasons],
            detail={"doors": {names.get(int(d), d): w for d, w in doors.items()}, "card": masked(card)},
        )

    return [
        *(entry(f"card.{kind}", card, Outcome.DONE, []) for kind, card in outcome.done),
        *(
            entry("card.refused", card, Outcome.FAILED, [why])
            for card, why in outcome.failed.items()
            if card in people and tell_refusals
        ),
    ]


def _door_names(controller: Controller) -> dict[int, str]:
    return dict(Door.objects.filter(controller=controller).values_list("number", "name"))


def _as_json(permission: Permission) -> list[Any]:
    return [_iso(permission.window.start), _iso(permission.window.end), list(permission.causes)]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _permission(stored: Sequence[Any]) -> Permission:
    return Permission(_window(stored[:2]), tuple(stored[2]))


def _record(written: Mapping[str, Any] | None) -> Record:
    return {int(door): tuple(_window(w) for w in found) for door, found in (written or {}).items()}


def _window(stored: Sequence[str | None]) -> Window:
    start, end = (None if moment is None else datetime.fromisoformat(moment) for moment in stored)
    return Window(start, end)
