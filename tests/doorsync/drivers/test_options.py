"""Options of drivers: what is wrong with them is a code, and the form shows them in its reader's language."""

from typing import Literal

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pydantic import SecretStr

from doorsync.admin.controllers import form_field
from doorsync.drivers import driver_class
from doorsync.drivers.base import BadOptions, DriverOptions, validated
from doorsync.drivers.options import form_fields, option
from doorsync.drivers.webhook.driver import WebhookOptions
from tests.doorsync.drivers.peers.webhook import SECRET

GOOD = {"number": 5, "level": 1.5, "text": "abc", "flag": True, "choice": "a"}


class Example(DriverOptions):
    number: int = option(title=_("address"), ge=1, lt=10)
    level: float = option(title=_("address"), gt=0, le=2)
    text: str = option(title=_("address"), min_length=2, max_length=4)
    flag: bool = option(title=_("address"))
    choice: Literal["a", "b"] = option(title=_("address"))


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"number": None}, "driver.option.whole_number"),
        ({"number": "five"}, "driver.option.whole_number"),
        ({"number": 1.5}, "driver.option.whole_number"),
        ({"number": 0}, "driver.option.at_least"),
        ({"number": 10}, "driver.option.less_than"),
        ({"level": "high"}, "driver.option.number"),
        ({"level": 0}, "driver.option.more_than"),
        ({"level": 3}, "driver.option.at_most"),
        ({"text": 7}, "driver.option.text"),
        ({"text": "a"}, "driver.option.too_short"),
        ({"text": "abcde"}, "driver.option.too_long"),
        ({"flag": "perhaps"}, "driver.option.yes_or_no"),
        ({"choice": "c"}, "driver.option.choice"),
        ({"more": 1}, "driver.option.unknown"),
    ],
)
def test_an_option_that_does_not_fit_is_named_with_a_code(options, code):
    with pytest.raises(BadOptions) as caught:
        validated(Example, {**GOOD, **options})
    assert caught.value.problem.key == f"driver.option({code})"
    assert caught.value.problem.params["option"] == next(iter(options))


def test_a_missing_option_is_named():
    with pytest.raises(BadOptions) as caught:
        validated(Example, {name: value for name, value in GOOD.items() if name != "text"})
    assert caught.value.problem.key == "driver.option(driver.option.missing)"


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"url": "ftp://x"}, "driver.option(driver.option.url)"),
        ({"secret": "whsec_c2hvcnQ="}, "driver.option(webhook.option.secret)"),
    ],
)
def test_a_familys_own_reason_is_a_code_too(options, key):
    with pytest.raises(BadOptions) as caught:
        validated(WebhookOptions, {"url": "http://127.0.0.1/", "secret": SECRET, **options})
    assert caught.value.problem.key == key
    assert "c2hvcnQ" not in str(caught.value)


@pytest.mark.parametrize("driver", settings.DRIVERS)
def test_every_option_has_a_lazy_title_and_the_time_out_comes_last(driver):
    fields = form_fields(driver_class(driver).Options)
    assert all(isinstance(info.title, Promise) for info in fields.values())
    assert list(fields)[-1] == "timeout_seconds"


def test_labels_are_in_the_language_of_the_reader():
    info = form_fields(WebhookOptions)["url"]
    with translation.override("en"):
        field = form_field(info, stored=False)
        english = str(field.label), str(field.help_text)
    with translation.override("zh-hant"):
        field = form_field(info, stored=False)
        chinese = str(field.label), str(field.help_text)
    assert english[0] == "Address"
    assert not set(english) & set(chinese)


def test_a_secret_is_a_secret():
    assert form_fields(WebhookOptions)["secret"].annotation is SecretStr
