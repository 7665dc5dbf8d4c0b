"""The events of a UHPPOTE board, read by their index."""

from datetime import datetime
from zoneinfo import ZoneInfo

from uhppoted.errors import EventNotFound, EventOverwritten
from uhppoted.structs import EventRecord
from uhppoted.uhppote import Uhppote

from doorsync.drivers.base import DoorEvent
from doorsync.drivers.uhppote.client import Board
from doorsync.policy import naive_clock

EVENTS_AT_ONCE = 200

# uhppoted's event types and reasons.
_SWIPE, _ALARM = 1, 3
_REASONS = {20: "unlocked", 25: "unlocked", 44: "unlocked", 45: "unlocked", 37: "held_open", 38: "forced"}


def events_after(board: Board, index: int, zone: ZoneInfo, now: datetime) -> list[DoorEvent]:
    """Some hundreds of the events with an index above this one, oldest first. Raises DriverError."""
    newest = board.ask(Uhppote.get_status).event_index
    index = index + 1 if index <= newest else 1  # the board's count has restarted
    events: list[DoorEvent] = []
    while index <= newest and len(events) < EVENTS_AT_ONCE:
        try:
            events.append(_door_event(board.ask(Uhppote.get_event_record, index), zone, now))
        except EventNotFound:
            events.append(DoorEvent(index=index, at=now, door=0, card="", kind=""))
        except EventOverwritten:
            # Event 0 is the oldest that the board still has.
            index = max(index, board.ask(Uhppote.get_event, 0).index - 1)
        index += 1
    return events


def _door_event(event: EventRecord, zone: ZoneInfo, now: datetime) -> DoorEvent:
    if event.kind == _SWIPE:
        kind = "opened" if event.access_granted else "denied"
    else:
        kind = _REASONS.get(event.reason, "alarm" if event.kind == _ALARM else "")
    shown = event.timestamp
    return DoorEvent(
        index=event.index,
        at=now if shown is None else naive_clock.meant_by(shown, zone, now),
        door=event.door,
        card=str(event.card) if event.kind == _SWIPE else "",
        kind=kind,
    )
