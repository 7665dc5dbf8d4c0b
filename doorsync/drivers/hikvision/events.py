"""What happened at a Hikvision device's doors, by serial number: its events of major type 5."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from doorsync.drivers.base import DoorEvent, Refused
from doorsync.drivers.hikvision.client import Isapi, listed, search_id, understood

PAGES = 10
_MAJOR = 5

# By minor type, of the vendor's table. What belongs to a passage that is told already, such as the lock's part, is only
# counted as read.
_KINDS = {
    **dict.fromkeys((0x01, 0x02, 0x10, 0x26, 0x28, 0x2B, 0x2E, 0x36, 0x39, 0x3C, 0x3F, 0x42, 0x45), "opened"),
    **dict.fromkeys((0x48, 0x4B, 0x4D, 0x65, 0x69, 0x99), "opened"),
    **dict.fromkeys((0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x27, 0x29), "denied"),
    **dict.fromkeys((0x2C, 0x2F, 0x31, 0x37, 0x3A, 0x3D, 0x40, 0x43, 0x46, 0x49, 0x4C, 0x4E, 0x50), "denied"),
    **dict.fromkeys((0x66, 0x70, 0x71, 0x76, 0x97, 0x98, 0x9B), "denied"),
    0x17: "unlocked",  # by the button
    0x1B: "forced",
    0x1C: "held_open",
    0x8A: "alarm",
}


def events_after(device: Isapi, index: int, zone: ZoneInfo) -> list[DoorEvent]:
    """Some hundreds of the events with a serial number above `index`, oldest first. Raises DriverError."""
    found = _from(device, index + 1, zone)
    # Nothing new. Where the last one known is not there any more either, the device counts anew.
    if not found and index and not _page(device, index, zone, last=index):
        found = _from(device, 1, zone)
    return found


def _from(device: Isapi, first: int, zone: ZoneInfo) -> list[DoorEvent]:
    found: list[DoorEvent] = []
    for _number in range(PAGES):
        page = _page(device, first, zone)
        found += page
        if len(page) < device.limits("AcsEvent").page:
            break
        first = page[-1].index + 1
    return found


def _page(device: Isapi, first: int, zone: ZoneInfo, *, last: int | None = None) -> list[DoorEvent]:
    """The events from this serial number on, as many as the device tells at once."""
    # No times and no order: some firmware refuses a request that names them, integrators say.
    asked = {
        "searchID": search_id(),
        "searchResultPosition": 0,
        "maxResults": device.limits("AcsEvent").page,
        "major": _MAJOR,
        "minor": 0,  # all
        "beginSerialNo": first,
        **({} if last is None else {"endSerialNo": last}),
    }
    answer = device.json("POST", "AccessControl/AcsEvent", {"AcsEventCond": asked})
    with understood():
        found = [_event(info, zone) for info in listed(answer["AcsEvent"].get("InfoList"))]
    indexes = [event.index for event in found]
    if indexes != sorted(indexes) or (indexes and indexes[0] < first):
        raise Refused(_("The device does not tell its events by serial number: its firmware may be too old."))
    return found


def _event(info: Mapping[str, Any], zone: ZoneInfo) -> DoorEvent:
    return DoorEvent(
        index=int(info["serialNo"]),
        at=_moment(str(info["time"]), zone),
        door=int(info.get("doorNo", 0)),
        card=str(info.get("cardNo") or ""),
        kind=_KINDS.get(int(info["minor"]), ""),
    )


def _moment(text: str, zone: ZoneInfo) -> datetime:
    """When an event was. A zone told with it is believed only if it is one of the site's: so the clock is set."""
    told = datetime.fromisoformat(text)
    shown = told.replace(tzinfo=zone, fold=0)
    later = shown.replace(fold=1)
    return (later if told.utcoffset() == later.utcoffset() else shown).astimezone(UTC)
