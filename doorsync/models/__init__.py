"""The database of doorsync: one module for each concept."""

from doorsync.models.bookings import BookingFetch, FetchTarget, RejectedBooking, StoredBooking, UnmappedResource
from doorsync.models.callbacks import TEST_CALL, Callback
from doorsync.models.controllers import (
    ControllerCard,
    ControllerHold,
    EventCursor,
    Reconciliation,
    UnlockRequest,
    UnmanagedCard,
)
from doorsync.models.jobs import Job
from doorsync.models.notices import Delivery, Notice, Recipient
from doorsync.models.work import ControllerSync, ResourceSync, SchedulerState, SyncWork

__all__ = [
    "TEST_CALL",
    "BookingFetch",
    "Callback",
    "ControllerCard",
    "ControllerHold",
    "ControllerSync",
    "Delivery",
    "EventCursor",
    "FetchTarget",
    "Job",
    "Notice",
    "Recipient",
    "Reconciliation",
    "RejectedBooking",
    "ResourceSync",
    "SchedulerState",
    "StoredBooking",
    "SyncWork",
    "UnlockRequest",
    "UnmanagedCard",
    "UnmappedResource",
]
