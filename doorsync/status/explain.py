"""Explain why somebody can or can't open a door at a moment: step by step, from booking to controller.

`explain` works on facts that `facts_for` read from the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accessmap.models import Card, Cardholder, CardStatus, Door, Resource, masked, normal_email
from doorsync.models import ControllerCard, ControllerSync, StoredBooking, values
from doorsync.models.values import window_of
from doorsync.policy.rules import Policy, admission, admission_window
from doorsync.policy.windows import Window
from doorsync.status.drift import ON_ITS_WAY
from portal.audit.models import Entry
from portal.core.clock import local

# Bookings further away than this are not kept.
KNOWN_BACK, KNOWN_AHEAD = timedelta(days=1), timedelta(days=2)
# Audit entries within this time before and after are shown.
LOG_AROUND = timedelta(hours=6)
_LOG_AT_MOST = 30


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the reasoning. `ok`: for passing, against it, or (None) neither."""

    ok: bool | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the door opens, as far as the portal knows, and why. `remedy`: what would change it, and where."""

    opens: bool
    sentence: str
    steps: Sequence[Step]
    remedy: str = ""
    remedy_url: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the portal knows of one cardholder, one door and one moment."""

    who: Cardholder
    levels: frozenset[str]
    cards: Sequence[Card]
    door: Door
    rooms: Sequence[tuple[Resource, Policy]]
    bookings: Sequence[StoredBooking]  # of these rooms, about that time
    sync: ControllerSync | None
    entries: dict[str, ControllerCard]  # what the controller should hold, by card


def facts_for(who: Cardholder, door: Door, at: datetime) -> Facts:
    """The facts about one cardholder and one door around a moment (aware)."""
    resources = door.resources.select_related("policy").prefetch_related(
        "policy__always_levels", "policy__admit_levels"
    )
    rooms = [(room, values.policy_of(room.policy)) for room in resources]
    bookings = StoredBooking.objects.filter(
        resource__in=[room.pk for room, _policy in rooms],
        starts_at__lt=at + timedelta(days=1),
        ends_at__gt=at - timedelta(days=1),
    ).select_related("resource")
    cards = list(who.cards.order_by("number"))
    entries = ControllerCard.objects.filter(controller=door.controller_id, number__in=[card.number for card in cards])
    return Facts(
        who=who,
        levels=frozenset(who.access_levels.values_list("name", flat=True)),
        cards=cards,
        door=door,
        rooms=rooms,
        bookings=list(bookings.order_by("starts_at")),
        sync=ControllerSync.objects.filter(controller=door.controller_id).first(),
        entries={entry.number: entry for entry in entries},
    )


def log_around(who: Cardholder, door: Door, at: datetime, *, everything: bool) -> list[Entry]:
    """The audit entries of that time about this cardholder at this door and its controller, oldest first.

    `everything`: for those who may read the log, also those about others at this door.
    """
    controller = door.controller
    about = Q(object_type=door._meta.label, object_id=door.pk) | Q(
        object_type=controller._meta.label, object_id=controller.pk
    )
    entries = Entry.objects.filter(about, at__gt=at - LOG_AROUND, at__lt=at + LOG_AROUND).order_by("-id")[:500]
    near = [
        entry
        for entry in entries
        if entry.actor == who.name
        or _names(entry.object_label, controller.name, who.name)
        or (everything and (entry.object_type == door._meta.label or entry.action.startswith("plan.")))
    ]
    return sorted(near[:_LOG_AT_MOST], key=lambda entry: (entry.at, entry.pk))


def _names(label: str, controller: str, who: str) -> bool:
    """Whether an entry about a card is about this person: its label is "CONTROLLER: NAME CARD" (controllers.store)."""
    prefix = f"{controller}: {who} "
    return label.startswith(prefix) and " " not in label.removeprefix(prefix)


def explain(facts: Facts, at: datetime, now: datetime) -> Answer:
    """Whether this cardholder opens this door at `at`, seen from `now` (both aware). Pure."""
    steps: list[Step] = []
    usable = _cards(facts, at, steps)
    granted = _granted(facts, at, now, steps)
    if (not usable or not granted) and (left := _still_there(facts, at, now, steps)):
        return _answer(facts, at, True, steps, *left)
    if not usable:
        return _answer(facts, at, False, steps, *_give_a_card(facts))
    if not granted:
        return _answer(facts, at, False, steps, *_nothing_admits(facts, at, now))
    held = _held(facts, usable, at, now, steps)
    return _answer(facts, at, held is None, steps, *(held or _to_end_it(facts)))


def _answer(facts: Facts, at: datetime, opens: bool, steps: list[Step], remedy: str, url: str) -> Answer:
    form = _("%(who)s can open %(door)s at %(time)s.") if opens else _("%(who)s can't open %(door)s at %(time)s.")
    sentence = form % {"who": facts.who.name, "door": facts.door.name, "time": local(at)}
    return Answer(opens, sentence, steps, remedy, url)


# The card -------------------------------------------------------------------------------------------------------


