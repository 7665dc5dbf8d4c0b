"""From the text that a scanner read to a registration code. No variant of a code is ever tried."""

import hashlib
import hmac
import re
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings

from portal.core.problems import Problem
from portal.offision.contract import Codes
from portal.offision.default import contract_from_settings
from portal.offision.errors import OffisionError
from visitors.models import Turnstile

MAX_LENGTH = 128
MAX_URL = 512
# What scanners add around a code: padding, framing, line ends.
_NOISE = "\x00\x02\x03\r\n\t "
# The symbology identifier of a QR code, which some scanners are set to send (ISO/IEC 15424).
_QR_PREFIX = "]Q1"
# The replacement for bytes that were not UTF-8: different codes would look the same.
_REPLACEMENT_CHARACTER = "\ufffd"


class MalformedError(ValueError):
    """The scanned text is not a code."""


def code_of(turnstile: Turnstile, text: str) -> tuple[str, str]:
    """The code in a text that a turnstile scanned, and its digest; "" and the text's digest if there is no code."""
    rule = contract_from_settings().codes
    try:
        code = normalised(text, rule, prefix=turnstile.code_prefix, suffix=turnstile.code_suffix)
    except MalformedError:
        return "", digest(text)
    return code, digest(code)


def normalised(text: str, rule: Codes, *, prefix: str = "", suffix: str = "") -> str:
    """The code in the form of the contract's rule, without the scanner's additions. Raises MalformedError.

    `prefix` and `suffix` are what the scanner is configured to add. A code is taken out of an address if its host is
    one of the rule's; the address is never fetched.
    """
    text = text.strip(_NOISE).removeprefix(_QR_PREFIX).removeprefix(prefix).removesuffix(suffix).strip(_NOISE)
    if text[:8].lower().startswith(("http://", "https://")):
        text = _from_address(text, rule)
    # Outside ASCII, upper and lower case are no one-to-one mapping.
    code = {"counts": text, "upper": text.upper(), "lower": text.lower()}[rule.case] if text.isascii() else text
    if not code or len(code) > MAX_LENGTH or not code.isprintable() or _REPLACEMENT_CHARACTER in code:
        raise MalformedError
    if rule.alphabet and not set(code) <= set(rule.alphabet):
        raise MalformedError
    return code


def _from_address(text: str, rule: Codes) -> str:
    if len(text) > MAX_URL:
        raise MalformedError
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        raise MalformedError from None
    if host is None or host not in {allowed.lower() for allowed in rule.url_hosts}:
        raise MalformedError
    if not rule.url_parameter:
        return unquote(parts.path.rstrip("/").rpartition("/")[2])
    values = parse_qs(parts.query, max_num_fields=50).get(rule.url_parameter, [])
    if len(values) != 1:
        raise MalformedError
    return values[0]


def problem_without_code(error: OffisionError, code: str) -> Problem:
    """The problem of an error from Offision, without the registration code that Offision may have repeated."""
    return _without_code(error.problem, code)


def _without_code(problem: Problem, code: str) -> Problem:
    def replaced(value: object) -> object:
        if isinstance(value, Problem):
            return _without_code(value, code)
        return re.sub(re.escape(code), "***", value, flags=re.IGNORECASE) if isinstance(value, str) else value

    return Problem(problem.code, {name: replaced(value) for name, value in problem.params.items()}) if code else problem


def digest(text: str) -> str:
    """A digest keyed by the portal's secret: a reader of the log learns no code, and cannot test codes against it."""
    return hmac.new(
        settings.SECRET_KEY.encode(), b"visit:" + text.encode("utf-8", "surrogatepass"), hashlib.sha256
    ).hexdigest()
