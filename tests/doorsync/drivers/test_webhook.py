"""What is special to signed webhooks: the signature, ids, and what answers mean."""

import base64
from datetime import timedelta

import pytest

from doorsync.controllers import unlock
from doorsync.drivers import driver_for
from doorsync.drivers.base import BadOptions, Refused, Unknown, Unreachable
from doorsync.policy.windows import ALWAYS
from portal.audit.models import Entry
from portal.core import clock
from tests.doorsync.drivers.conftest import NOW
from tests.doorsync.drivers.peers.webhook import SignedWebhook


@pytest.fixture
def house(move_in):
    return move_in(SignedWebhook)


@pytest.fixture
def driver(house):
    found = driver_for(house.controller, NOW)
    yield found
    found.close()


def test_a_pulse_goes_out_in_whole_seconds_under_its_own_id_and_is_done_once(house):
    for _ in range(2):
        assert unlock.open_for_a_moment(house.door, milliseconds=1500, key="pulse-1", actor="ann") is True
    assert len(house.peer.came) == 2
    assert house.peer.orders("door.pulse") == [{"door": 1, "seconds": 2}]
    assert list(house.peer.done) == ["pulse-1"]
    assert Entry.objects.filter(action="door.pulse", outcome="done").count() == 2


def test_every_hold_has_an_id_of_its_own(house, driver):
    for held in ((ALWAYS,), (), (ALWAYS,)):
        driver.hold(1, held)
    assert [order["held"] for order in house.peer.orders("door.hold")] == [True, False, True]


def test_a_receiver_with_another_secret_turns_it_away(house):
    other = "whsec_" + base64.b64encode(b"another secret of the same length....").decode()
    house.controller.set_options({**house.controller.all_options, "secret": other}, secret=["secret"])
    driver = driver_for(house.controller, NOW)
    with pytest.raises(Refused):
        driver.hold(1, (ALWAYS,))
    driver.close()
    assert house.peer.turned_away == ["No matching signature found"]
    assert not house.peer.held_unlocked(1)


@pytest.mark.parametrize(
    ("status", "error"),
    [(301, Unknown), (400, Refused), (401, Refused), (404, Refused), (410, Refused), (500, Unknown), (503, Unknown)],
)
def test_what_a_receiver_says_is_told_apart(house, driver, status, error):
    house.peer.status = status
    with pytest.raises(error, match=str(status)):
        driver.hold(1, (ALWAYS,))


def test_why_a_pulse_was_refused_is_in_the_log(house):
    house.peer.status = 403
    assert unlock.open_for_a_moment(house.door, milliseconds=1000, key="k", actor="ann") is False
    assert "403" in str(Entry.objects.get(action="door.pulse", outcome="failed").reasons)


def test_nobody_there_is_unreachable(house):
    house.controller.options["url"] = "http://127.0.0.1:9/"
    driver = driver_for(house.controller, NOW)
    with pytest.raises(Unreachable):
        driver.info()
    driver.close()


def test_a_secret_that_is_too_short_is_never_shown(house):
    house.controller.secrets = '{"secret": "whsec_c2hvcnQ="}'
    with pytest.raises(BadOptions) as caught:
        driver_for(house.controller, NOW)
    assert "c2hvcnQ" not in str(caught.value)
    assert "24 bytes" in str(caught.value)


def test_messages_bear_the_time_at_which_they_are_sent(house, driver):
    driver.hold(1, (ALWAYS,))
    later = NOW + timedelta(minutes=10)
    with clock.stopped_at(later):
        driver.hold(1, ())
    assert not house.peer.turned_away, "the receiver's clock says the same"
    assert [message["timestamp"] for message in house.peer.came] == [NOW.isoformat(), later.isoformat()]
