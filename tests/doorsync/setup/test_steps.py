"""How far each step is, from facts alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from doorsync.setup.steps import Check, Facts, State, can_be_called, steps

NOW = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)
NOTHING = Facts(
    ticked_at=None,
    offision_url="",
    connection_problem="",
    public_url="http://localhost:8000",
    check=None,
    subscribed_at=None,
    subscription_error="",
    called_at=None,
    has_site=False,
    has_controller=False,
    has_enabled=False,
    reconciled="",
    controller_problem="",
    has_door=False,
    has_policy=False,
    has_card=False,
    mapped="",
    unmapped=0,
    confirmed=False,
)
CHECK = Check(NOW, True, "Everything that was tried fits.", True)
EVERYTHING = Facts(
    ticked_at=NOW,
    offision_url="https://offision.example",
    connection_problem="",
    public_url="https://portal.example",
    check=CHECK,
    subscribed_at=NOW,
    subscription_error="",
    called_at=NOW,
    has_site=True,
    has_controller=True,
    has_enabled=True,
    reconciled="box",
    controller_problem="",
    has_door=True,
    has_policy=True,
    has_card=True,
    mapped="Room",
    unmapped=0,
    confirmed=True,
)


def states(facts: Facts) -> dict[str, State]:
    return {step.key: step.state for step in steps(facts, NOW)}


def test_from_nothing_nothing_is_done_and_each_step_says_what_to_do():
    all_steps = steps(NOTHING, NOW)
    assert not any(step.done for step in all_steps)
    assert all(step.sentence and step.remedy for step in all_steps)


def test_with_everything_nothing_is_left():
    assert set(states(EVERYTHING).values()) == {State.DONE}
    assert not any(step.remedy for step in steps(EVERYTHING, NOW))


@pytest.mark.parametrize(
    ("change", "step", "state", "words"),
    [
        ({"ticked_at": NOW - timedelta(minutes=2)}, "worker", State.FAILED, "has not ticked since"),
        ({"connection_problem": "OFFISION_TOKEN must be…"}, "settings", State.FAILED, "OFFISION_TOKEN"),
        ({"public_url": "http://localhost:8000"}, "settings", State.FAILED, "can't call that"),
        ({"public_url": "http://portal.example"}, "settings", State.FAILED, "can't call that"),
        ({"check": replace(CHECK, fits=False, sentence="3 things")}, "contract", State.FAILED, "3 things"),
        ({"check": replace(CHECK, is_current=False)}, "contract", State.TODO, "has changed since"),
        ({"subscription_error": "HTTP 500."}, "subscription", State.FAILED, "HTTP 500."),
        ({"subscribed_at": None}, "subscription", State.TODO, "none yet"),
        ({"called_at": None}, "callback", State.TODO, "not called yet"),
        ({"reconciled": "", "controller_problem": "No answer."}, "controller", State.FAILED, "No answer."),
        ({"reconciled": "", "has_enabled": False}, "controller", State.TODO, "not enabled"),
        ({"reconciled": "", "has_controller": False}, "controller", State.TODO, "none yet"),
        ({"mapped": "", "unmapped": 3}, "resource", State.TODO, "3 resources"),
        ({"confirmed": False}, "permission", State.TODO, "No controller holds"),
    ],
)
def test_what_is_missing_is_that_steps_alone(change, step, state, words):
    by_key = {one.key: one for one in steps(replace(EVERYTHING, **change), NOW)}
    assert by_key[step].state is state
    assert words in by_key[step].sentence
    assert by_key[step].remedy
    assert all(one.done for key, one in by_key.items() if key != step)


def test_a_controller_that_worked_once_is_set_up_though_it_may_be_down_today():
    assert states(replace(EVERYTHING, controller_problem="No answer."))["controller"] is State.DONE


@pytest.mark.parametrize(
    ("public", "offision", "can"),
    [
        ("https://portal.example", "https://offision.example", True),
        ("http://portal.example", "https://offision.example", False),
        ("http://localhost:8000", "https://offision.example", False),
        ("https://localhost", "https://offision.example", False),
        ("http://127.0.0.1:8000", "http://127.0.0.1:9", True),
    ],
)
def test_offision_can_call_only_what_it_can_reach(public, offision, can):
    assert can_be_called(public, offision) is can
