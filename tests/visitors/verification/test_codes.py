"""From a scanned text to a code, and never to a variant of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.problems import QUOTED
from portal.offision.contract import Codes
from portal.offision.errors import OffisionError
from visitors.verification.codes import MAX_LENGTH, MAX_URL, MalformedError, digest, normalised, problem_without_code

PLAIN = Codes()
HOSTS = Codes(url_hosts=("visit.example",))
QUERY = Codes(url_hosts=("visit.example",), url_parameter="c")


@pytest.mark.parametrize(
    ("text", "rule", "code"),
    [
        ("HT124\r\n", PLAIN, "HT124"),
        ("\x02HT124\x03", PLAIN, "HT124"),
        ("\tHT124\x00\x00", PLAIN, "HT124"),
        ("]Q1HT124 ", PLAIN, "HT124"),
        ("ht&12+4=/?", PLAIN, "ht&12+4=/?"),
        ("a" * MAX_LENGTH, PLAIN, "a" * MAX_LENGTH),
        ("ht124", Codes(case="upper"), "HT124"),
        ("HT124", Codes(case="lower"), "ht124"),
        ("straße", Codes(case="upper"), "straße"),
        ("\N{KELVIN SIGN}1", Codes(case="lower"), "\N{KELVIN SIGN}1"),
        ("https://visit.example/v/HT124/", HOSTS, "HT124"),
        ("HTTPS://VISIT.example/v/a%2Bb", HOSTS, "a+b"),
        ("https://visit.example/?c=HT124&x=1", QUERY, "HT124"),
    ],
)
def test_only_the_additions_of_scanners_are_removed(text, rule, code):
    assert normalised(text, rule) == code


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", PLAIN),
        (" \r\n", PLAIN),
        ("]Q1", PLAIN),
        ("a" * (MAX_LENGTH + 1), PLAIN),
        ("a\x00b", PLAIN),
        ("a\nb", PLAIN),
        ("a\ufffdb", PLAIN),
        ("HT-124", Codes(alphabet="HT124")),
        ("https://visit.example/v/HT124", PLAIN),
        ("https://evil.example/v/HT124", HOSTS),
        ("https://visit.example@evil.example/HT124", HOSTS),
        ("https://visit.example.evil.example/HT124", HOSTS),
        ("https://[::1/HT124", HOSTS),
        ("https://visit.example/" + "a" * MAX_URL, HOSTS),
        ("https://visit.example/?c=1&c=2", QUERY),
        ("https://visit.example/HT124", QUERY),
    ],
)
def test_a_text_that_is_not_a_code_is_malformed(text, rule):
    with pytest.raises(MalformedError):
        normalised(text, rule)


def test_the_prefix_and_suffix_of_a_scanner_are_removed():
    assert normalised("\x02<<HT124>>\r", PLAIN, prefix="<<", suffix=">>") == "HT124"
    assert normalised("HT124", PLAIN, prefix="<<", suffix=">>") == "HT124"


@given(st.text(max_size=600))
def test_any_text_gives_a_short_printable_code_or_none(text):
    for rule in (PLAIN, HOSTS, QUERY):
        try:
            code = normalised(text, rule)
        except MalformedError:
            continue
        assert 0 < len(code) <= MAX_LENGTH
        assert code.isprintable()
        assert normalised(code, PLAIN) == code or code[:1].isspace() or code.startswith(("]Q1", "http"))


def test_a_digest_depends_on_the_secret_of_the_portal(settings):
    before = digest("HT124")
    settings.SECRET_KEY = "another"
    assert digest("HT124") != before


def test_a_problem_of_offision_loses_the_code_in_any_case():
    error = OffisionError(QUOTED(text="no visit HT+124, nor ht+124"))
    assert str(problem_without_code(error, "Ht+124")) == "no visit ***, nor ***"
    assert str(problem_without_code(error, "")) == "no visit HT+124, nor ht+124"
