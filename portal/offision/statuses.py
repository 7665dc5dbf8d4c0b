"""What the status words of bookings and visits mean. Pure."""

from enum import StrEnum


class BookingStatus(StrEnum):
    """What a booking's status word means. UNKNOWN admits nobody."""

    CONFIRMED = "confirmed"
    CHECKED_IN = "checked_in"
    CHECKED_OUT = "checked_out"
    CANCELLED = "cancelled"
    TENTATIVE = "tentative"
    NO_SHOW = "no_show"
    UNKNOWN = "unknown"


class VisitStatus(StrEnum):
    """What a visit's status word means. UNKNOWN admits nobody."""

    EXPECTED = "expected"
    CHECKED_IN = "checked_in"
    CHECKED_OUT = "checked_out"
    CANCELLED = "cancelled"
    BLACKLISTED = "blacklisted"
    UNKNOWN = "unknown"
