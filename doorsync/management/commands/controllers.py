"""`manage.py controllers`: compare, sync, and follow the events of the door controllers.

Exit codes, for cron: 0 all in step; 1 something differs or was refused; 2 a controller could not be read, or there is
no such controller.
"""

import json
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accessmap.models import Controller, masked
from doorsync import approvals, asking, reconcile
from doorsync.compare import Comparison, compare
from doorsync.drivers import driver_for
from doorsync.drivers.base import DriverError
from doorsync.events import entries
from doorsync.models import ControllerSync
from portal import clock

DIFFERS, UNREADABLE = 1, 2


class Command(BaseCommand):
    help = _("Compares door controllers with what they should hold, brings them in step, shows their events.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        for name, text in (
            ("compare", _("what would be added, changed and removed, and what is unmanaged; writes nothing")),
            ("sync", _("bring in step now")),
        ):
            action = actions.add_parser(name, help=text)
            action.add_argument("name", nargs="?", help=_("one controller; all that are enabled if left out"))
            action.add_argument("--json", action="store_true", help=_("for machines"))
        events = actions.add_parser("events", help=_("what the controller says happened at its doors"))
        events.add_argument("name")
        events.add_argument("--follow", action="store_true", help=_("go on until Ctrl-C"))

    def handle(self, *_args: Any, **options: Any) -> None:
        chosen = _chosen(options["name"])
        if options["action"] == "events":
            self._events(chosen.get(), follow=options["follow"])
            return
        act = self._compared if options["action"] == "compare" else self._synced
        told = [act(controller) for controller in chosen]
        if options["json"]:
            self.stdout.write(json.dumps(told, ensure_ascii=False, indent=1))
        else:
            for one in told:
                self._tell(one)
        if any(one["trouble"] and not one["read"] for one in told):
            raise CommandError(_("Not every controller could be read."), returncode=UNREADABLE)
        if not all(one["in_step"] for one in told):
            raise CommandError(_("Not every controller is in step."), returncode=DIFFERS)

    def _compared(self, controller: Controller) -> dict[str, Any]:
        try:
            found = compare(controller, clock.now())
        except DriverError as error:
            return {"controller": controller.name, "read": False, "in_step": False, "trouble": str(error)}
        return {"controller": controller.name, "read": True, "in_step": found.in_step, "trouble": "", **_as_json(found)}

    def _synced(self, controller: Controller) -> dict[str, Any]:
        rows = ControllerSync.objects.filter(controller=controller)
        ControllerSync.objects.get_or_create(controller=controller)
        approvals.look(rows.select_related("controller"), actor="manage.py controllers sync")
        outcome = reconcile.reconcile_controller(controller.pk)
        if outcome is None and asking.claimable(rows, clock.now()).exists():
            outcome = reconcile.reconcile_controller(controller.pk)
        sync = rows.get()
        if outcome is None:
            words = _("A worker is at it just now.") if controller.enabled else _("It is disabled.")
            return {"controller": controller.name, "read": True, "in_step": False, "trouble": words}
        kinds = [kind for kind, _card in outcome.done]
        return {
            "controller": controller.name,
            "read": outcome.read,
            "in_step": outcome.in_order and not outcome.held and not outcome.contested,
            "trouble": sync.trouble,
            **{kind: kinds.count(kind) for kind in ("added", "updated", "removed")},
            "unchanged": outcome.unchanged,
        }

    def _tell(self, one: dict[str, Any]) -> None:
        head = _("in step") if one["in_step"] else one["trouble"] or _("differs")
        self.stdout.write(f"{one['controller']}: {head}")
        for kind in ("add", "update", "remove", "contested", "unmanaged"):
            for card in one.get(kind, []):
                self.stdout.write(f"  {kind:<10} {card}")
        if "added" in one:
            counts = ", ".join(f"{kind} {one[kind]}" for kind in ("added", "updated", "removed", "unchanged"))
            self.stdout.write(f"  {counts}")

    def _events(self, controller: Controller, *, follow: bool) -> None:
        """Show them; the log gets them from the worker, this changes nothing."""
        after = 0
        while True:
            driver = driver_for(controller, clock.now())
            try:
                found = driver.events(after=after)
            except DriverError as error:
                if not follow:
                    raise CommandError(str(error), returncode=UNREADABLE) from error
                self.stderr.write(str(error))
                found = []
            finally:
                driver.close()
            for event, entry in zip(found, entries(controller, found, clock.now()), strict=True):
                self.stdout.write(
                    f"{event.at.isoformat()}  {event.index:>8}  {entry.action:<15}  {entry.object_label}  {entry.actor}"
                )
            after = max((event.index for event in found), default=after)
            if not follow:
                return
            time.sleep(1)


def _chosen(name: str | None) -> QuerySet[Controller]:
    if name is None:
        return Controller.objects.filter(enabled=True)
    found = Controller.objects.filter(name=name)
    if not found.exists():
        known = ", ".join(Controller.objects.values_list("name", flat=True)) or "–"
        raise CommandError(
            _("There is no controller %(name)s. There are: %(known)s.") % {"name": name, "known": known},
            returncode=UNREADABLE,
        )
    return found


def _as_json(found: Comparison) -> dict[str, Any]:
    cards = found.cards
    doors = found.holds
    return {
        "firmware": found.info.firmware,
        "add": [*map(masked, sorted(cards.add)), *(f"door {d}" for d in sorted(doors.add))],
        "update": [*map(masked, sorted(cards.update)), *(f"door {d}" for d in sorted(doors.update))],
        "remove": [*map(masked, sorted(cards.remove)), *(f"door {d}" for d in sorted(doors.remove))],
        "contested": [*map(masked, sorted(cards.contested)), *(f"door {d}" for d in sorted(doors.contested))],
        "unmanaged": [*map(masked, sorted(cards.unmanaged)), *(f"door {d}" for d in sorted(doors.unmanaged))],
        "unchanged": len(cards.unchanged),
    }
