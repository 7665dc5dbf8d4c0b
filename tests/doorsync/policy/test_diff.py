"""What may be changed at a controller, and what is never touched."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from doorsync.policy.diff import diff
from doorsync.policy.safety import at_stake, revoked, suspicious, suspicious_everywhere, too_many
from doorsync.policy.windows import ALWAYS, Permission, Window, without_lapsed

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
PAST, PRESENT, FUTURE = Window(NOW - 2 * HOUR, NOW), Window(NOW - HOUR, NOW + HOUR), Window(NOW + HOUR, NOW + 2 * HOUR)

keys = st.sampled_from("abcdef")
records = st.dictionaries(
    st.integers(1, 2), st.sampled_from([(PRESENT,), (FUTURE,), (PAST,), (PAST, FUTURE), (ALWAYS,)]), min_size=1
)
wanted_records = records.map(lambda r: without_lapsed(r, NOW)).filter(bool)


@given(st.dictionaries(keys, wanted_records), st.dictionaries(keys, records), st.sets(keys))
def test_applying_the_difference_gives_what_is_wanted_and_spares_what_is_foreign(wanted, actual, owned):
    changes = diff(wanted, actual, owned, now=NOW)
    after = {key: record for key, record in actual.items() if key not in changes.remove}
    after |= {**changes.add, **changes.update}
    foreign = actual.keys() - owned
    for key in foreign:
        assert after[key] == actual[key]
        assert changes.unmanaged[key] == actual[key]
    for key in wanted.keys() - foreign:
        assert without_lapsed(after[key], NOW) == wanted[key]
    assert after.keys() <= wanted.keys() | foreign
    again = diff(wanted, after, owned | wanted.keys() - foreign, now=NOW)
    assert not again.add
    assert not again.update
    assert not again.remove
    assert changes.contested == foreign & wanted.keys()


def test_windows_that_ran_out_are_no_reason_to_write():
    held = {"a": {1: (PAST, FUTURE)}}
    assert diff({"a": {1: (FUTURE,)}}, held, {"a"}, now=NOW).unchanged == {"a"}


def promised(**cards):
    return {c: {door: (Permission(w, ("why",)),) for door, w in doors.items()} for c, doors in cards.items()}


def test_only_what_was_promised_from_now_on_counts_as_revoked():
    before = promised(ran_out={1: PAST}, still_on={1: PRESENT}, to_come={1: FUTURE}, kept={1: PRESENT})
    assert revoked(before, {"kept": {1}}, now=NOW) == {("still_on", 1), ("to_come", 1)}


def test_a_door_counts_as_revoked_also_where_the_card_keeps_another():
    before = promised(some={1: FUTURE, 2: ALWAYS}, moved={1: FUTURE})
    assert revoked(before, {"some": {2}, "moved": {3}}, now=NOW) == {("some", 1)}, "a meeting that moved is none"


def test_standing_access_is_not_at_stake():
    assert at_stake(promised(some={1: FUTURE, 2: ALWAYS, 3: PAST}), now=NOW) == {("some", 1)}


def test_a_person_is_asked_only_for_many_and_for_most():
    assert not too_many(revoked=10, promised=10, limit=10)
    assert too_many(revoked=11, promised=21, limit=10)
    assert not too_many(revoked=11, promised=22, limit=10)


def test_an_answer_is_doubted_for_what_it_takes_away():
    assert suspicious(coming=40, lost=40, vanished=0, limit=10)
    assert suspicious(coming=5, lost=5, vanished=5, limit=10), "what vanishes without a word is doubted sooner"
    assert not suspicious(coming=4, lost=4, vanished=4, limit=10)
    assert not suspicious(coming=5, lost=5, vanished=4, limit=10)
    assert not suspicious(coming=0, lost=0, vanished=0, limit=10)
    assert not suspicious(coming=40, lost=11, vanished=11, limit=10)


def test_a_little_everywhere_is_doubted_too():
    assert suspicious_everywhere(coming=40, vanished=11, limit=10)
    assert not suspicious_everywhere(coming=44, vanished=11, limit=10)
    assert not suspicious_everywhere(coming=10, vanished=10, limit=10)
