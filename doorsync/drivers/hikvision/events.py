"""What happened at a Hikvision device's doors, by serial number: its events of major type 5."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from doorsync.drivers.base import DoorEvent, Refused
from doorsync.drivers.hikvision.client import Isapi, entries_of, search_id, understood
from doorsync.drivers.hikvision.problems import EVENTS_OUT_OF_ORDER

PAGES = 10
_MAJOR = 5

# By minor type, from the vendor's table. A type that belongs to a passage of another event, such as the lock's part of
# it, is only counted as read.
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
    events = _from(device, index + 1, zone)
    # Where not even the last known event exists any more, the device's count has restarted.
    if not events and index and not _page(device, index, zone, last=index):
        events = _from(device, 1, zone)
    return events


def _from(device: Isapi, first: int, zone: ZoneInfo) -> list[DoorEvent]:
    events: list[DoorEvent] = []
    for _number in range(PAGES):
        page = _page(device, first, zone)
        events += page
        if len(page) < device.limits("AcsEvent").page:
            break
        first = page[-1].index + 1
    return events


def _page(device: Isapi, first: int, zone: ZoneInfo, *, last: int | None = None) -> list[DoorEvent]:
    """The events from this serial number on, as many as the device gives at once."""
    # No times and no order: integrators report firmware that refuses a request with them.
    condition = {
        "searchID": search_id(),
        "searchResultPosition": 0,
        "maxResults": device.limits("AcsEvent").page,
        "major": _MAJOR,
        "minor": 0,  # all
        "beginSerialNo": first,
        **({} if last is None else {"endSerialNo": last}),
    }
    answer = device.json("POST", "AccessControl/AcsEvent", {"AcsEventCond": condition})
    with understood():
        events = [_event(info, zone) for info in entries_of(answer["AcsEvent"].get("InfoList"))]
    indexes = [event.index for event in events]
    if indexes != sorted(indexes) or (indexes and indexes[0] < first):
        raise Refused(EVENTS_OUT_OF_ORDER())
    return events


def _event(info: Mapping[str, Any], zone: ZoneInfo) -> DoorEvent:
    return DoorEvent(
        index=int(info["serialNo"]),
        at=_moment(str(info["time"]), zone),
        door=int(info.get("doorNo", 0)),
        card=str(info.get("cardNo") or ""),
        kind=_KINDS.get(int(info["minor"]), ""),
    )


def _moment(text: str, zone: ZoneInfo) -> datetime:
    """When an event was. The offset in the text counts only if the site's zone has it then: the clock is set so."""
    stated = datetime.fromisoformat(text)
    shown = stated.replace(tzinfo=zone, fold=0)
    later = shown.replace(fold=1)
    return (later if stated.utcoffset() == later.utcoffset() else shown).astimezone(UTC)
