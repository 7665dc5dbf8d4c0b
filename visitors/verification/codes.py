"""From what a scanner read to a registration code. Nothing is guessed: no variant is ever tried."""

import hashlib
import hmac
import re
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings

from portal.offision.contract import Codes
from portal.offision.default import contract_from_settings
from visitors.models import Turnstile

MAX_LENGTH = 128
MAX_URL = 512
# What scanners add around a code: padding, framing, line ends.
_NOISE = "\x00\x02\x03\r\n\t "
# The symbology identifier of a QR code, which some scanners are set to send (ISO/IEC 15424).
_QR_PREFIX = "]Q1"
# What stands where bytes were no UTF-8: several codes would look the same.
_NO_CHARACTER = "\ufffd"


class MalformedError(ValueError):
    """What was read can be no code."""


def code_of(turnstile: Turnstile, read: str) -> tuple[str, str]:
    """The code that a turnstile's scanner read, and its digest; "" and a digest of what was read where that is none."""
    rule = contract_from_settings().codes
    try:
        code = normalised(read, rule, prefix=turnstile.code_prefix, suffix=turnstile.code_suffix)
    except MalformedError:
        return "", digest(read)
    return code, digest(code)


def normalised(read: str, rule: Codes, *, prefix: str = "", suffix: str = "") -> str:
    """The code in the form of the contract's rule, without what the scanner added to it. Raises MalformedError.

    `prefix` and `suffix` are what this scanner is set to add. An address is taken apart, on the rule's hosts only, and
    never fetched.
    """
    text = read.strip(_NOISE).removeprefix(_QR_PREFIX).removeprefix(prefix).removesuffix(suffix).strip(_NOISE)
    if text[:8].lower().startswith(("http://", "https://")):
        text = _of_address(text, rule)
    # Only letters of ASCII have one other case each.
    code = {"counts": text, "upper": text.upper(), "lower": text.lower()}[rule.case] if text.isascii() else text
    if not code or len(code) > MAX_LENGTH or not code.isprintable() or _NO_CHARACTER in code:
        raise MalformedError
    if rule.alphabet and not set(code) <= set(rule.alphabet):
        raise MalformedError
    return code


def _of_address(text: str, rule: Codes) -> str:
    if len(text) > MAX_URL:
        raise MalformedError
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        raise MalformedError from None
    if host is None or host not in {known.lower() for known in rule.url_hosts}:
        raise MalformedError
    if not rule.url_parameter:
        return unquote(parts.path.rstrip("/").rpartition("/")[2])
    found = parse_qs(parts.query, max_num_fields=50).get(rule.url_parameter, [])
    if len(found) != 1:
        raise MalformedError
    return found[0]


def without(code: str, text: str) -> str:
    """Words of Offision's without the code that they may repeat."""
    return re.sub(re.escape(code), "***", text, flags=re.IGNORECASE) if code else text


def digest(text: str) -> str:
    """A digest that only this portal can make: whoever reads the log learns no code, and can't try codes against it."""
    return hmac.new(
        settings.SECRET_KEY.encode(), b"visit:" + text.encode("utf-8", "surrogatepass"), hashlib.sha256
    ).hexdigest()
