"""Drift: where a controller does not hold what it should. One definition for the home page and the door board.

Notices (doorsync.notices) ask by controller and resource instead, and wait longer before they notify.
"""

from collections import defaultdict
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from accessmap.models import Door
from doorsync.controllers.problems import NO_ANSWER
from doorsync.controllers.result import SUSPEND_AFTER
from doorsync.models import ControllerCard, ControllerHold, ControllerSync
from doorsync.status.problems import CARD_STILL_PRESENT, CARDS_WAIT_FOR_APPROVAL
from portal.core.problems import Problem

# A change that was made less than this ago is on its way, and does not count.
ON_ITS_WAY = timedelta(minutes=1)

_State = ControllerCard.State


def _not_as_desired(now: datetime) -> Q:
    late = Q(state=_State.PENDING, changed_at__lt=now - ON_ITS_WAY)
    return (late | Q(state__in=[_State.FAILED, _State.UNCONFIRMED])) & Q(controller__enabled=True)


def cards_in_drift(now: datetime) -> QuerySet[ControllerCard]:
    """The cards that a controller, at `now` (aware), does not hold as it should."""
    return ControllerCard.objects.filter(_not_as_desired(now))


def holds_in_drift(now: datetime) -> QuerySet[ControllerHold]:
    """The doors that are held unlocked, or are not, against what is desired."""
    return ControllerHold.objects.filter(_not_as_desired(now))


def controllers_out_of_reach() -> QuerySet[ControllerSync]:
    """Enabled controllers that did not answer several times in a row: what they hold is not known."""
    return ControllerSync.objects.filter(controller__enabled=True, unreachable__gte=SUSPEND_AFTER)


def doors_in_drift(now: datetime) -> dict[int, str]:
    """Why each door (primary key) is not, or may not be, in order at `now` (aware), in the active language."""
    every_door = {
        row.controller_id: list(row.last_error) or [NO_ANSWER()]
        for row in controllers_out_of_reach().only("controller_id", "last_error")
    }
    reasons: dict[tuple[int, int], list[Problem | str]] = defaultdict(list)
    for row in cards_in_drift(now).only("controller_id", "desired", "reason", "state"):
        for number in row.desired:
            reasons[row.controller_id, int(number)].append(str(row.reason) or str(row.get_state_display()))
        if not row.desired:  # a card that should be gone: at which doors it still opens, only the controller knows
            every_door.setdefault(row.controller_id, list(row.reason) or [CARD_STILL_PRESENT()])
    for hold in holds_in_drift(now).only("controller_id", "door_number", "reason", "state"):
        reasons[hold.controller_id, hold.door_number].append(str(hold.reason) or str(hold.get_state_display()))
    pending = ControllerSync.objects.filter(controller__enabled=True, pending_plan__isnull=False)
    for controller_id, plan in pending.values_list("controller_id", "pending_plan"):
        for _card, number in (plan or {}).get("pairs", []):
            reasons[controller_id, number].append(CARDS_WAIT_FOR_APPROVAL())
    controllers = {*every_door, *(controller_id for controller_id, _number in reasons)}
    doors = Door.objects.filter(controller__in=controllers)
    return {
        pk: " ".join(sorted({str(why) for why in of_door}))
        for pk, controller_id, number in doors.values_list("pk", "controller_id", "number")
        if (of_door := [*reasons.get((controller_id, number), []), *every_door.get(controller_id, [])])
    }
