"""Look-ups at Offision: shared, and few at once."""

import threading

import requests

from portal.offision import default
from portal.offision.default import contract_from_settings
from visitors.verification import lookup


def test_simultaneous_scans_of_one_code_share_one_look_up(turnstiles, settings):
    turnstiles.place.offision_fault(None)
    requests.put(
        f"{turnstiles.place.offision_url}/sandbox/faults", json={"latency_ms": 300}, timeout=5
    ).raise_for_status()
    names = []
    threads = [threading.Thread(target=lambda: names.append(lookup.look_up("GOOD1").name)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == ["Ana"] * 4
    assert turnstiles.look_ups() == 1


def test_one_code_at_many_lanes_does_not_block_every_thread(turnstiles, monkeypatch):
    turnstiles.place.offision_fault("stall", seconds=3)
    ended = []

    def ask():
        try:
            lookup.look_up("GOOD1")
        except Exception as error:
            ended.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(1 + lookup.MAX_WAITING + 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turnstiles.place.offision_fault(None)
    assert sum("too many look-ups are waiting" in text for text in ended) == 2
    assert len(ended) == len(threads)


def test_a_stalled_offision_does_not_block_every_thread(turnstiles, monkeypatch):
    contract_from_settings()
    turnstiles.place.offision_fault("stall", seconds=3)
    ended = []

    def ask(code):
        try:
            lookup.look_up(code)
        except Exception as error:
            ended.append(str(error))

    threads = [threading.Thread(target=ask, args=(f"c{n}",)) for n in range(lookup.MAX_LOOK_UPS + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turnstiles.place.offision_fault(None)
    assert sum("too many look-ups are waiting" in text for text in ended) == 1


def test_the_connection_is_kept_open_and_a_failure_of_that_raises_nothing(turnstiles, monkeypatch):
    asked = threading.Event()
    stop = threading.Event()
    real = default.client_from_settings().information

    def information():
        if asked.is_set():
            stop.set()
        asked.set()
        turnstiles.place.offision_fault("refuse" if stop.is_set() else None)
        return real()

    monkeypatch.setattr(default.client_from_settings(), "information", information)
    default.keep_warm(stop=stop, seconds=0.01)
    assert asked.is_set()
