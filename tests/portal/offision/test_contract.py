"""Contracts that work, and the errors of those that do not."""

import hashlib
import hmac
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from portal.core.problems import Problem
from portal.offision.contract import Contract, Signature
from portal.offision.errors import ContractError
from portal.offision.operations import fill
from portal.offision.statuses import BookingStatus
from tests.portal.offision.conftest import SHIPPED


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('style = "bare"', 'style = "bearer"', "auth.style"),
        ('style = "bare"', "", "auth.style is missing"),
        ('style = "bare"', 'style = "bare"\ncolour = 1', "auth.colour is not a key"),
        ('fields.starts_at = "startTime"', "", "operations.daily_bookings.fields.starts_at: is missing"),
        ('fields.starts_at = "startTime"', 'fields.starts_at = "a["', r'fields.starts_at: "a\[" is not a JMESPath'),
        ('fields.starts_at = "startTime"', "fields.starts_at = 3", "fields.starts_at: a JMESPath"),
        ('fields.starts_at = "startTime"', 'fields.start = "x"', "daily_bookings.fields.start: is not a field"),
        ('query = { date = "{date}" }', "", r"daily_bookings.path: one of \{date\}, \{from\} must stand"),
        ('{ date = "{date}" }', '{ date = "{dat}" }', r"\{dat\} cannot be filled in"),
        ('records = "data.items"\npage', "page", "records: is missing"),
        ('count = "data.pageCount"', 'count = "a", total = "b"', "page: exactly one"),
        ('path = "/API/external/system', 'path = "API/external/system', "information.path"),
        ("[operations.visit]", "[operations.visitt]", "operations.visitt"),
        ('cancelled = ["cancelled"]', 'cancelled = [" Confirmed"]', '"confirmed" is listed under two'),
        ('cancelled = ["cancelled"]', 'unknown = ["x"]', '"unknown" takes no words'),
        ('naive = "site"', 'naive = "Hongkong/Asia"', "neither"),
        ('scope = "all"', 'scope = "some"', "subscription.scope"),
        ('resource_id = ["resourceId"', 'resource_id = ["["', "callback.resource_id"),
        ("[auth]", "[auth", "is not TOML"),
    ],
)
def test_errors_name_the_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = SHIPPED.read_text()
    assert old in text
    path = tmp_path / "contract.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ContractError, match=words):
        Contract.load(path)


def test_errors_are_codes_in_the_readers_language(tmp_path: Path) -> None:
    text = SHIPPED.read_text().replace('style = "bare"', "").replace('naive = "site"', 'naive = "Moon"')
    with override("zh-hant"), pytest.raises(ContractError) as caught:
        Contract.parse(text, name="two errors")
    problem = Problem.from_json(json.loads(json.dumps(caught.value.problem.as_json())))
    parts = "offision.contract.key_wrong(offision.contract.unknown_zone),offision.contract.key_missing"
    assert problem.key == f"offision.contract.unusable(offision.contract.and({parts}))"
    with override("en"):
        assert "auth.style is missing; times: naive" in str(problem)


def test_files_that_are_no_contract(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="cannot be read"):
        Contract.load(tmp_path / "absent.toml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ContractError, match="not UTF-8"):
        Contract.load(tmp_path / "binary")
    (tmp_path / "huge").write_bytes(b"#" * 1_000_001)
    with pytest.raises(ContractError, match="too large"):
        Contract.load(tmp_path / "huge")


def test_only_auth_and_information_are_confirmed(contract: Contract) -> None:
    confirmed = {name for name, operation in contract.operations.items() if operation.status == "confirmed"}
    assert confirmed == {"information"}
    assert {operation.answer_status for operation in contract.operations.values()} == {"unconfirmed"}
    parts = (contract.answers, contract.times, contract.callback, contract.subscription)
    assert {part.status for part in parts} == {"unconfirmed"}


def test_numbers_as_status_words() -> None:
    text = SHIPPED.read_text().replace('confirmed = ["confirmed"]', 'confirmed = [1, "yes"]')
    words = Contract.parse(text, name="numbers").words
    for word in (1, 1.0, "1", "YES "):
        assert words.booking_status(word) is BookingStatus.CONFIRMED
    for unknown in (True, 1.5, "1.0", [1], None, ""):
        assert words.booking_status(unknown) is BookingStatus.UNKNOWN


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"resourceId": " room-1 "}, "room-1"),
        ({"data": {"resourceId": 12}}, "12"),
        ({"resourceId": "", "resource": {"id": "r"}}, "r"),
        ({"resourceId": True}, None),
        ({"resourceId": ["room-1"]}, None),
        ({"resourceId": "x" * 201}, None),
        ({"resourceId": "a\0b"}, None),
        ([], None),
        (None, None),
        ("room-1", None),
    ],
)
def test_callbacks(contract: Contract, payload: Any, expected: str | None) -> None:
    assert contract.callback.resource_id(payload) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["resourceId", "data", "resource", "id"]), inner),
)


CALLBACK = Contract.load(SHIPPED).callback


@given(json_values)
def test_no_callback_raises(payload: Any) -> None:
    resource_id = CALLBACK.resource_id(payload)
    assert resource_id is None or 0 < len(resource_id) <= 200


@pytest.mark.parametrize(("encoding", "prefix"), [("hex", ""), ("hex", "sha256="), ("base64", ""), ("base64", "v1,")])
def test_signatures(encoding: Any, prefix: str) -> None:
    rule = Signature(header="X-Signature", algorithm="hmac-sha256", encoding=encoding, prefix=prefix)
    digest = hmac.new(b"secret", b"body", hashlib.sha256).digest()
    sent = prefix + (digest.hex() if encoding == "hex" else b64encode(digest).decode())
    assert rule.verify(secret=b"secret", body=b"body", value=sent)
    assert not rule.verify(secret=b"secret", body=b"body.", value=sent)
    assert not rule.verify(secret=b"other", body=b"body", value=sent)
    for wrong in ("", prefix, sent[:-1], "é" + sent, sent.removeprefix(prefix) + "0"):
        assert not rule.verify(secret=b"secret", body=b"body", value=wrong)
    if prefix:
        assert not rule.verify(secret=b"secret", body=b"body", value=sent.removeprefix(prefix))


def test_a_placeholder_without_a_value_is_left_out_with_its_key() -> None:
    template = {"url": "{callback_url}", "ids": ["{resource_id:number}"], "one": {"id": "{resource_id}"}, "n": 1}
    assert fill(template, {"callback_url": "u", "resource_id": None}) == {"url": "u", "ids": [], "one": {}, "n": 1}
    filled = fill(template, {"callback_url": "u", "resource_id": "7"})
    assert filled == {"url": "u", "ids": [7], "one": {"id": "7"}, "n": 1}


def test_a_filled_in_value_is_not_filled_in_again() -> None:
    assert fill("{code}/{resource_id}", {"code": "{resource_id}", "resource_id": "r"}) == "{resource_id}/r"
