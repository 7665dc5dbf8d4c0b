"""HTTP that ends: one bounded session with typed errors."""

from portal.core.http.deadline import Deadline
from portal.core.http.session import (
    Answer,
    BadCertificate,
    HttpError,
    HttpSession,
    NoAnswer,
    NotReached,
    TooLong,
    TooSlow,
    normal_fingerprint,
)

__all__ = [
    "Answer",
    "BadCertificate",
    "Deadline",
    "HttpError",
    "HttpSession",
    "NoAnswer",
    "NotReached",
    "TooLong",
    "TooSlow",
    "normal_fingerprint",
]
