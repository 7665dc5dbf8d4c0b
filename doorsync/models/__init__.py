"""The database of doorsync: one module for each concept."""

from doorsync.models.bookings import Refresh, RefreshTarget, SetAsideBooking, StoredBooking, UnmappedResource
from doorsync.models.callbacks import Callback
from doorsync.models.controllers import (
    ControllerCard,
    ControllerHold,
    EventCursor,
    Report,
    UnlockRequest,
    UnmanagedCard,
)
from doorsync.models.notices import Delivery, Notice, Recipient
from doorsync.models.work import Asked, ControllerSync, PassState, ResourceSync

__all__ = [
    "Asked",
    "Callback",
    "ControllerCard",
    "ControllerHold",
    "ControllerSync",
    "Delivery",
    "EventCursor",
    "Notice",
    "PassState",
    "Recipient",
    "Refresh",
    "RefreshTarget",
    "Report",
    "ResourceSync",
    "SetAsideBooking",
    "StoredBooking",
    "UnlockRequest",
    "UnmanagedCard",
    "UnmappedResource",
]
