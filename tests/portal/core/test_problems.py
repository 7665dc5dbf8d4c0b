"""Problems: codes with parameters, in the reader's language, the same news whatever the details say."""

from datetime import UTC, datetime

import pytest
from django.utils.translation import gettext_lazy, ngettext_lazy, override
from hypothesis import given
from hypothesis import strategies as st

from portal.core import problems
from portal.core.problems import Problem, Problems, ProblemsField, problem

NEVER = problem("test.never", gettext_lazy("never"))
COUNTED = problem(
    "test.counted", ngettext_lazy("%(n)d card of %(of)s", "%(n)d cards of %(of)s", "n"), params=["n", "of"]
)
WRAPPED = problem("test.wrapped", "At %(at)s: %(why)s")


def test_a_problem_is_put_into_the_readers_language_when_it_is_read():
    occurrence = NEVER()
    with override("en"):
        assert str(occurrence) == "never"
    with override("zh-hant"):
        assert str(occurrence) != "never"


def test_plurals_times_and_problems_within():
    assert str(COUNTED(n=1, of="Ann")) == "1 card of Ann"
    assert str(COUNTED(n=2, of="Ann")) == "2 cards of Ann"
    occurrence = WRAPPED(at=datetime(2026, 3, 4, 5, 6, tzinfo=UTC), why=COUNTED(n=2, of="100 %"))
    assert str(occurrence) == "At 2026-03-04 13:06:00: 2 cards of 100 %"
    assert Problem.from_json(occurrence.as_json()) == occurrence


def test_the_same_news_whatever_the_details_say():
    first = WRAPPED(at="noon", why=COUNTED(n=1, of="Ann"))
    assert first.key == WRAPPED(at="night", why=COUNTED(n=7, of="Bo")).key
    assert first.key != WRAPPED(at="noon", why=NEVER()).key
    assert Problems([first, NEVER()]).keys == Problems([NEVER(), first]).keys


def test_parameters_are_those_of_the_sentence_and_codes_are_declared_once():
    with pytest.raises(TypeError, match="at"):
        WRAPPED(why="x")
    with pytest.raises(TypeError):
        NEVER(why="x")
    with pytest.raises(ValueError, match="twice"):
        problem("test.never", "again")


def test_a_code_that_nobody_knows_is_shown_as_it_is():
    assert str(Problem("later.version", {"n": 3})) == 'later.version {"n": 3}'


VALUES = st.recursive(
    st.text(st.characters(codec="utf-8")) | st.integers() | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.builds(lambda value: Problem("test.inner", {"x": value}), inner),
    max_leaves=4,
)


@given(st.lists(st.builds(lambda params: Problem("test.any", params), st.dictionaries(st.text("abc"), VALUES))))
def test_what_is_stored_is_what_is_read(problems):
    stored = ProblemsField().to_python(problems).as_json()
    assert list(ProblemsField().to_python(stored)) == problems


def test_every_declared_sentence_can_be_put_into_words():
    problems.load()
    for kind in problems._types.values():
        sample = Problem(kind.code, dict.fromkeys(kind.params, 1))
        for language in ("en", "zh-hant"):
            with override(language):
                assert str(sample)
