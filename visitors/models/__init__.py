"""The models of the app, one module per concept."""

from visitors.models.guessing import ThrottledScans
from visitors.models.outbox import VisitStatusUpdate
from visitors.models.passages import Passage
from visitors.models.turnstiles import (
    DIRECTION_CHOICES,
    KioskPairing,
    Protocol,
    Reader,
    Template,
    Turnstile,
    TurnstileKey,
    validate_network,
)
from visitors.models.verifications import Verification
from visitors.models.visits import STATUS_CHOICES, Visit

__all__ = [
    "DIRECTION_CHOICES",
    "STATUS_CHOICES",
    "KioskPairing",
    "Passage",
    "Protocol",
    "Reader",
    "Template",
    "ThrottledScans",
    "Turnstile",
    "TurnstileKey",
    "Verification",
    "Visit",
    "VisitStatusUpdate",
    "validate_network",
]
