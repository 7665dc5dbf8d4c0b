"""Why can, or can't, somebody open a door at a moment? Step by step, from the booking to what the controller holds.

`explain` is pure: it goes through facts that `facts_for` took from the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accessmap.models import AccessPolicy, Card, Cardholder, CardStatus, Door, Resource, masked, normal_email
from doorsync.models import ControllerCard, ControllerSync, StoredBooking
from doorsync.policy.windows import Window
from doorsync.status.drift import ON_ITS_WAY
from portal.audit.models import Entry
from portal.core.clock import local

# Bookings further away than this are not fetched, or not kept.
KNOWN_BACK, KNOWN_AHEAD = timedelta(days=1), timedelta(days=2)
# The log's entries of so long before and after are shown.
LOG_AROUND = timedelta(hours=6)
_LOG_AT_MOST = 30


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the reasoning. `ok`: it speaks for passing, against it, or (None) neither."""

    ok: bool | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the door opens, as far as the portal knows, and why. `remedy`: the one thing that would change it, and
    where."""

    opens: bool
    sentence: str
    steps: Sequence[Step]
    remedy: str = ""
    remedy_url: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is to know of one cardholder, one door and one moment."""

    who: Cardholder
    levels: frozenset[str]
    cards: Sequence[Card]
    door: Door
    rooms: Sequence[tuple[Resource, AccessPolicy, frozenset[str], frozenset[str]]]  # with always- and admit-levels
    bookings: Sequence[StoredBooking]  # of these rooms, about that time
    sync: ControllerSync | None
    entries: dict[str, ControllerCard]  # what the portal means the controller to hold, by card


