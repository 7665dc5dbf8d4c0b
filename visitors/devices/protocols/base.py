"""What every device protocol does: parse a request, and phrase the answer.

A device that understands only its own yes and no gets HTTP 200 with its own no, whatever the reason.
"""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpResponse, QueryDict
from django.utils.http import parse_header_parameters

from visitors.models import Turnstile
from visitors.verification.verify import Answer, Scan

MAX_BYTES = 2048
MAX_NONCE = 100
# Devices without nonces repeat a scan when they receive no answer, or see the code a little longer.
SAME_SCAN = timedelta(seconds=5)


class InvalidRequestError(ValueError):
    """The request is not one of this protocol. The text says why, and quotes nothing of the request."""


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """A request of a device. `path` is the part after the device's key, `content_type` the whole header."""

    method: str
    path: str
    query: str
    content_type: str
    body: bytes

    @property
    def media_type(self) -> str:
        return parse_header_parameters(self.content_type)[0]


@dataclass(frozen=True, slots=True)
class PassageReport:
    """The device reports whether somebody walked through. `nonce` names the scan; "" if the device does not."""

    passed: bool
    nonce: str = ""

    def __post_init__(self) -> None:
        """Raises InvalidRequestError for a nonce that cannot be stored."""
        if not self.nonce.isprintable():
            raise InvalidRequestError("The number of the scan has characters that cannot be printed.")


@dataclass(frozen=True, slots=True)
class PastScan:
    """The device reports a scan of some time ago, which opens nothing now. `at`: the time as the device wrote it."""

    text: str
    at: str

    def __post_init__(self) -> None:
        """Raises InvalidRequestError for a time that cannot be stored."""
        if not self.at.isprintable():
            raise InvalidRequestError("The time has characters that cannot be printed.")


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The device is alive, or reports an event that the portal does not use."""


Message = Scan | PassageReport | PastScan | Heartbeat


class DeviceProtocol(ABC):
    """The protocol of one device, for one request."""

    max_bytes = MAX_BYTES

    def __init__(self, turnstile: Turnstile) -> None:
        self.turnstile = turnstile

    @abstractmethod
    def parse(self, request: DeviceRequest) -> Message:
        """The device's message. Raises InvalidRequestError, and ValueError for what a message does not hold."""

    @abstractmethod
    def answer(self, scan: Scan, answer: Answer) -> HttpResponse:
        """The answer to a scan, as the device expects it."""

    def acknowledge(self) -> HttpResponse:
        """The response to any other message."""
        return HttpResponse(status=200)


def text_of(value: object) -> str:
    """A text or a number as text; "" for anything else."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def nonce_of(value: object) -> str:
    """The number of a scan as it is stored: unchanged, or the digest of one that is too long; "" for none."""
    text = text_of(value)
    return text if len(text) <= MAX_NONCE else sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def decoded(body: bytes) -> str:
    """The body as text. Bytes that are not UTF-8 become replacement characters, which no code has."""
    return body.decode("utf-8", "replace")


def json_object(body: bytes | str) -> dict[str, Any]:
    """The JSON object in a body, with or without a byte order mark.

    Raises InvalidRequestError, also for a repeated field: a device may put a scanned code into JSON without escaping,
    and the code would name a direction of its own.
    """
    try:
        content = json.loads(body, object_pairs_hook=_without_repeats)
    except InvalidRequestError:
        raise
    except (ValueError, RecursionError):
        raise InvalidRequestError("The body is not JSON.") from None
    if not isinstance(content, dict):
        raise InvalidRequestError("The body is not a JSON object.")
    return content


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise InvalidRequestError("A field is repeated.")
    return fields


def form_fields(text: bytes | str) -> dict[str, str]:
    """The fields of a form. Raises InvalidRequestError, also for a repeated field: see json_object."""
    try:
        form = QueryDict(text, encoding="utf-8")
    except (ValueError, SuspiciousOperation):
        raise InvalidRequestError("The form is not readable.") from None
    if any(len(values) > 1 for _name, values in form.lists()):
        raise InvalidRequestError("A field is repeated.")
    return form.dict()
