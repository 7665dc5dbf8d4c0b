"""Drift: where a controller does not hold what it should. One definition for the home page and the door board.

Notices (doorsync.notices.detection) go by controller and resource instead, and wait longer before they notify."""

from collections import defaultdict
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accessmap.models import Door
from doorsync.controllers.result import SUSPEND_AFTER
from doorsync.models import ControllerCard, ControllerHold, ControllerSync

# A change is on its way for so long before it counts.
ON_ITS_WAY = timedelta(minutes=1)

_State = ControllerCard.State


def _not_as_it_should_be(now: datetime) -> Q:
    late = Q(state=_State.PENDING, changed_at__lt=now - ON_ITS_WAY)
    return (late | Q(state__in=[_State.FAILED, _State.UNCONFIRMED])) & Q(controller__enabled=True)


def cards_in_drift(now: datetime) -> QuerySet[ControllerCard]:
    """The cards that a controller, at `now` (aware), does not hold as it should."""
    return ControllerCard.objects.filter(_not_as_it_should_be(now))


def holds_in_drift(now: datetime) -> QuerySet[ControllerHold]:
    """The doors held unlocked, or not, against what is wanted."""
    return ControllerHold.objects.filter(_not_as_it_should_be(now))


def controllers_out_of_reach() -> QuerySet[ControllerSync]:
    """Enabled controllers that have not answered for several rounds: what they hold is anybody's guess."""
    return ControllerSync.objects.filter(controller__enabled=True, unreachable__gte=SUSPEND_AFTER)


def doors_in_drift(now: datetime) -> dict[int, str]:
    """Why each door (primary key) is not, or may not be, as it should at `now` (aware); without those that are well."""
    everywhere = dict(controllers_out_of_reach().values_list("controller_id", "last_error"))
    reasons: dict[tuple[int, int], set[str]] = defaultdict(set)
    for controller_id, desired, reason, state in cards_in_drift(now).values_list(
        "controller_id", "desired", "reason", "state"
    ):
        for number in desired:
            reasons[controller_id, int(number)].add(reason or str(_State(state).label))
        if not desired:  # a card that should be gone: at which doors, only the controller knows
            everywhere.setdefault(controller_id, reason or _("A card that should be gone is still there."))
    for controller_id, number, reason, state in holds_in_drift(now).values_list(
        "controller_id", "door_number", "reason", "state"
    ):
        reasons[controller_id, number].add(reason or str(_State(state).label))
    held = ControllerSync.objects.filter(controller__enabled=True, pending_plan__isnull=False)
    for controller_id, plan in held.values_list("controller_id", "pending_plan"):
        for _card, number in (plan or {}).get("pairs", []):
            reasons[controller_id, number].add(_("Cards keep this door until somebody approves that they lose it."))
    doors = Door.objects.filter(controller__in={*everywhere, *(controller_id for controller_id, _n in reasons)})
    found = {}
    for pk, controller_id, number in doors.values_list("pk", "controller_id", "number"):
        some = reasons.get((controller_id, number), set())
        if controller_id in everywhere:
            some = some | {everywhere[controller_id] or _("The controller does not answer.")}
        if some:
            found[pk] = " ".join(sorted(some))
    return found
