"""What is wrong with settings: each check's id, sentence and hint."""

import pytest
from django.core.checks import run_checks

from portal import checks
from portal import settings as portal_settings


@pytest.fixture
def good(settings):
    """The settings of a real portal; every check passes."""
    settings.DEMO = False
    settings.SECRET_KEY = "k" * 40
    settings.CALLBACK_SECRETS = ["c" * 40]
    settings.OFFISION_URL, settings.OFFISION_TOKEN = "https://offision.example", "token"
    return settings


def messages():
    return [(message.id, message.msg) for message in run_checks(tags=[checks.TAG])]


def test_good_settings_have_no_message(good):
    assert messages() == []


NOT_SET, EXAMPLE = "is not set.", "still has an example value."
SHORT = "has 19 characters and needs at least 20."


@pytest.mark.parametrize(
    ("name", "value", "code", "sentence"),
    [
        ("SECRET_KEY", "", "E001", f"PORTAL_SECRET_KEY {NOT_SET}"),
        ("SECRET_KEY", "change-me-change-me-change-me", "E001", f"PORTAL_SECRET_KEY {EXAMPLE}"),
        ("SECRET_KEY", "made-up-for-the-demo-portal_secret_key", "E001", f"PORTAL_SECRET_KEY {EXAMPLE}"),
        ("CALLBACK_SECRETS", [], "E002", f"OFFISION_CALLBACK_SECRET {NOT_SET}"),
        ("CALLBACK_SECRETS", ["ChangeMe" * 5], "E002", f"OFFISION_CALLBACK_SECRET {EXAMPLE}"),
        ("CALLBACK_SECRETS", ["c" * 40, "x" * 19], "E002", f"OFFISION_CALLBACK_SECRET {SHORT}"),
        ("OFFISION_TOKEN", "", "E003", f"OFFISION_TOKEN {NOT_SET}"),
        ("SITE_TIME_ZONE", "Hong Kong", "E004", "SITE_TIME_ZONE is 'Hong Kong', which is no IANA time zone."),
        ("UNREADABLE", {"X": "X is 'y'."}, "E006", "X is 'y'."),
        ("DRIVERS", {"x": "nowhere.Driver"}, "E007", "DRIVERS['x'] can't be imported: No module named 'nowhere'"),
        ("OPEN_DOOR", "nowhere.open", "E007", "OPEN_DOOR can't be imported: No module named 'nowhere'"),
    ],
)
def test_a_wrong_setting_is_an_error_with_a_hint(good, name, value, code, sentence):
    setattr(good, name, value)
    assert messages() == [(f"portal.{code}", sentence)]
    assert all(error.hint for error in run_checks(tags=[checks.TAG]))


def test_a_database_without_a_name_is_none(good, monkeypatch):
    monkeypatch.setitem(good.DATABASES["default"], "NAME", "")
    assert messages() == [("portal.E005", "DATABASE_URL is not set.")]


def test_the_demo_needs_no_secrets_of_its_own(good):
    good.DEMO = True
    good.SECRET_KEY = "made-up-for-the-demo-portal_secret_key"
    good.CALLBACK_SECRETS = ["short"]
    good.OFFISION_TOKEN = ""
    assert messages() == []


@pytest.mark.parametrize("text", ["abc", "-1", "1.5", "0"])
def test_a_number_that_cannot_be_used_is_noted_and_the_default_stands(monkeypatch, text):
    monkeypatch.setattr(portal_settings, "UNREADABLE", noted := {})
    monkeypatch.setenv("WORKER_THREADS", text)
    assert portal_settings.whole_number("WORKER_THREADS", 16) == 16
    assert noted == {"WORKER_THREADS": f"WORKER_THREADS is {text!r}. It must be a whole number, at least 1."}


@pytest.mark.parametrize("text", ["abc", "0", "-3", "nan", "inf"])
def test_a_time_that_cannot_be_used_is_noted_and_the_default_stands(monkeypatch, text):
    monkeypatch.setattr(portal_settings, "UNREADABLE", noted := {})
    monkeypatch.setenv("OFFISION_READ_TIMEOUT", text)
    assert portal_settings.seconds("OFFISION_READ_TIMEOUT", 10.0) == 10.0
    assert list(noted) == ["OFFISION_READ_TIMEOUT"]


def test_numbers_that_can_be_used_are_used(monkeypatch):
    monkeypatch.setenv("WORKER_THREADS", "4")
    monkeypatch.setenv("OFFISION_READ_TIMEOUT", "0.5")
    assert portal_settings.whole_number("WORKER_THREADS", 16) == 4
    assert portal_settings.seconds("OFFISION_READ_TIMEOUT", 10.0) == 0.5
    monkeypatch.setenv("WORKER_THREADS", "")
    assert portal_settings.whole_number("WORKER_THREADS", 16) == 16