def _cards(facts: Facts, at: datetime, steps: list[Step]) -> list[Card]:
    """The cards that are active and valid at that moment."""
    if not facts.cards:
        steps.append(Step(False, _("%(who)s has no card.") % {"who": facts.who.name}))
    usable = []
    for card in facts.cards:
        number = masked(card.number)
        if card.status != CardStatus.ACTIVE:
            status = card.get_status_display()
            steps.append(Step(False, _("Card %(number)s is %(status)s.") % {"number": number, "status": status}))
        elif not Window(card.valid_from, card.valid_until).covers(at):
            steps.append(
                Step(
                    False,
                    _("Card %(number)s is valid from %(first)s until %(last)s only.")
                    % {
                        "number": number,
                        "first": local(card.valid_from) if card.valid_from else "…",
                        "last": local(card.valid_until) if card.valid_until else "…",
                    },
                )
            )
        else:
            usable.append(card)
            steps.append(Step(True, _("Card %(number)s is active.") % {"number": number}))
    return usable


def _give_a_card(facts: Facts) -> tuple[str, str]:
    page = reverse("admin:accessmap_cardholder_change", args=[facts.who.pk])
    return _("Give %(who)s a card that is active and valid then.") % {"who": facts.who.name}, page


# What admits -----------------------------------------------------------------------------------------------------


def _granted(facts: Facts, at: datetime, now: datetime, steps: list[Step]) -> bool:
    """Whether a booking or an access level admits at that moment."""
    if not facts.rooms:
        steps.append(Step(False, _("%(door)s leads to no resource: no booking opens it.") % {"door": facts.door.name}))
        return False
    granted = False
    for room, policy in facts.rooms:
        for level in sorted(policy.always_levels & facts.levels):
            granted = True
            words = {"level": level, "policy": room.policy}
            steps.append(Step(True, _("%(level)s may always pass, by the policy %(policy)s.") % words))
        for booking in facts.bookings:
            if booking.resource_id == room.pk:
                step = _by_booking(facts, booking, policy, at)
                if step is not None:
                    steps.append(step)
                    granted = granted or bool(step.ok)
    if not granted:
        beyond = at > now + KNOWN_AHEAD or at < now - KNOWN_BACK
        steps.append(
            Step(
                None if beyond else False,
                _("The bookings of that day are not known here: the portal keeps those from yesterday to in two days.")
                if beyond
                else _("No booking and no access level admits %(who)s then.") % {"who": facts.who.name},
            )
        )
    return granted


def _by_booking(facts: Facts, stored: StoredBooking, policy: Policy, at: datetime) -> Step | None:
    """What a booking means for this; None where it concerns neither that time nor that person."""
    booking = values.booking_of(stored)
    admitted, window = admission(booking, policy), admission_window(booking, policy)
    email, levels = normal_email(facts.who.email), policy.admit_levels & facts.levels
    is_named = bool(email) and email in (booking.organizer, *booking.attendees)
    covers = window.covers(at)
    if not covers and not (is_named or levels):
        return None
    words = {
        "title": stored.title or stored.external_id,
        "room": stored.resource.name,
        "who": facts.who.name,
        "first": local(window.start or at),
        "last": local(window.end or at),
        "status": stored.get_status_display(),
    }
    if not covers:
        return Step(
            None, _("“%(title)s” in %(room)s names %(who)s, and admits from %(first)s until %(last)s only.") % words
        )
    if admitted is None:
        return Step(False, _("“%(title)s” in %(room)s is %(status)s: by the policy it admits nobody.") % words)
    if admitted.unlocked is not None and admitted.unlocked.covers(at):
        return Step(True, _("“%(title)s” in %(room)s holds the door unlocked for anyone.") % words)
    if levels:
        words["level"] = ", ".join(sorted(levels))
        return Step(True, _("“%(title)s” in %(room)s admits %(level)s, from %(first)s until %(last)s.") % words)
    if email in admitted.emails:
        return Step(True, _("“%(title)s” in %(room)s admits %(who)s, from %(first)s until %(last)s.") % words)
    if is_named:
        return Step(False, _("“%(title)s” in %(room)s names %(who)s, but its policy does not admit them.") % words)
    return Step(False, _("“%(title)s” in %(room)s, from %(first)s until %(last)s, does not name %(who)s.") % words)


def _nothing_admits(facts: Facts, at: datetime, now: datetime) -> tuple[str, str]:
    if not facts.rooms:
        return _("Say which resource the door leads to."), reverse("admin:accessmap_resource_changelist")
    if not facts.who.email:
        page = reverse("admin:accessmap_cardholder_change", args=[facts.who.pk])
        return _("Enter the email that %(who)s has in Offision.") % {"who": facts.who.name}, page
    if at > now + KNOWN_AHEAD or at < now - KNOWN_BACK:
        return "", ""
    room = facts.rooms[0][0]
    return (
        _("Add %(who)s (%(email)s) to a booking of %(room)s in Offision, or to an access level that its policy admits.")
        % {"who": facts.who.name, "email": facts.who.email, "room": room.name},
        reverse("admin:accessmap_resource_change", args=[room.pk]),
    )


