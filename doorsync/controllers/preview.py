"""Show the plan that a reconciliation would apply to a controller."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from accessmap.models import Controller, masked
from doorsync.controllers.planning import plan_for
from doorsync.drivers import driver_for
from doorsync.drivers.base import DeviceInfo
from doorsync.models import ControllerSync
from doorsync.models.values import windows_as_json
from doorsync.policy.plan import Kind, Plan, Target
from doorsync.policy.windows import DoorWindows


def preview(controller: Controller, now: datetime) -> tuple[DeviceInfo, Plan]:
    """Read a controller and plan for `now` (aware); nothing is written. Raises DriverError."""
    sync = ControllerSync.objects.filter(controller=controller).first() or ControllerSync(controller=controller)
    sync.controller = controller
    driver = driver_for(controller, now)
    try:
        info = driver.info()
        return info, plan_for(sync, driver, info, now).plan
    finally:
        driver.close()


def rows_of(controller: Controller, plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """The plan by kind: a row for each card, masked, and for each door held unlocked, with its windows by door (names;
    ISO 8601 in UTC)."""
    names = dict(controller.doors.values_list("number", "name"))

    def rows(records: Mapping[Any, DoorWindows]) -> list[dict[str, Any]]:
        return [
            {
                "what": masked(target) if isinstance(target, str) else _("held unlocked"),
                "doors": {
                    names.get(door, str(door)): windows_as_json(windows) for door, windows in sorted(record.items())
                },
            }
            for target, record in sorted(records.items(), key=lambda item: str(item[0]))
        ]

    def changed(kind: Kind) -> dict[Target, DoorWindows]:
        return {change.target: change.record for change in plan.changes if change.kind is kind}

    cards, holds = plan.cards, plan.holds
    locked: dict[Target, DoorWindows] = {door: {door: ()} for door in holds.remove}
    return {
        "add": rows(changed(Kind.ADD)) + rows(holds.add),
        "update": rows(changed(Kind.UPDATE)) + rows(holds.update),
        "remove": rows(changed(Kind.REMOVE)) + rows(locked),
        "pending": rows({card: {} for card in sorted({card for card, _door in plan.protection.pending})}),
        "no_room": rows({card: cards.add[card] for card in plan.no_room}),
        "contested": rows({card: cards.unmanaged[card] for card in plan.contested}),
        "unmanaged": rows(cards.unmanaged) + rows(holds.unmanaged),
    }
