"""What a seal is computed from. Pure: no database, no clock.

A leaf is the hash of one entry; a block's root is the Merkle tree hash of its leaves as RFC 6962 defines it; a seal's
hash covers the root and the hash of the seal before. The first byte distinguishes leaves,
nodes and seals. FORM numbers the way of hashing, so that a later one can coexist with this one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256

FORM = 1
# The first seal has this as the hash of the seal before.
NOTHING = "0" * 64
# The fields of an entry that its leaf covers: all. `reasons` and `detail` are the text of PostgreSQL's jsonb, which is
# one text for one value and keeps every digit of a number.
FIELDS = (
    "id",
    "at",
    "actor",
    "action",
    "object_type",
    "object_id",
    "object_label",
    "outcome",
    "reasons",
    "detail",
)


def leaf_hash(entry: Mapping[str, object]) -> bytes:
    """The hash of one entry, from its FIELDS. Raises KeyError where one is missing."""
    return sha256(b"\x00" + _canonical({"form": FORM} | {name: entry[name] for name in FIELDS})).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash of RFC 6962 over leaf hashes, in their order."""
    if not leaves:
        return sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        pairs = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        # A node without a partner goes up as it is: hashed with itself, it would equal two of it.
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


@dataclass(frozen=True, slots=True)
class Block:
    """The fields of a seal that its hash covers."""

    number: int
    first_id: int
    last_id: int
    count: int
    root: str
    previous: str
    sealed_at: datetime

    def hash(self) -> str:
        """The seal's own hash, in hexadecimal."""
        return sha256(b"\x02" + _canonical({"form": FORM} | asdict(self))).hexdigest()


def _canonical(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), default=_as_text).encode("ascii")


def _as_text(value: object) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"{type(value).__name__} has no canonical form here.")
    return value.astimezone(UTC).isoformat(timespec="microseconds")
