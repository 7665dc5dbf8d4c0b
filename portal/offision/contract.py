"""The contract file: what requests to one Offision server look like, and how its answers are read.

`Contract.load` reads TOML, compiles every JMESPath expression, and refuses a file that could not work, naming each
wrong key.
"""

import functools
import hashlib
import hmac
import tomllib
from base64 import b64encode
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from portal.core.problems import QUOTED, Problem
from portal.offision import problems
from portal.offision.errors import ContractError, Invalid
from portal.offision.operations import OPERATIONS, OperationName, placeholders
from portal.offision.statuses import BookingStatus, VisitStatus

MAX_FILE_BYTES = 1_000_000
MAX_ID = 200

Confirmed = Literal["confirmed", "unconfirmed"]
Word = StrictStr | StrictInt | StrictBool


class Expression:
    """A compiled JMESPath expression."""

    def __init__(self, text: object) -> None:
        """Raises Invalid where `text` is no valid JMESPath."""
        if not isinstance(text, str) or not text.strip():
            raise Invalid(problems.NOT_QUOTED())
        self.text = text
        try:
            self._compiled = jmespath.compile(text)
        except JMESPathError as error:
            raise Invalid(problems.NOT_JMESPATH(text=text, why=str(error).splitlines()[0])) from None

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def read(self, data: Any) -> Any:
        """The value of the expression in `data`; None where there is none, or where it cannot be applied."""
        try:
            return self._compiled.search(data)
        except JMESPathError:
            return None


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


