"""The contract file: how one Offision server is asked, and how its answers are read. None of it is code.

`Contract.load` reads TOML, compiles every JMESPath expression, and refuses a file that could not work, naming
the key.
"""

import hashlib
import hmac
import tomllib
from base64 import b64encode
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import jmespath
from django.utils.translation import gettext as _
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

from portal.offision.errors import ContractError
from portal.offision.operations import OPERATIONS, OperationName, placeholders
from portal.offision.types import BookingStatus, VisitStatus

MAX_FILE_BYTES = 1_000_000
MAX_ID = 200

Confirmed = Literal["confirmed", "unconfirmed"]
Word = StrictStr | StrictInt | StrictBool


class Expression:
    """A compiled JMESPath expression."""

    def __init__(self, text: object) -> None:
        """Raises ValueError where `text` is no valid JMESPath."""
        if not isinstance(text, str) or not text.strip():
            raise ValueError(_("a JMESPath expression is needed, between quotation marks"))
        self.text = text
        try:
            self._compiled = jmespath.compile(text)
        except JMESPathError as error:
            raise ValueError(
                _("%(text)r is not a JMESPath expression: %(why)s") % {"text": text, "why": str(error).splitlines()[0]}
            ) from None

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def read(self, data: Any) -> Any:
        """What the expression finds in `data`; None where it finds nothing or cannot be applied."""
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
    """The envelope: `error` finds something true in an answer that says no, `message` its words for it."""

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
            raise ValueError(
                _('naive = "%(zone)s" is neither "site" nor a time zone such as "Asia/Hong_Kong"')
                % {"zone": self.naive}
            )
        return self

    def zone(self, site: ZoneInfo) -> ZoneInfo:
        """The zone of a moment that carries none, where `site` is the site's."""
        return site if self.naive == "site" else ZoneInfo(self.naive)


class Page(_Part):
    """How the next page is asked for, and which of three things tells that there is one.

    `count` finds the number of pages, `total` the number of records on all pages, `next` the token to send
    for the next page (nothing on the last).
    """

    parameter: str
    first: int = 1
    count: JMESPath | None = None
    total: JMESPath | None = None
    next: JMESPath | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if sum(rule is not None for rule in (self.count, self.total, self.next)) != 1:
            raise ValueError(_("exactly one of count, total and next must be given"))
        return self


class Operation(_Part):
    """One operation: the request, which statuses mean success or "not known", and how the answer is read.

    `status` speaks of the request, `answer_status` of what is read from the answer.
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
    """Which status words, or numbers, mean what. Case and space around do not count; the rest is UNKNOWN."""

    booking: dict[BookingStatus, tuple[Word, ...]] = {}
    visit: dict[VisitStatus, tuple[Word, ...]] = {}

    @model_validator(mode="after")
    def _each_word_once(self) -> Self:
        tables: tuple[dict[Any, tuple[Word, ...]], ...] = (self.booking, self.visit)
        for table in tables:
            if any(status == "unknown" for status in table):
                raise ValueError(_('"unknown" takes no words: every word that is not listed is unknown'))
            words = [plain_word(word) for listed in table.values() for word in listed]
            if twice := sorted({word for word in words if words.count(word) > 1}):
                raise ValueError(_("%(word)r is listed under two meanings") % {"word": twice[0]})
        return self

    def booking_status(self, word: Any) -> BookingStatus:
        """What a booking's status word or number means."""
        return next((s for s, listed in self.booking.items() if _is_listed(word, listed)), BookingStatus.UNKNOWN)

    def visit_status(self, word: Any) -> VisitStatus:
        """What a visit's status word or number means."""
        return next((s for s, listed in self.visit.items() if _is_listed(word, listed)), VisitStatus.UNKNOWN)


def plain_word(word: Any) -> str:
    """A status word as it is compared: 2, 2.0 and "2" are one, as are "Confirmed" and " confirmed"."""
    if isinstance(word, float) and word.is_integer():
        word = int(word)
    return str(word).strip().casefold() if isinstance(word, str | int | float) else ""


def _is_listed(word: Any, listed: tuple[Word, ...]) -> bool:
    plain = plain_word(word)
    return bool(plain) and plain in {plain_word(known) for known in listed}


class Signature(_Part):
    """How Offision signs its callbacks, where it does: an HMAC of the raw body in a header."""

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
    """What Offision sends to our callback URL: where a resource's id may stand, and how it is signed."""

    resources: Annotated[tuple[JMESPath, ...], BeforeValidator(_one_or_many), Field(min_length=1)] = Field(
        alias="resource_id"
    )
    signature: Signature | None = None
    status: Confirmed

    def resource_id(self, payload: Any) -> str | None:
        """The first resource id found in a callback's payload, or None. Never raises, whatever was sent."""
        for expression in self.resources:
            found = expression.read(payload)
            if isinstance(found, bool) or not isinstance(found, str | int):
                continue
            text = str(found).strip()
            if text and len(text) <= MAX_ID and text.isprintable():
                return text
        return None


class Codes(_Part):
    """What a registration code looks like. What a scanner reads is brought into this form, and never varied."""

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
            for where, why in OPERATIONS[name].complaints(
                asked=[operation.path, operation.query, operation.body],
                fields=operation.fields.keys(),
                has_records=operation.records is not None,
            ):
                raise ValueError(f"operations.{name}.{where}: {why}")
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """The contract in a TOML file. Raises ContractError, naming each key that is wrong."""
        try:
            data = path.read_bytes()
            if len(data) > MAX_FILE_BYTES:
                raise ContractError(_("%(path)s is too large to be a contract.") % {"path": path})
            return cls.parse(data.decode(), name=str(path))
        except OSError as error:
            raise ContractError(
                _("The contract %(path)s cannot be read: %(why)s.") % {"path": path, "why": error.strerror}
            ) from error
        except UnicodeDecodeError as error:
            raise ContractError(_("The contract %(path)s is not UTF-8 text.") % {"path": path}) from error

    @classmethod
    def parse(cls, text: str, *, name: str) -> Self:
        """The contract in TOML text; `name` is what errors call it. Raises ContractError."""
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ContractError(
                _("The contract %(name)s is not TOML: %(why)s.") % {"name": name, "why": error}
            ) from error
        except ValidationError as error:
            problems = "; ".join(_explained(dict(found)) for found in error.errors())
            raise ContractError(
                _("The contract %(name)s cannot be used: %(problems)s.") % {"name": name, "problems": problems}
            ) from None

    def has(self, operation: str) -> bool:
        """Whether the contract says how to do this operation."""
        return operation in self.operations


def _explained(found: dict[str, Any]) -> str:
    """One complaint of pydantic's as words, led by the dotted key."""
    key = ".".join(str(step) for step in found["loc"] if step != "[key]")
    if found["type"] == "missing":
        return _("%(key)s is missing") % {"key": key}
    if found["type"] == "extra_forbidden":
        return _("%(key)s is not a key of a contract") % {"key": key}
    why = str(found["msg"]).removeprefix("Value error, ")
    return f"{key}: {why}" if key else why
