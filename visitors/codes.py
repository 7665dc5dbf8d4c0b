"""From what a scanner read to a registration code. Nothing is guessed: case counts, and no variant is tried."""

MAX_LENGTH = 128
# What scanners add around a code: padding, framing, line ends.
_NOISE = "\x00\x02\x03\r\n\t "
# The symbology identifier of a QR code, which some scanners are set to send (ISO/IEC 15424).
_QR_PREFIX = "]Q1"


class MalformedError(ValueError):
    """What was read can be no code."""


def normalised(read: str) -> str:
    """The code without what the scanner added to it. Raises MalformedError."""
    code = read.strip(_NOISE).removeprefix(_QR_PREFIX).strip(_NOISE)
    if not code or len(code) > MAX_LENGTH or not code.isprintable():
        raise MalformedError
    return code
