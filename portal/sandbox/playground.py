"""A building at work: the pretend Offision and controllers, and the portal between them, in processes of their own."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
import structlog
from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from doorsync import tasks
from doorsync.models import BookingFetch, Callback, ControllerSync, ResourceSync, SchedulerState
from doorsync.work import scheduler
from portal.buildings.loading import load_map
from portal.buildings.model import Building
from portal.core import clock
from portal.sandbox.processes import Processes, StartError, free_port, start_web, start_worker

log = structlog.get_logger(__name__)

CONVERGE_SECONDS = 120


class NotConverged(RuntimeError):
    """Something did not reach the doors in time; the text says what."""


@dataclass(frozen=True, slots=True)
class Playground:
    """A running building. Addresses are without a slash at the end."""

    building: Building
    today: date
    portal_url: str
    offision_url: str
    controllers_url: str
    processes: Processes

    def offision(self, path: str, body: Any = None) -> Any:
        """Ask or tell the pretend Offision's own controls (not its API)."""
        return self._ask(f"{self.offision_url}/sandbox/{path}", body)

    def controller(self, name: str, path: str, body: Any = None) -> Any:
        """Ask or tell a pretend controller."""
        return self._ask(f"{self.controllers_url}/controllers/{quote(name, safe='')}/{path}", body)

    def _ask(self, url: str, body: Any) -> Any:
        answer = requests.get(url, timeout=10) if body is None else requests.post(url, json=body, timeout=10)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def wait_until(self, what: str, reached: Callable[[], bool], seconds: float = CONVERGE_SECONDS) -> None:
        """Wait for something to become true. Raises NotConverged, or StartError where a process has died."""
        deadline = time.monotonic() + seconds
        while not reached():
            if dead := self.processes.dead():
                raise StartError(_("%(names)s ended by itself.") % {"names": ", ".join(dead)})
            if time.monotonic() > deadline:
                raise NotConverged(
                    _("%(what)s: not within %(n)d s. %(why)s") % {"what": what, "n": seconds, "why": problem()}
                )
            time.sleep(0.05)

    def full_resync(self) -> None:
        """Have the scheduled full pass now, and wait for it to end: what makes up for callbacks that were lost."""
        with transaction.atomic():
            state = SchedulerState.objects.select_for_update().get(pk=1)
            scheduler.full_resync(state, clock.now())
            state.save()
        self.wait_until(_("The full pass"), quiet)


def quiet() -> bool:
    """Whether nothing is asked for and every callback for a known resource is confirmed at the doors."""
    return not (
        ResourceSync.objects.filter(generation__gt=F("observed_generation")).exists()
        or ControllerSync.objects.filter(generation__gt=F("observed_generation")).exists()
        or Callback.objects.filter(resource__isnull=False, fetch__isnull=True).exists()
        or BookingFetch.objects.filter(
            confirmed_at__isnull=True,
            targets__isnull=False,
            outcome__in=[BookingFetch.Outcome.CHANGED, BookingFetch.Outcome.UNCHANGED],
        ).exists()
    )


def problem() -> str:
    """What the portal says is wrong, in a sentence or several."""
    rows = [*ResourceSync.objects.all(), *ControllerSync.objects.all()]
    return " ".join(dict.fromkeys(row.last_error for row in rows if row.last_error))


@contextmanager
def running(
    building: Building, path: Path, *, port: int = 0, static: bool = False, web_workers: int = 1
) -> Iterator[Playground]:
    """Start everything around this process's own, fresh database, with the building's map in it; stop it all after.

    Raises StartError.
    """
    today = clock.now().astimezone(building.tz).date()
    # The worker's work goes with its database: there is nothing that it should be given time to finish.
    with Processes(settings.VAR_DIR / "logs", grace=0.5) as processes:
        serve = ["-m", "portal.sandbox.serve"]
        file = ["--building", str(path)]
        today_and_token = ["--today", str(today), "--token-env", "OFFISION_TOKEN"]
        processes.start("offision", [*serve, "offision", *file, *today_and_token], {})
        processes.start("controllers", [*serve, "controllers", *file], {})
        offision_url = f"http://127.0.0.1:{processes.port_of('offision')}"
        controllers_url = f"http://127.0.0.1:{processes.port_of('controllers')}"
        web_port = free_port(port)
        portal_url = f"http://127.0.0.1:{web_port}"
        environment = {
            "OFFISION_URL": offision_url,
            "PORTAL_PUBLIC_URL": portal_url,
            "SITE_TIME_ZONE": building.site.timezone,
            "PORTAL_LOG_JSON": "0",
        }
        log.info("preparing the database")
        start_web(
            processes, web_port, environment, workers=web_workers
        )  # it needs its time, too, and no database before it is asked
        call_command("migrate", verbosity=0)
        start_worker(processes, environment)
        if static:  # only a person with a browser needs the style sheets
            call_command("collectstatic", interactive=False, verbosity=0)
        load_map(
            building,
            controller_options={
                box.name: {"url": f"{controllers_url}/controllers/{quote(box.name, safe='')}"}
                for box in building.controllers
                if box.driver == "simulated"
            },
        )
        tasks.tick.delay()  # so that the worker need not wait for beat's first
        place = Playground(building, today, portal_url, offision_url, controllers_url, processes)
        processes.wait_for("web", f"{portal_url}/admin/login/")
        log.info("web server, worker, pretend Offision and pretend controllers are up", portal=portal_url)
        place.wait_until(_("The subscription"), _subscribed)
        place.wait_until(_("The first load of the controllers"), quiet)
        log.info("the controllers hold what the bookings say")
        yield place


def _subscribed() -> bool:
    return SchedulerState.objects.filter(pk=1, subscribed_at__isnull=False).exists()