def facts_for(who: Cardholder, door: Door, at: datetime) -> Facts:
    """The facts about one cardholder and one door around a moment (aware)."""
    rooms = [
        (
            room,
            room.policy,
            frozenset(level.name for level in room.policy.always_levels.all()),
            frozenset(level.name for level in room.policy.admit_levels.all()),
        )
        for room in door.resources.select_related("policy").prefetch_related(
            "policy__always_levels", "policy__admit_levels"
        )
    ]
    bookings = StoredBooking.objects.filter(
        resource__in=[room.pk for room, *_rest in rooms],
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
    """The log's entries of that time about this cardholder at this door and its controller, oldest first; with
    `everything`, for those who may read the log, those about others at this door as well."""
    controller = door.controller
    about = Q(object_type=door._meta.label, object_id=door.pk) | Q(
        object_type=controller._meta.label, object_id=controller.pk
    )
    found = Entry.objects.filter(about, at__gt=at - LOG_AROUND, at__lt=at + LOG_AROUND).order_by("-id")[:500]
    near = [
        entry
        for entry in found
        if entry.actor == who.name
        or who.name in entry.object_label
        or (everything and (entry.object_type == door._meta.label or entry.action.startswith("plan.")))
    ]
    return sorted(near[:_LOG_AT_MOST], key=lambda entry: (entry.at, entry.pk))


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
    """The cards that count at that moment."""
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
    for room, policy, always, admitted_levels in facts.rooms:
        for level in sorted(always & facts.levels):
            granted = True
            steps.append(
                Step(
                    True, _("%(level)s may always pass, by the policy %(policy)s.") % {"level": level, "policy": policy}
                )
            )
        for booking in facts.bookings:
            if booking.resource_id == room.pk:
                step = _by_booking(facts, booking, policy, admitted_levels & facts.levels, at)
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


def _by_booking(
    facts: Facts, booking: StoredBooking, policy: AccessPolicy, levels: frozenset[str], at: datetime
) -> Step | None:
    """What a booking says about it; None where it is about neither that time nor that person."""
    window = Window(
        booking.starts_at - timedelta(minutes=policy.lead_minutes),
        booking.ends_at + timedelta(minutes=policy.grace_minutes),
    )
    email = normal_email(facts.who.email)
    is_organizer = bool(email) and normal_email(booking.organizer_email) == email
    is_attendee = bool(email) and email in map(normal_email, booking.attendee_emails)
    covers, named = window.covers(at), is_organizer or is_attendee or bool(levels)
    if not covers and not named:
        return None
    words = {
        "title": booking.title or booking.external_id,
        "room": booking.resource.name,
        "who": facts.who.name,
        "first": local(window.start or at),
        "last": local(window.end or at),
        "status": booking.get_status_display(),
    }
    if not covers:
        return Step(
            None, _("“%(title)s” in %(room)s names %(who)s, and admits from %(first)s until %(last)s only.") % words
        )
    if booking.status not in policy.statuses:
        return Step(False, _("“%(title)s” in %(room)s is %(status)s: by the policy it admits nobody.") % words)
    if policy.admit_anyone and booking.starts_at <= at < booking.ends_at:
        return Step(True, _("“%(title)s” in %(room)s holds the door unlocked for anyone.") % words)
    if levels:
        words["level"] = ", ".join(sorted(levels))
        return Step(True, _("“%(title)s” in %(room)s admits %(level)s, from %(first)s until %(last)s.") % words)
    if (is_organizer and policy.admit_organizer) or (is_attendee and policy.admit_attendees):
        return Step(True, _("“%(title)s” in %(room)s admits %(who)s, from %(first)s until %(last)s.") % words)
    if named:
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
    """What keeps the controller from holding it, as a remedy; None where it holds it, as far as the portal knows."""
    controller, sync = facts.door.controller, facts.sync
    page = (
        reverse("admin:doorsync_controllersync_change", args=[sync.pk])
        if sync
        else reverse("admin:accessmap_controller_change", args=[controller.pk])
    )
    if not controller.enabled:
        there = any(_holds(entry, facts.door.number, at) for entry in facts.entries.values())
        steps.append(
            Step(None, _("Controller %(name)s is disabled, and goes on with what it holds.") % {"name": controller})
            if there
            else Step(False, _("Controller %(name)s is disabled: nothing is written to it.") % {"name": controller})
        )
        if there:
            return None
        return _("Enable the controller."), reverse("admin:accessmap_controller_change", args=[controller.pk])
    known = [facts.entries[card.number] for card in usable if card.number in facts.entries]
    number = str(facts.door.number)
    promised = [entry for entry in known if any(_window(stored).covers(at) for stored in entry.desired.get(number, []))]
    if not promised:
        if at > now:
            steps.append(Step(None, _("%(name)s is told of it when the time is near.") % {"name": controller}))
            return None
        steps.append(Step(False, _("%(name)s has not been told yet.") % {"name": controller}))
        return (sync.last_error if sync and sync.last_error else _("Have the controller reconciled now.")), page
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
    why = entry.reason or str(entry.get_state_display())
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
    """What ends it that the controller goes on to admit what nothing grants any more; None where it does not.

    A door asks its controller, not the bookings. What is merely on its way out counts for the next minute only; of the
    past, the portal knows by the log alone.
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
            remedy = _("A plan that takes it away is held: approve it.")
        elif sync and pair in sync.dropped:
            remedy = _("Staff dropped the plan that would have taken it away: have it decided anew.")
        elif not controller.enabled:
            remedy = _("Enable the controller.")
        elif sync and sync.unreachable:
            remedy = _("The controller does not answer, and can't be told: see what is wrong with it.")
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
    return any(_window(window).covers(at) for window in stored.get(str(door), []))


def _to_end_it(facts: Facts) -> tuple[str, str]:
    page = reverse("admin:accessmap_cardholder_change", args=[facts.who.pk])
    return _("To end it at once, report the card as lost."), page


def _window(stored: Sequence[str | None]) -> Window:
    start, end = (None if edge is None else datetime.fromisoformat(edge) for edge in stored[:2])
    return Window(start, end)