# What the controller holds ---------------------------------------------------------------------------------------


def _held(
    facts: Facts, usable: Sequence[Card], at: datetime, now: datetime, steps: list[Step]
) -> tuple[str, str] | None:
    """What keeps the controller from holding it, with a remedy; None where it holds it, as far as the portal knows."""
    controller, sync = facts.door.controller, facts.sync
    page = (
        reverse("admin:doorsync_controllersync_change", args=[sync.pk])
        if sync
        else reverse("admin:accessmap_controller_change", args=[controller.pk])
    )
    if not controller.enabled:
        holds_it = any(_holds(entry, facts.door.number, at) for entry in facts.entries.values())
        steps.append(
            Step(None, _("Controller %(name)s is disabled, and goes on with what it holds.") % {"name": controller})
            if holds_it
            else Step(False, _("Controller %(name)s is disabled: nothing is written to it.") % {"name": controller})
        )
        if holds_it:
            return None
        return _("Enable the controller."), reverse("admin:accessmap_controller_change", args=[controller.pk])
    entries = [facts.entries[card.number] for card in usable if card.number in facts.entries]
    number = str(facts.door.number)
    promised = [
        entry for entry in entries if any(window_of(stored).covers(at) for stored in entry.desired.get(number, []))
    ]
    if not promised:
        if at > now:
            steps.append(
                Step(None, _("The portal writes it to %(name)s when the time is near.") % {"name": controller})
            )
            return None
        steps.append(Step(False, _("The portal has not written it to %(name)s yet.") % {"name": controller}))
        return (str(sync.last_error) if sync and sync.last_error else _("Have the controller reconciled now.")), page
    for entry in promised:
        if entry.state == ControllerCard.State.IN_STEP:
            steps.append(
                Step(
                    True,
                    _("%(name)s holds card %(number)s for it; confirmed at %(time)s.")
                    % {
                        "name": controller,
                        "number": masked(entry.number),
                        "time": local(entry.confirmed_at or entry.changed_at),
                    },
                )
            )
            if sync is not None and sync.unreachable:
                steps.append(
                    Step(
                        None,
                        ngettext(
                            "It has not answered %(n)d time since: %(why)s",
                            "It has not answered %(n)d times since: %(why)s",
                            sync.unreachable,
                        )
                        % {"n": sync.unreachable, "why": sync.last_error},
                    )
                )
            return None
    entry = promised[0]
    why = str(entry.reason) or str(entry.get_state_display())
    steps.append(
        Step(
            False,
            _("%(name)s does not hold card %(number)s as it should: %(why)s")
            % {"name": controller, "number": masked(entry.number), "why": why},
        )
    )
    if entry.state == ControllerCard.State.PENDING and now - entry.changed_at < ON_ITS_WAY:
        return _("It is on its way: look again in a minute."), page
    return _("See what is wrong with the controller, and have it reconciled."), page


def _still_there(facts: Facts, at: datetime, now: datetime, steps: list[Step]) -> tuple[str, str] | None:
    """The remedy where the controller still admits what nothing grants any more; None where it does not.

    A door asks its controller, not the bookings. A change that is on its way counts for the next minute only; the past
    is known from the audit log alone.
    """
    if at < now:
        return None
    controller, sync, door = facts.door.controller, facts.sync, facts.door.number
    page = reverse("admin:accessmap_controller_change", args=[controller.pk])
    for entry in facts.entries.values():
        if not _holds(entry, door, at):
            continue
        pair = [entry.number, door]
        if sync and sync.pending_plan and pair in sync.pending_plan["pairs"]:
            remedy = _("A plan that takes it away is pending: approve it.")
        elif sync and pair in sync.dropped:
            remedy = _("Staff dropped the plan that would have taken it away: make a new plan.")
        elif not controller.enabled:
            remedy = _("Enable the controller.")
        elif sync and sync.unreachable:
            remedy = _("The controller does not answer. See what is wrong with it.")
        elif at < now + ON_ITS_WAY:
            remedy = _("It is taken out with the next reconciliation: have the controller reconciled now.")
        else:
            continue
        words = {"name": controller, "number": masked(entry.number)}
        steps.append(Step(True, _("%(name)s still holds card %(number)s for it, though nothing grants it.") % words))
        return remedy, page
    return None


def _holds(entry: ControllerCard, door: int, at: datetime) -> bool:
    """Whether the controller admits this card at that moment, by what was last seen or written there."""
    if entry.state == ControllerCard.State.GONE:
        return False
    stored = entry.desired if entry.state == ControllerCard.State.IN_STEP else entry.written or {}
    return any(window_of(window).covers(at) for window in stored.get(str(door), []))


def _to_end_it(facts: Facts) -> tuple[str, str]:
    page = reverse("admin:accessmap_cardholder_change", args=[facts.who.pk])
    return _("To end it at once, report the card as lost."), page
