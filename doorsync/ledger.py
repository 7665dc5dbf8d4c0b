"""What the portal wrote into a controller, kept in the database: intents before a write, outcomes after it.

The ledger is how the portal knows its own entries from others', also after a crash between the two.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from accessmap.models import Card, Controller, Door, masked
from doorsync import asking
from doorsync.diff import Diff
from doorsync.models import (
    ControllerCard,
    ControllerHold,
    ControllerSync,
    Refresh,
    RefreshTarget,
    Report,
    UnmanagedCard,
)
from doorsync.planning import Desired, Permission, Window
from doorsync.rounds import SUSPEND_AFTER, Round, door_name
from portal import clock
from portal.audit.models import Entry, Outcome, record

State = ControllerCard.State


def load(controller: Controller) -> dict[str, ControllerCard]:
    """The portal's own entries at a controller, by card number."""
    return {row.number: row for row in ControllerCard.objects.filter(controller=controller)}


def owned_holds(controller: Controller) -> set[int]:
    """The doors whose being held unlocked is the portal's affair."""
    return set(ControllerHold.objects.filter(controller=controller).values_list("door_number", flat=True))


def promised(rows: Mapping[str, ControllerCard]) -> dict[str, dict[int, tuple[Window, ...]]]:
    """What each card was last meant to be admitted to."""
    return {
        number: {int(door): tuple(_window(w) for w in found) for door, found in row.desired.items()}
        for number, row in rows.items()
    }


@transaction.atomic
def write_intents(
    controller: Controller,
    rows: Mapping[str, ControllerCard],
    desired: Desired,
    cards: Diff[str],
    holds: Diff[int],
    *,
    now: datetime,
) -> None:
    """Note what is about to be written, so that after a crash it is still known for the portal's own."""
    new, changed = [], []
    for number, doors in desired.cards.items():
        if number in cards.unmanaged:
            continue
        wanted = {str(door): [_as_json(p) for p in found] for door, found in sorted(doors.items())}
        pending = number in cards.add or number in cards.update
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
def close_round(sync: ControllerSync, desired: Desired, outcome: Round, *, not_before: datetime | None) -> None:
    """Write down what came of a round, in the log too, and give the controller back. News makes a report."""
    controller, now = sync.controller, clock.now()
    # A fetch that asks for this controller at the same moment either comes before, and is confirmed here, or after,
    # and sees that its generation is done. Without the lock it could fall between, and wait for ever.
    if ControllerSync.objects.select_for_update().get(pk=sync.pk).claim != sync.claim:
        _close_overtaken(sync, outcome, now)
        return
    trouble = _in_words(outcome)
    new_trouble = trouble != sync.trouble
    _close_cards(controller, desired, outcome, now, tell_refusals=new_trouble)
    _close_holds(controller, outcome)
    if outcome.read:
        _close_leftovers(controller, desired, outcome)
        _note_unmanaged(controller, outcome, now)
    if outcome.in_order and not outcome.held:
        _confirm(sync, now)
    silent = 0 if outcome.reached else sync.unreachable + 1
    if trouble and new_trouble:
        record(
            actor="portal",
            action="controller.reconcile",
            on=controller,
            outcome=Outcome.HELD if outcome.in_order else Outcome.FAILED,
            reasons=[trouble],
        )
    if outcome.done or outcome.holds_done or (trouble and new_trouble):
        _report(sync, outcome, trouble, now)
    suspended = silent >= SUSPEND_AFTER
    # An approval is for one plan, once. One that was given while this round ran is not this round's to take away.
    spent = sync.approved_digest and (outcome.in_order or not outcome.approval_stands)
    asking.finish(
        sync,
        answered=outcome.in_order,
        failures=0 if outcome.in_order else sync.failures + 1,
        trouble=trouble,
        unreachable=silent,
        suspended_until=not_before if suspended else None,
        not_before=not_before,
        next_edge_at=outcome.next_edge_at if outcome.read else sync.next_edge_at,
        succeeded_at=outcome.started_at if outcome.in_order else sync.succeeded_at,
        held_plan={"cards": sorted(outcome.held), "digest": outcome.digest} if outcome.held else None,
        **({"approved_digest": ""} if spent else {}),
        firmware=outcome.firmware or sync.firmware,
        clock_skew_seconds=outcome.clock_skew if outcome.read else sync.clock_skew_seconds,
    )


