"""The pretend controllers, asked over real sockets."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from portal.buildings.model import Building
from portal.sandbox.controller_state import PretendController
from portal.sandbox.controllers_server import admits
from tests.portal.sandbox.conftest import Client

EAST = "/controllers/North%2FEast"
OLD = "/controllers/Old"
NINE, TEN, ELEVEN = (f"2026-03-10T{hour:02}:00:00+00:00" for hour in (9, 10, 11))


def test_info(controllers: Client):
    info = controllers("GET", f"{EAST}/info").json()
    assert (info["doors"], info["windows"], info["capacity"], info["cards"]) == ([1, 2], True, 2000, 0)
    assert datetime.fromisoformat(info["time"]).tzinfo is not None
    assert controllers("GET", f"{OLD}/info").json()["windows"] is False
    assert controllers("GET", "/controllers/None/info").status_code == 404


def test_a_record_is_read_back_as_it_was_written_and_replaced_whole(controllers: Client):
    first = {"2": [[TEN, ELEVEN], ["2026-03-10T17:00:00+08:00", TEN]], "1": [[None, None]]}
    held = {"1": [[None, None]], "2": [[NINE, TEN], [TEN, ELEVEN]]}
    put = controllers("PUT", f"{EAST}/cards/12%2F3", {"doors": first})
    assert put.status_code == 200
    assert put.json() == {"number": "12/3", "doors": held}
    assert controllers("GET", f"{EAST}/cards").json() == {"cards": [put.json()]}
    controllers("PUT", f"{EAST}/cards/12%2F3", {"doors": {"1": [[NINE, None]]}})
    assert controllers("GET", f"{EAST}/cards/12%2F3").json()["doors"] == {"1": [[NINE, None]]}
    assert [controllers("DELETE", f"{EAST}/cards/12%2F3").status_code for _ in range(2)] == [204, 404]
    assert controllers("GET", f"{EAST}/cards/12%2F3").status_code == 404


@pytest.mark.parametrize(
    "doors",
    [
        {"3": [[None, None]]},
        {"x": [[None, None]]},
        {"١": [[None, None]]},
        {"1": True},
        {"1": [[NINE, ELEVEN], [TEN, None]]},
        {"1": [[None, TEN], [None, NINE]]},
        {"1": [[NINE, None], [TEN, ELEVEN]]},
        {"1": [[TEN, NINE]]},
        {"1": [[TEN, TEN]]},
        {"1": [["2026-03-10T09:00:00", None]]},
        {"1": [["0001-01-01T00:00:00+14:00", None]]},
        {"1": [["2026-03-10T09:00:00.5+00:00", None]]},
        {"1": [[1, None]]},
        {"1": [[NINE]]},
        {
            "1": [
                [f"2026-03-{day:02}T{h:02}:00:00Z", f"2026-03-{day:02}T{h:02}:30:00Z"]
                for day in (1, 2, 3)
                for h in range(22)
            ]
        },
        [],
        None,
    ],
)
def test_what_cannot_be_held_is_refused_and_nothing_changes(controllers: Client, doors: Any):
    controllers("PUT", f"{EAST}/cards/7", {"doors": {"1": [[NINE, TEN]]}})
    answer = controllers("PUT", f"{EAST}/cards/7", {"doors": doors})
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert controllers("GET", f"{EAST}/cards/7").json()["doors"] == {"1": [[NINE, TEN]]}


def test_minutes_only(small: Building):
    old = small.controllers[0].model_copy(update={"options": {"resolution_seconds": 60}})
    with pytest.raises(Exception, match="steps of 60 s"):
        PretendController(old).put_card("1", {"1": [["2026-03-10T09:00:30+00:00", None]]})


def test_without_windows_a_door_is_yes_or_no(controllers: Client):
    assert controllers("PUT", f"{OLD}/cards/7", {"doors": {"1": True}}).json()["doors"] == {"1": True}
    assert controllers("PUT", f"{OLD}/cards/7", {"doors": {"1": [[None, None]]}}).status_code == 422
    assert controllers("PUT", f"{OLD}/holds", {"holds": {"1": True}}).json() == {"holds": {"1": True}}
    assert controllers("POST", f"{OLD}/swipe", {"door": 1, "card": "stranger"}).json() == {"opened": True}
    assert controllers("PUT", f"{OLD}/holds", {"holds": {}}).json() == {"holds": {}}
    assert controllers("POST", f"{OLD}/swipe", {"door": 1, "card": "stranger"}).json() == {"opened": False}
    assert controllers("POST", f"{OLD}/swipe", {"door": 1, "card": "7"}).json() == {"opened": True}


def test_a_full_controller_takes_no_new_card_but_changes_those_it_has(controllers: Client):
    codes = [controllers("PUT", f"{OLD}/cards/{n}", {"doors": {"1": True}}).status_code for n in (1, 2, 3)]
    assert codes == [200, 200, 507]
    assert controllers("PUT", f"{OLD}/cards/1", {"doors": {}}).status_code == 200
    controllers("PUT", f"{OLD}/faults", {"capacity": 3})
    assert controllers("PUT", f"{OLD}/cards/3", {"doors": {"1": True}}).status_code == 200


def at(controllers: Client, moment: str) -> None:
    assert controllers("PUT", f"{EAST}/clock", {"time": moment}).status_code == 200


def test_swipes_go_by_the_controllers_own_clock_and_leave_events(controllers: Client):
    controllers("PUT", f"{EAST}/cards/7", {"doors": {"1": [[NINE, TEN]]}})
    opened = []
    for moment in ("2026-03-10T08:59:58Z", NINE, "2026-03-10T09:59:50Z", TEN):
        at(controllers, moment)
        opened.append(controllers("POST", f"{EAST}/swipe", {"door": 1, "card": "7"}).json()["opened"])
    assert opened == [False, True, True, False]
    assert controllers("POST", f"{EAST}/swipe", {"door": 2, "card": "7"}).json()["opened"] is False
    assert controllers("POST", f"{EAST}/swipe", {"door": 9, "card": "7"}).status_code == 422
    events = controllers("GET", f"{EAST}/events?after=1").json()["events"]
    assert [(e["index"], e["door"], e["kind"]) for e in events] == [
        (2, 1, "opened"),
        (3, 1, "opened"),
        (4, 1, "denied"),
        (5, 2, "denied"),
    ]
    assert events[0]["at"].startswith("2026-03-10T09:00:0")


def test_a_held_door_opens_for_anyone_while_it_is_held(controllers: Client):
    assert controllers("PUT", f"{EAST}/holds", {"holds": {"2": [[NINE, TEN]]}}).status_code == 200
    assert controllers("GET", f"{EAST}/holds").json() == {"holds": {"2": [[NINE, TEN]]}}
    at(controllers, NINE)
    assert controllers("POST", f"{EAST}/swipe", {"door": 2, "card": "stranger"}).json()["opened"] is True
    at(controllers, TEN)
    assert controllers("POST", f"{EAST}/swipe", {"door": 2, "card": "stranger"}).json()["opened"] is False


def test_a_pulse_with_a_key_that_was_used_does_nothing(controllers: Client):
    pulse = {"seconds": 5, "key": "k1"}
    answers = [controllers("POST", f"{EAST}/doors/1/pulse", pulse).json() for _ in range(2)]
    assert answers == [{"pulsed": True}, {"pulsed": False}]
    assert len(controllers("GET", f"{EAST}/events").json()["events"]) == 1
    assert controllers("POST", f"{EAST}/swipe", {"door": 1, "card": "x"}).json()["opened"] is True
    for bad in ({"seconds": 0, "key": "k"}, {"seconds": 61, "key": "k"}, {"seconds": 5}):
        assert controllers("POST", f"{EAST}/doors/1/pulse", bad).status_code == 422
    assert controllers("POST", f"{EAST}/doors/9/pulse", {"seconds": 5, "key": "z"}).status_code == 422


@pytest.mark.parametrize("time", ["", "noon", "2026-03-10T09:00:00", "9999-12-31T23:59:59Z"])
def test_a_clock_takes_no_nonsense(controllers: Client, time: str):
    assert controllers("PUT", f"{EAST}/clock", {"time": time}).status_code == 422
    assert controllers("GET", f"{EAST}/info").status_code == 200


def fault(controllers: Client, **faults: Any) -> None:
    assert controllers("PUT", f"{EAST}/faults", faults).status_code == 200


CARD = {"doors": {"1": [[None, None]]}}


def test_refusing_and_being_down(controllers: Client):
    fault(controllers, refuse=True)
    assert controllers("PUT", f"{EAST}/cards/7", CARD).status_code == 422
    assert controllers("GET", f"{EAST}/cards").json() == {"cards": []}
    fault(controllers, down=True)
    with pytest.raises(requests.ConnectionError):
        controllers("PUT", f"{EAST}/cards/7", CARD)
    assert controllers("GET", f"{OLD}/info").status_code == 200  # the others live on
    # Off the network, it still decides at its door.
    assert controllers("POST", f"{EAST}/swipe", {"door": 1, "card": "7"}).json() == {"opened": False}
    fault(controllers)
    assert controllers("GET", f"{EAST}/cards").json() == {"cards": []}


def test_a_time_out_after_the_write_was_done(controllers: Client):
    fault(controllers, timeout_after_apply=True)
    with pytest.raises(requests.ReadTimeout):
        controllers.session.put(controllers.base + f"{EAST}/cards/7", json=CARD, timeout=0.2)
    assert controllers("GET", f"{EAST}/cards/7").json()["doors"] == CARD["doors"]


def test_who_is_held_is_let_go_when_the_fault_is_lifted(controllers: Client):
    fault(controllers, timeout_after_apply=True)
    answers: list[requests.Response] = []

    def write() -> None:
        answers.append(requests.put(controllers.base + f"{EAST}/cards/7", json=CARD, timeout=20))

    thread = threading.Thread(target=write)
    thread.start()
    while not controllers("GET", f"{EAST}/cards").json()["cards"]:
        pass
    assert not answers
    while thread.is_alive():
        # It may still be on its way from the write to the hold, which a single release would miss.
        fault(controllers)
        thread.join(0.01)
    assert answers[0].status_code == 200


def test_a_lost_memory(controllers: Client):
    controllers("PUT", f"{EAST}/cards/7", CARD)
    controllers("PUT", f"{EAST}/holds", {"holds": {"1": [[None, None]]}})
    controllers("POST", f"{EAST}/swipe", {"door": 1, "card": "7"})
    assert controllers("POST", f"{EAST}/forget").status_code == 204
    assert controllers("GET", f"{EAST}/cards").json() == {"cards": []}
    assert controllers("GET", f"{EAST}/holds").json() == {"holds": {}}
    assert len(controllers("GET", f"{EAST}/events").json()["events"]) == 1


START = datetime(2026, 3, 10, tzinfo=UTC)
MINUTES = st.integers(0, 15)  # few, so that the moment often falls on an edge


@given(edges=st.lists(MINUTES, unique=True, max_size=12).map(sorted), minute=st.integers(-1, 16))
def test_admits_exactly_inside_the_windows(edges: list[int], minute: int):
    moments = [START + timedelta(minutes=edge) for edge in edges]
    windows = list(zip(moments[::2], moments[1::2], strict=False))
    state = PretendController(CONTROLLER)
    wire = [[start.isoformat(), end.isoformat()] for start, end in windows]
    state.put_card("7", {"1": wire[::-1]})  # any order
    record = state._records["7"]
    inside = sum(edge <= minute for edge in edges[: 2 * len(windows)]) % 2 == 1
    assert admits(record, 1, START + timedelta(minutes=minute)) is inside
    assert not admits(record, 2, START + timedelta(minutes=minute))
    assert not admits(None, 1, START)


CONTROLLER = Building.model_validate(
    {
        "site": {"name": "x", "timezone": "UTC"},
        "controllers": [{"name": "c", "doors": [{"number": 1, "name": "A"}, {"number": 2, "name": "B"}]}],
    }
).controllers[0]
