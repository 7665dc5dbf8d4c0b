"""What every dialect does: take a device's request apart, and word the answer.

A device that understands only its own yes and no gets HTTP 200 with its own no, whatever the reason.
"""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, QueryDict

from visitors.models import Turnstile
from visitors.verification.verify import Answer, Scan

MAX_BYTES = 2048
MAX_NONCE = 100
# Devices that number their scans by nothing send one again when they hear no answer, or see the code a little longer.
SAME_SCAN = timedelta(seconds=5)


class NoQuestionError(ValueError):
    """The request is none that this dialect knows. The text says why."""


@dataclass(frozen=True, slots=True)
class Walked:
    """The device says whether somebody walked through; `nonce` names the scan, "" where it does not."""

    passed: bool
    nonce: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for a nonce that can be none."""
        if not self.nonce.isprintable():
            raise NoQuestionError("The scan's number holds characters that can't be printed.")


@dataclass(frozen=True, slots=True)
class Past:
    """The device tells of a scan of long ago, which opens nothing now. `at`: when that was, in its own words."""

    read: str
    at: str

    def __post_init__(self) -> None:
        """Raises ValueError for a time that can be none."""
        if not self.at.isprintable():
            raise NoQuestionError("The time holds characters that can't be printed.")


@dataclass(frozen=True, slots=True)
class Alive:
    """The device only says that it is there, or tells of what is nothing to the portal."""


Question = Scan | Walked | Past | Alive


class Speaker(ABC):
    """One device's dialect."""

    max_bytes = MAX_BYTES

    def __init__(self, turnstile: Turnstile) -> None:
        self.turnstile = turnstile

    @abstractmethod
    def understand(self, request: HttpRequest, body: bytes, rest: str) -> Question:
        """What the device wants; `rest` is what stands in the path after its secret. Raises NoQuestionError."""

    @abstractmethod
    def answer(self, question: Scan, answer: Answer) -> HttpResponse:
        """The answer to a scan, in the device's words."""

    def thanks(self, question: Question) -> HttpResponse:
        """The answer to what is no scan."""
        return HttpResponse(status=200)


def number_of(value: object) -> str:
    """A scan's number as it is kept: as it came, or a digest of one that is too long to keep; "" for none."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if len(text) <= MAX_NONCE else sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def text_of(body: bytes) -> str:
    """The body as text. What is no UTF-8 stays visible as such, and will be no code."""
    return body.decode("utf-8", "replace")


def object_of(body: bytes | str) -> dict[str, Any]:
    """The JSON object in a body, with or without a byte order mark.

    Raises NoQuestionError, also for a field that is there twice: a code with quotation marks in it may have been put
    into JSON as it was read, and would name its own direction.
    """
    try:
        said = json.loads(body, object_pairs_hook=_each_once)
    except NoQuestionError:
        raise
    except (ValueError, RecursionError):
        raise NoQuestionError("The body is no JSON.") from None
    if not isinstance(said, dict):
        raise NoQuestionError("The body is no JSON object.")
    return said


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) < len(pairs):
        raise NoQuestionError("A field is there twice.")
    return said


def form_of(text: bytes | str) -> dict[str, str]:
    """The fields of a form. Raises NoQuestionError, also for one that is there twice: see object_of."""
    try:
        said = QueryDict(text, encoding="utf-8")
    except (ValueError, SuspiciousOperation):
        raise NoQuestionError("The form can't be read.") from None
    if any(len(values) > 1 for _name, values in said.lists()):
        raise NoQuestionError("A field is there twice.")
    return said.dict()