def _close_overtaken(sync: ControllerSync, outcome: Round, now: datetime) -> None:
    """The end of a round whose claim lapsed: what it wrote stays known for the portal's own, and is looked at again."""
    Entry.objects.bulk_create(_log_entries(sync.controller, outcome, now, tell_refusals=True))
    touched = {card for kind, card in outcome.done if kind != "removed"} | outcome.unconfirmed.keys()
    ControllerCard.objects.bulk_create(
        (
            ControllerCard(controller=sync.controller, number=card, state=State.UNCONFIRMED, changed_at=now)
            for card in touched
            if not card.startswith(door_name(0)[:-1])
        ),
        ignore_conflicts=True,
    )
    ControllerSync.objects.filter(pk=sync.pk).update(requested=F("requested") + 1, woken_at=None)


def _close_cards(
    controller: Controller, desired: Desired, outcome: Round, now: datetime, *, tell_refusals: bool
) -> None:
    rows = ControllerCard.objects.filter(controller=controller)
    removed = [card for kind, card in outcome.done if kind == "removed"]
    written = [card for kind, card in outcome.done if kind != "removed"]
    log = _log_entries(controller, outcome, now, tell_refusals=tell_refusals)
    # Without time windows a card is taken out between its windows, and is still the portal's.
    rows.filter(number__in=removed).exclude(number__in=desired.cards).delete()
    rows.filter(number__in=written).update(state=State.IN_STEP, reason="", confirmed_at=now)
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
            rows.filter(door_number=door).delete()
        record(
            actor="portal",
            action="door.held_unlocked" if held else "door.let_lock",
            on=controller,
            label=_door_names(controller).get(door, f"{controller} {door}"),
            detail={"windows": [[_iso(w.start), _iso(w.end)] for w in held.get(door, ())]},
        )


def _close_leftovers(controller: Controller, desired: Desired, outcome: Round) -> None:
    """Forget cards that are wanted no more and that the controller no longer holds either."""
    keep = {*desired.cards, *outcome.present, *outcome.held}
    ControllerCard.objects.filter(controller=controller).exclude(number__in=keep).delete()


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


def _confirm(sync: ControllerSync, now: datetime) -> None:
    """The fetches whose changes this controller now holds; those that waited for it alone are confirmed."""
    targets = RefreshTarget.objects.filter(
        controller=sync.controller_id, generation__lte=sync.requested, confirmed_at__isnull=True
    )
    refreshes = list(targets.values_list("refresh_id", flat=True))
    if not refreshes:
        return
    # Two controllers of one resource finishing at once must see each other's confirmation.
    list(Refresh.objects.select_for_update().filter(pk__in=refreshes).order_by("pk").values_list("pk"))
    targets.update(confirmed_at=now)
    Refresh.objects.filter(pk__in=refreshes, confirmed_at__isnull=True).exclude(
        targets__confirmed_at__isnull=True
    ).update(confirmed_at=now)


def _report(sync: ControllerSync, outcome: Round, trouble: str, now: datetime) -> None:
    kinds = [kind for kind, _card in outcome.done]
    Report.objects.create(
        controller=sync.controller,
        generation=sync.requested,
        started_at=outcome.started_at,
        finished_at=now,
        unchanged=outcome.unchanged,
        added=kinds.count("added"),
        updated=kinds.count("updated"),
        removed=kinds.count("removed"),
        failed=len(outcome.failed),
        unconfirmed=len(outcome.unconfirmed),
        unmanaged=len(outcome.unmanaged),
        held=len(outcome.held),
        trouble=trouble,
    )


def _in_words(outcome: Round) -> str:
    """Everything that is not as it should be, for staff; "" where all is well."""
    sentences = [outcome.trouble] if outcome.trouble else []
    for names, form in ((outcome.failed, outcome.FAILED), (outcome.unconfirmed, outcome.UNCONFIRMED)):
        if names:
            sentences.append(str(form) % {"n": len(names), "why": next(iter(names.values()))})
    if outcome.held:
        sentences.append(str(outcome.HELD) % {"n": len(outcome.held)})
    if outcome.contested:
        sentences.append(str(outcome.CONTESTED) % {"n": len(outcome.contested)})
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
            reasons=reasons,
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


def _window(stored: Iterable[Any]) -> Window:
    start, end, _causes = stored
    return Window(
        None if start is None else datetime.fromisoformat(start),
        None if end is None else datetime.fromisoformat(end),
    )
