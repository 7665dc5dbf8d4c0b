"""`manage.py controllers`: compare, sync, and follow the events of the door controllers.

Exit codes, for cron: 0 all in step; 1 something differs or was refused; 2 a controller could not be read, or does not
exist.
"""

import json
import socket
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accessmap.models import Controller
from doorsync.controllers import approvals, reconcile
from doorsync.controllers.events import entries
from doorsync.controllers.preview import preview, rows_of
from doorsync.drivers import driver_for
from doorsync.drivers.base import DriverError
from doorsync.drivers.uhppote.listener import listen
from doorsync.models import ControllerSync
from doorsync.policy.plan import Kind
from doorsync.work import queue
from portal.core import clock
from portal.core.clock import local
from portal.core.tasks import send_task

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
        events.add_argument("--follow", action="store_true", help=_("until Ctrl-C"))
        listening = actions.add_parser(
            "listen", help=_("hear at once of events at boards that tell (UHPPOTE), until Ctrl-C")
        )
        listening.add_argument("--port", type=int, default=60001, help=_("UDP port; 60001 if left out"))

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["action"] == "listen":
            self._listen(options["port"])
            return
        chosen = _chosen(options["name"])
        if options["action"] == "events":
            self._events(chosen.get(), follow=options["follow"])
            return
        act = self._compared if options["action"] == "compare" else self._synced
        results = [act(controller) for controller in chosen]
        if options["json"]:
            self.stdout.write(json.dumps(results, ensure_ascii=False, indent=1))
        else:
            for result in results:
                self._show(result)
        if any(one["last_error"] and not one["read"] for one in results):
            raise CommandError(_("Not every controller could be read."), returncode=UNREADABLE)
        if not all(one["in_step"] for one in results):
            raise CommandError(_("Not every controller is in step."), returncode=DIFFERS)

    def _listen(self, port: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
            try:
                listener.bind(("0.0.0.0", port))  # noqa: S104 (boards are on other hosts, and what they send is only a hint)
            except OSError as error:
                raise CommandError(
                    _("UDP port %(port)d can't be listened on: %(why)s.") % {"port": port, "why": error.strerror},
                    returncode=UNREADABLE,
                ) from error
            self.stdout.write(_("Listening on UDP port %(port)d – Ctrl-C ends it.") % {"port": port})
            with suppress(KeyboardInterrupt):
                for controller_id in listen(listener):
                    send_task("doorsync.tasks.drain_events", controller_id)
                    close_old_connections()  # it may be days until the next

    def _compared(self, controller: Controller) -> dict[str, Any]:
        try:
            info, plan = preview(controller, clock.now())
        except DriverError as error:
            return {"controller": controller.name, "read": False, "in_step": False, "last_error": str(error)}
        return {
            "controller": controller.name,
            "read": True,
            "in_step": plan.in_step,
            "last_error": "",
            "firmware": info.firmware,
            **rows_of(controller, plan),
            "unchanged": len(plan.cards.unchanged),
        }

    def _synced(self, controller: Controller) -> dict[str, Any]:
        rows = ControllerSync.objects.filter(controller=controller)
        ControllerSync.objects.get_or_create(controller=controller)
        approvals.reconcile_now(rows, actor="manage.py controllers sync")
        result = reconcile.reconcile_controller(controller.pk)
        if result is None and queue.leasable(rows, clock.now()).exists():
            result = reconcile.reconcile_controller(controller.pk)
        sync = rows.get()
        if result is None:
            error = _("A worker is reconciling it now.") if controller.enabled else _("It is disabled.")
            return {"controller": controller.name, "read": True, "in_step": False, "last_error": error}
        kinds = [change.kind for change in result.done]
        return {
            "controller": controller.name,
            "read": result.plan is not None,
            "in_step": result.in_step and not result.pending and not result.contested,
            "last_error": str(sync.last_error),
            "added": kinds.count(Kind.ADD),
            "updated": kinds.count(Kind.UPDATE),
            "removed": kinds.count(Kind.REMOVE),
            "unchanged": len(result.plan.cards.unchanged) if result.plan else 0,
        }

    def _show(self, one: dict[str, Any]) -> None:
        head = _("in step") if one["in_step"] else one["last_error"] or _("differs")
        self.stdout.write(f"{one['controller']}: {head}")
        for line in _table(one):
            self.stdout.write(line)
        if "added" in one:
            counts = ", ".join(f"{kind} {one[kind]}" for kind in ("added", "updated", "removed", "unchanged"))
            self.stdout.write(f"  {counts}")

    def _events(self, controller: Controller, *, follow: bool) -> None:
        """Show the events. The worker writes them to the log; this changes nothing."""
        after = 0
        while True:
            driver = driver_for(controller, clock.now())
            try:
                events = driver.events(after=after)
            except DriverError as error:
                if not follow:
                    raise CommandError(str(error), returncode=UNREADABLE) from error
                self.stderr.write(str(error))
                events = []
            finally:
                driver.close()
            for event, entry in zip(events, entries(controller, events, clock.now()), strict=True):
                self.stdout.write(
                    f"{event.at.isoformat()}  {event.index:>8}  {entry.action:<15}  {entry.object_label}  {entry.actor}"
                )
            after = max((event.index for event in events), default=after)
            if not follow:
                return
            time.sleep(1)


def _chosen(name: str | None) -> QuerySet[Controller]:
    if name is None:
        return Controller.objects.filter(enabled=True)
    controllers = Controller.objects.filter(name=name)
    if not controllers.exists():
        known = ", ".join(Controller.objects.values_list("name", flat=True)) or "–"
        raise CommandError(
            _("There is no controller %(name)s. There are: %(known)s.") % {"name": name, "known": known},
            returncode=UNREADABLE,
        )
    return controllers


def _table(one: Mapping[str, Any]) -> Iterator[str]:
    """The rows of a comparison as lines with columns, times in the site's zone."""
    lines = [
        (kind, row["what"], door, "; ".join(map(_span, windows)) or "–")
        for kind in ("add", "update", "remove", "pending", "no_room", "contested", "unmanaged")
        for row in one.get(kind, [])
        for door, windows in (row["doors"] or {"–": []}).items()
    ]
    widths = [max((len(line[column]) for line in lines), default=0) for column in range(3)]
    for line in lines:
        yield "  ".join(["", *(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[3]])


def _span(window: Sequence[str | None]) -> str:
    start, end = (None if edge is None else local(datetime.fromisoformat(edge)) for edge in window)
    if start is None and end is None:
        return _("always")
    return f"{start or '…'} – {end or '…'}"