JMESPath = Annotated[Expression, PlainValidator(Expression)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def known_zone(name: str) -> ZoneInfo | None:
    """The time zone of an IANA name, or None where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no possible name, the name of a directory
        return None


class Auth(_Part):
    """How the access token is sent: `Authorization: TOKEN`, or HTTP Basic with the token as user name."""

    style: Literal["bare", "basic"]
    status: Confirmed


class Answers(_Part):
    """The envelope: `error` is true of an answer that says no; `message` finds the server's words for it."""

    error: JMESPath | None = None
    message: JMESPath | None = None
    status: Confirmed


class Times(_Part):
    """How moments are written. `naive` is the zone of those without an offset: "site" or an IANA name."""

    format: Literal["iso", "epoch_seconds", "epoch_milliseconds"]
    naive: str = "site"
    status: Confirmed

    @model_validator(mode="after")
    def _known_zone(self) -> Self:
        if self.naive != "site" and known_zone(self.naive) is None:
            raise Invalid(problems.UNKNOWN_ZONE(zone=self.naive))
        return self

    def zone(self, site: ZoneInfo) -> ZoneInfo:
        """The zone of moments without an offset; `site` is the site's."""
        return site if self.naive == "site" else ZoneInfo(self.naive)


class Page(_Part):
    """How the next page is requested, and which of three things shows that there is one.

    `count` finds the number of pages, `total` the number of records on all pages, `next` the token to send for the
    next page (nothing on the last).
    """

    parameter: str
    first: int = 1
    count: JMESPath | None = None
    total: JMESPath | None = None
    next: JMESPath | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if sum(rule is not None for rule in (self.count, self.total, self.next)) != 1:
            raise Invalid(problems.ONE_PAGE_RULE())
        return self


class Operation(_Part):
    """One operation: the request, which statuses mean success or "not known", and how the answer is read.

    `status` is about the request, `answer_status` about what is read from the answer.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: Annotated[str, Field(pattern=r"^/[^?#\s]*$")]
    query: dict[str, str | StrictInt | StrictBool] = {}
    body: dict[str, Any] | None = None
    success: tuple[StrictInt, ...] = (200,)
    missing: tuple[StrictInt, ...] = (404,)
    records: JMESPath | None = None
    record: JMESPath = Expression("@")
    fields: dict[str, JMESPath] = {}
    page: Page | None = None
    status: Confirmed
    answer_status: Confirmed

    def uses(self, placeholder: str) -> bool:
        """Whether the request has `{placeholder}` anywhere."""
        return placeholder in placeholders([self.path, self.query, self.body])


class Words(_Part):
    """The meaning of status words, or numbers. Case and surrounding space do not count; other words are UNKNOWN."""

    booking: dict[BookingStatus, tuple[Word, ...]] = {}
    visit: dict[VisitStatus, tuple[Word, ...]] = {}

    @model_validator(mode="after")
    def _each_word_once(self) -> Self:
        tables: tuple[dict[Any, tuple[Word, ...]], ...] = (self.booking, self.visit)
        for table in tables:
            if any(status == "unknown" for status in table):
                raise Invalid(problems.UNKNOWN_LISTED())
            words = [plain_word(word) for listed in table.values() for word in listed]
            if twice := sorted({word for word in words if words.count(word) > 1}):
                raise Invalid(problems.LISTED_TWICE(word=twice[0]))
        return self

    def booking_status(self, word: Any) -> BookingStatus:
        """What a booking's status word or number means."""
        return next((s for s, listed in self.booking.items() if _is_listed(word, listed)), BookingStatus.UNKNOWN)

    def visit_status(self, word: Any) -> VisitStatus:
        """What a visit's status word or number means."""
        return next((s for s, listed in self.visit.items() if _is_listed(word, listed)), VisitStatus.UNKNOWN)


def plain_word(word: Any) -> str:
    """A status word as it is compared: 2, 2.0 and "2" are equal, as are "Confirmed" and " confirmed"."""
    if isinstance(word, float) and word.is_integer():
        word = int(word)
    return str(word).strip().casefold() if isinstance(word, str | int | float) else ""


def _is_listed(word: Any, listed: tuple[Word, ...]) -> bool:
    plain = plain_word(word)
    return bool(plain) and plain in {plain_word(known) for known in listed}


class Signature(_Part):
    """How Offision signs its callbacks: an HMAC of the raw body in a header."""

    header: str
    algorithm: Literal["hmac-sha256"]
    encoding: Literal["hex", "base64"]
    prefix: str = ""

    def verify(self, *, secret: bytes, body: bytes, value: str) -> bool:
        """Whether the header's `value` is the signature of `body`; compared in constant time."""
        value = value.strip()
        if not value.startswith(self.prefix):
            return False
        sent = value.removeprefix(self.prefix)
        digest = hmac.new(secret, body, hashlib.sha256).digest()
        if self.encoding == "hex":
            return hmac.compare_digest(digest.hex().encode(), sent.lower().encode())
        return hmac.compare_digest(b64encode(digest), sent.encode())

    def sign(self, *, secret: bytes, body: bytes) -> str:
        """The header's value for `body`, as Offision would send it."""
        digest = hmac.new(secret, body, hashlib.sha256).digest()
        return self.prefix + (digest.hex() if self.encoding == "hex" else b64encode(digest).decode())


class Callback(_Part):
    """What Offision sends to our callback URL: where the resource's id may stand, and how it is signed."""

    resources: Annotated[tuple[JMESPath, ...], BeforeValidator(_one_or_many), Field(min_length=1)] = Field(
        alias="resource_id"
    )
    signature: Signature | None = None
    status: Confirmed

    def resource_id(self, payload: Any) -> str | None:
        """The first resource id in a callback's payload, or None. Never raises, whatever was sent."""
        for expression in self.resources:
            value = expression.read(payload)
            if isinstance(value, bool) or not isinstance(value, str | int):
                continue
            text = str(value).strip()
            if text and len(text) <= MAX_ID and text.isprintable():
                return text
        return None


class Codes(_Part):
    """The form of a registration code. A scanned code is normalised to it, and never guessed at."""

    case: Literal["counts", "upper", "lower"] = "counts"  # or: all codes are in upper or lower case
    alphabet: str = ""  # the characters that a code may have; "": any that can be printed
    # A QR code may hold an address with the code in it: on which hosts, and in which query parameter ("": the last
    # step of the path). Addresses are never fetched.
    url_hosts: tuple[str, ...] = ()
    url_parameter: str = ""


class SubscriptionRule(_Part):
    """Whether one subscription serves all resources, or each needs its own."""

    scope: Literal["all", "per_resource"]
    status: Confirmed


class Contract(_Part):
    """A whole contract, ready to use."""

    auth: Auth
    answers: Answers
    times: Times
    words: Words = Words()
    operations: dict[OperationName, Operation] = {}
    callback: Callback
    codes: Codes = Codes()
    subscription: SubscriptionRule

    @model_validator(mode="after")
    def _operations_fit(self) -> Self:
        for name, operation in self.operations.items():
            for key, why in OPERATIONS[name].misfits(
                request=[operation.path, operation.query, operation.body],
                fields=operation.fields.keys(),
                has_records=operation.records is not None,
            ):
                raise Invalid(problems.KEY_WRONG(key=f"operations.{name}.{key}", why=why))
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """The contract in a TOML file. Raises ContractError, naming each key that is wrong."""
        try:
            data = path.read_bytes()
            if len(data) > MAX_FILE_BYTES:
                raise ContractError(problems.LARGE_CONTRACT(path=str(path)))
            return cls.parse(data.decode(), name=str(path))
        except OSError as error:
            raise ContractError(problems.UNREADABLE_CONTRACT(path=str(path), why=str(error.strerror))) from error
        except UnicodeDecodeError as error:
            raise ContractError(problems.NOT_UTF8(path=str(path))) from error

    @classmethod
    def parse(cls, text: str, *, name: str) -> Self:
        """The contract in TOML text; `name` names it in errors. Raises ContractError."""
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ContractError(problems.NOT_TOML(name=name, why=str(error))) from error
        except ValidationError as error:
            first, *others = (_problem(dict(detail)) for detail in error.errors())
            why = functools.reduce(lambda one, more: problems.AND(one=one, more=more), others, first)
            raise ContractError(problems.UNUSABLE(name=name, why=why)) from None

    def has(self, operation: str) -> bool:
        """Whether the contract describes this operation."""
        return operation in self.operations


def _problem(detail: dict[str, Any]) -> Problem:
    """One of pydantic's error details; the key is dotted."""
    key = ".".join(str(step) for step in detail["loc"] if step != "[key]")
    if detail["type"] == "missing":
        return problems.KEY_MISSING(key=key)
    if detail["type"] == "extra_forbidden":
        return problems.KEY_UNKNOWN(key=key)
    error = detail.get("ctx", {}).get("error")
    why = error.problem if isinstance(error, Invalid) else QUOTED(text=detail["msg"])
    return problems.KEY_WRONG(key=key, why=why) if key else why
