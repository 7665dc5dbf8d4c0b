"""What a seal is computed from: whatever is changed shows."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.audit.models import Entry
from portal.audit.sealing import FIELDS, NOTHING, Block, leaf_hash, merkle_root

AT = datetime(2026, 3, 10, 1, 0, 0, 123456, tzinfo=UTC)
ENTRY = {
    "id": 7,
    "at": AT,
    "actor": "ann",
    "action": "plan.approve",
    "object_type": "accessmap.Door",
    "object_id": "3",
    "object_label": "L10",
    "outcome": "done",
    "reasons": '["asked"]',
    "detail": '{"n": 0.10}',
}
BLOCK = Block(number=2, first_id=7, last_id=9, count=2, root="ab" * 32, previous=NOTHING, sealed_at=AT)
text = st.text(max_size=20)
entries = st.fixed_dictionaries(
    dict.fromkeys(FIELDS, text) | {"id": st.integers(1, 2**63 - 1), "at": st.datetimes(timezones=st.just(UTC))}
)


def test_a_leaf_covers_every_column_of_an_entry():
    assert set(FIELDS) == {field.name for field in Entry._meta.concrete_fields}


@given(entries, entries)
def test_two_entries_have_one_leaf_only_if_they_are_the_same(one, other):
    assert (leaf_hash(one) == leaf_hash(other)) == (one == other)


@given(entries, st.sampled_from(FIELDS), st.data())
def test_any_change_of_any_field_changes_the_root(entry, name, data):
    strategy = {"id": st.integers(1, 2**63 - 1), "at": st.datetimes(timezones=st.just(UTC))}.get(name, text)
    changed = entry | {name: data.draw(strategy.filter(lambda value: value != entry[name]))}
    others = [leaf_hash(ENTRY | {"id": number}) for number in range(3)]
    assert merkle_root([*others, leaf_hash(entry)]) != merkle_root([*others, leaf_hash(changed)])


def test_a_moment_has_one_leaf_in_whatever_zone_it_is_told():
    there = AT.astimezone(timezone(timedelta(hours=8)))
    assert leaf_hash(ENTRY | {"at": there}) == leaf_hash(ENTRY)
    assert leaf_hash(ENTRY | {"at": AT + timedelta(microseconds=1)}) != leaf_hash(ENTRY)
    with pytest.raises(TypeError):
        leaf_hash(ENTRY | {"at": AT.replace(tzinfo=None)})


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40, unique=True), st.data())
def test_what_is_put_elsewhere_left_out_or_added_changes_the_root(leaves, data):
    root = merkle_root(leaves)
    at = data.draw(st.integers(0, len(leaves) - 1))
    assert merkle_root(leaves[:at] + leaves[at + 1 :]) != root
    assert merkle_root([*leaves[:at], leaves[at], *leaves[at:]]) != root
    other = data.draw(st.permutations(leaves))
    assert (merkle_root(other) == root) == (other == leaves)


def split_as_the_standard_says(leaves):
    """RFC 6962, section 2.1, word for word: split at the largest power of two that is smaller than their number."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + split_as_the_standard_says(leaves[:k]) + split_as_the_standard_says(leaves[k:])).digest()


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=70))
def test_the_root_is_that_of_the_standard(leaves):
    assert merkle_root(leaves) == split_as_the_standard_says(leaves)


def test_the_roots_known_from_certificate_transparency():
    """The test vectors that implementations of RFC 6962 share; their leaves are hashed as ours are."""
    data = [b"", b"\x00", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43"]
    leaves = [sha256(b"\x00" + one).digest() for one in data]
    assert merkle_root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle_root(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle_root(leaves[:2]).hex() == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    assert merkle_root(leaves[:3]).hex() == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"


@given(st.sampled_from(["number", "first_id", "last_id", "count", "root", "previous", "sealed_at"]))
def test_a_seal_covers_all_that_it_says(name):
    from dataclasses import replace

    value = getattr(BLOCK, name)
    other = {"root": "cd" * 32, "previous": "cd" * 32, "sealed_at": AT + timedelta(seconds=1)}.get(name, 77)
    assert value != other
    assert replace(BLOCK, **{name: other}).hash() != BLOCK.hash()


def test_the_forms_stay_as_they_are():
    """Seals of years ago must verify: whoever changes a form makes another, with another number."""
    assert leaf_hash(ENTRY).hex() == "e88f519b0ca7c42ba73d5d8823c42b29619e894310b7316563ca89252d688390"
    assert BLOCK.hash() == "15ec085c89f466e202d6efb254642037921eae1052623361e189396ad1707cf1"
