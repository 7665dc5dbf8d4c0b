"""Play a building file once, and report what the controllers hold in the end."""

import statistics
from http import HTTPStatus
from typing import Any

import requests
import structlog
from django.utils.translation import gettext as _

from doorsync.models import BookingFetch, Callback, ResourceSync
from doorsync.status.coverage import emails_without_card, resources_without_door
from portal.core import clock
from portal.sandbox.playground import NotConverged, Playground, problem, quiet
from visitors.models import Turnstile, TurnstileKey
from visitors.visits.prefetch import prefetch_visits

log = structlog.get_logger(__name__)


def play(place: Playground) -> dict[str, Any]:
    """Play every change of the file, wait until it has reached the doors, and return the result (docs/buildings.md).

    Raises NotConverged if a change did not reach the controllers.
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
        raise NotConverged(_("The portal did not accept %(n)d callbacks.") % {"n": status["callback_failures"]})
    log.info("every change is played; waiting for the doors", callbacks=status["callbacks_sent"])
    place.wait_until(_("The callbacks' changes"), quiet)
    fetches = BookingFetch.objects.filter(cause="callback").count()
    log.info("the callbacks' changes are at the doors; a full resync finds those of lost callbacks")
    place.full_resync()
    if errors := problem():
        raise NotConverged(errors)
    if pending := [str(row.pending_reason) for row in ResourceSync.objects.all() if row.pending_reason]:
        raise NotConverged(" ".join(pending))
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
    """Send the portal each of the file's scans in order, as its turnstiles would."""
    prefetch_visits()  # as a worker does every five minutes: a file may hold more wrong codes than a guesser may try
    keys = {
        gate.name: TurnstileKey.objects.create_key(name="demo", turnstile=gate)[1] for gate in Turnstile.objects.all()
    }
    answers = []
    for scanned in place.building.scans:
        answer = requests.post(
            f"{place.portal_url}/api/visitors/verify",
            json={"code": scanned.code, "direction": scanned.direction},
            headers={"Authorization": f"Api-Key {keys[scanned.turnstile]}"},
            timeout=10,
        )
        if answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:  # a throttled scan has a decision, too
            answer.raise_for_status()
        result = answer.json()
        answers.append(
            {
                "turnstile": scanned.turnstile,
                "code": scanned.code,
                "direction": scanned.direction,
                "decision": result["decision"],
                "reasons": result["reasons"],
            }
        )
    return answers


def read_back(place: Playground) -> dict[str, list[dict[str, Any]]]:
    """What the pretend controllers hold, as they report it."""
    permissions, unlocked = [], []
    for box in place.building.controllers:
        names = {str(door.number): door.name for door in box.doors}
        for card in place.controller(box.name, "cards")["cards"]:
            for door, windows in card["doors"].items():
                permissions += [
                    {"controller": box.name, "door": names[door], "card": card["number"], "from": a, "until": b}
                    for a, b in _windows(windows)
                ]
        for door, windows in place.controller(box.name, "holds")["holds"].items():
            unlocked += [
                {"controller": box.name, "door": names[door], "from": a, "until": b} for a, b in _windows(windows)
            ]
    return {"permissions": permissions, "unlocked": unlocked}


def _windows(held: Any) -> list[list[str | None]]:
    """The windows of one door. A controller without windows reports true, or nothing."""
    return list(held) if isinstance(held, list) else [[None, None]] if held else []


def sync_seconds(*, since: int = 0) -> dict[str, float | None]:
    """From a callback to the confirmation by its resource's controllers. `since`: the first callback's primary key."""
    confirmed = Callback.objects.filter(pk__gte=since, fetch__confirmed_at__isnull=False).select_related("fetch")
    took = sorted(
        max((c.fetch.confirmed_at - c.received_at).total_seconds(), 0.0)
        for c in confirmed
        if c.fetch is not None and c.fetch.confirmed_at is not None
    )
    if not took:
        return {"p50": None, "p95": None, "max": None}
    return {
        "p50": round(statistics.median(took), 3),
        "p95": round(took[min(int(len(took) * 0.95), len(took) - 1)], 3),
        "max": round(took[-1], 3),
    }
