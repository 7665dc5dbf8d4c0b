"""Play a building file once, and tell what the controllers hold in the end."""

import statistics
from http import HTTPStatus
from typing import Any

import requests
import structlog
from django.utils.translation import gettext as _

from doorsync.models import BookingFetch, Callback, ControllerSync, ResourceSync
from doorsync.status.coverage import emails_without_card, resources_without_door
from portal.core import clock
from portal.sandbox.playground import NotConverged, Playground, problem, quiet
from visitors.models import Turnstile, TurnstileKey
from visitors.visits.prefetch import prefetch_visits

log = structlog.get_logger(__name__)


def play(place: Playground) -> dict[str, Any]:
    """Play every change of the file, wait until the doors have it, and return the result that the format asks for.

    Raises NotConverged where a change did not reach the controllers.
    """
    changes = len(place.building.changes)
    log.info("playing the changes", changes=changes)
    place.offision("play", {})
    place.wait_until(
        _("Playing the changes"),
        lambda: bool(place.offision("status")["finished"]),
        seconds=60 + max((change.after_seconds for change in place.building.changes), default=0),
    )
    status = place.offision("status")
    if status["callback_failures"]:
        raise NotConverged(_("%(n)d callbacks were not taken by the portal.") % {"n": status["callback_failures"]})
    log.info("every change is played; waiting for the doors", callbacks=status["callbacks_sent"])
    place.wait_until(_("The callbacks' changes"), quiet)
    fetches = BookingFetch.objects.filter(cause="callback").count()
    log.info("what callbacks told has reached the doors; a full pass finds what was lost")
    place.full_resync()
    if ControllerSync.objects.exclude(last_error="").exists() or ResourceSync.objects.exclude(last_error="").exists():
        raise NotConverged(problem())
    if held := [row.pending_reason for row in ResourceSync.objects.exclude(pending_reason="")]:
        raise NotConverged(" ".join(held))
    now = clock.now()
    return {
        "site": place.building.site.name,
        "finished_at": now.isoformat(),
        **read_back(place),
        "unmapped": {"emails": sorted(emails_without_card(now)), "resources": sorted(resources_without_door())},
        "callbacks": {"received": Callback.objects.count(), "fetches": fetches},
        "sync_seconds": sync_seconds(),
        "scans": scan(place),
    }


def scan(place: Playground) -> list[dict[str, Any]]:
    """Ask the portal about each of the file's scans in order, as its turnstiles would."""
    prefetch_visits()  # as a worker does every five minutes: a file may hold more wrong codes than guessing allows
    keys = {
        gate.name: TurnstileKey.objects.create_key(name="demo", turnstile=gate)[1] for gate in Turnstile.objects.all()
    }
    answers = []
    for asked in place.building.scans:
        answer = requests.post(
            f"{place.portal_url}/api/visitors/verify",
            json={"code": asked.code, "direction": asked.direction},
            headers={"Authorization": f"Api-Key {keys[asked.turnstile]}"},
            timeout=10,
        )
        if answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:  # that is an answer, too
            answer.raise_for_status()
        said = answer.json()
        answers.append(
            {
                "turnstile": asked.turnstile,
                "code": asked.code,
                "direction": asked.direction,
                "decision": said["decision"],
                "reasons": said["reasons"],
            }
        )
    return answers


def read_back(place: Playground) -> dict[str, list[dict[str, Any]]]:
    """What the pretend controllers themselves say that they hold."""
    permissions, unlocked = [], []
    for box in place.building.controllers:
        names = {str(door.number): door.name for door in box.doors}
        for card in place.controller(box.name, "cards")["cards"]:
            for door, held in card["doors"].items():
                permissions += [
                    {"controller": box.name, "door": names[door], "card": card["number"], "from": a, "until": b}
                    for a, b in _windows(held)
                ]
        for door, held in place.controller(box.name, "holds")["holds"].items():
            unlocked += [
                {"controller": box.name, "door": names[door], "from": a, "until": b} for a, b in _windows(held)
            ]
    return {"permissions": permissions, "unlocked": unlocked}


def _windows(held: Any) -> list[list[str | None]]:
    """A controller without time windows says only that a card may pass now."""
    return list(held) if isinstance(held, list) else [[None, None]] if held else []


def sync_seconds(*, since: int = 0) -> dict[str, float | None]:
    """Callback received -> its resource's controllers confirmed, over confirmed callbacks from a primary key on."""
    answered = Callback.objects.filter(pk__gte=since, fetch__confirmed_at__isnull=False).select_related("fetch")
    took = sorted(
        max((c.fetch.confirmed_at - c.received_at).total_seconds(), 0.0)
        for c in answered
        if c.fetch is not None and c.fetch.confirmed_at is not None
    )
    if not took:
        return {"p50": None, "p95": None, "max": None}
    return {
        "p50": round(statistics.median(took), 3),
        "p95": round(took[min(int(len(took) * 0.95), len(took) - 1)], 3),
        "max": round(took[-1], 3),
    }
