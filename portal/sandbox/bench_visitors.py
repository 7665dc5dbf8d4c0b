"""The promises of the time that turnstiles wait, each measured with its floor in the same run."""

import json
import statistics
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise

import requests
import structlog
from django.conf import settings
from django.urls import reverse

from portal.sandbox.bench import Figure, at_least, at_most, informs, make_floor_table
from portal.sandbox.load_generator import Paced, post_many, post_paced
from portal.sandbox.playground import Playground
from visitors.models import ThrottledScans, Turnstile, TurnstileKey, Verification

log = structlog.get_logger(__name__)

LOOK_UP_MS = 5
ROUNDS = 5
SCANS_A_ROUND = 200
GUESSES = 100_000
CODES = 500


class Scene:
    """Turnstiles with keys, and visits that are admitted."""

    def __init__(self, place: Playground) -> None:
        self.place = place
        make_floor_table()
        self.verify_url = place.portal_url + reverse("verify")
        Turnstile.objects.update(statuses_in=["expected", "checked_in"], direction="in")
        self.keys = [
            TurnstileKey.objects.create_key(name="bench", turnstile=gate)[1]
            for gate in Turnstile.objects.order_by("pk")
        ]
        self.codes = [f"BENCH{number}" for number in range(CODES)]
        for code in self.codes:
            visit = {"code": code, "visitorName": code, "status": "checked_in"}
            requests.put(f"{place.offision_url}/sandbox/visits", json=visit, timeout=10).raise_for_status()

    def faults(self, **faults: object) -> None:
        requests.put(f"{self.place.offision_url}/sandbox/faults", json=faults, timeout=10).raise_for_status()

    def header(self, number: int) -> str:
        return f"Authorization: Api-Key {self.keys[number]}\r\n"

    def scans(self, count: int) -> list[bytes]:
        return [json.dumps({"code": self.codes[number % CODES]}).encode() for number in range(count)]


def measure(place: Playground) -> Iterator[Figure]:
    """All figures of the verify endpoint."""
    scene = Scene(place)
    yield from overhead(scene)
    yield from throughput(scene)
    yield from guessing(scene)
    yield from stalled(scene)


def overhead(scene: Scene) -> Iterator[Figure]:
    """One scan after the other, in turn with a bare view that calls Offision and stores a row."""
    log.info("verify against its floor, one scan at a time")
    scene.faults(latency_ms=LOOK_UP_MS)
    floor_url = f"{scene.place.portal_url}/bench/verify/"
    ours: list[float] = []
    floor: list[float] = []
    for url in (floor_url, scene.verify_url):  # warm
        _one_at_a_time(scene, url, 50)
    for _round in range(ROUNDS):
        floor += _one_at_a_time(scene, floor_url, SCANS_A_ROUND)
        ours += _one_at_a_time(scene, scene.verify_url, SCANS_A_ROUND)
    how = f"{ROUNDS} rounds of {SCANS_A_ROUND}, turn about, one at a time, look-up {LOOK_UP_MS} ms"
    for name, share, limit in (("p50", 0.5, 1.5), ("p99", 0.99, 2.0)):
        mine, bare = Paced(ours, {}).percentile(share), Paced(floor, {}).percentile(share)
        yield at_most(f"verify {name}, of its floor", mine / bare, "x", limit, how)
        yield informs(f"  verify {name}", mine * 1000, "ms", "")
        yield informs("  its floor: key, the same look-up, one INSERT", bare * 1000, "ms", "")


def _one_at_a_time(scene: Scene, url: str, count: int) -> list[float]:
    """The seconds of each scan."""
    took = _good(post_paced(url, scene.scans(count), headers=scene.header(0), per_second=1e6, connections=1))
    # All were due at once: each one's time starts with the answer to the one before.
    return [later - earlier for earlier, later in pairwise([0.0, *took])][1:]


def _good(load: Paced) -> list[float]:
    if set(load.statuses) != {200}:
        raise RuntimeError(f"Not every scan was answered: {load.statuses}")
    return load.took


def throughput(scene: Scene) -> Iterator[Figure]:
    """200 scans a second on a web server of two processes."""
    log.info("200 scans a second")
    before = Verification.objects.filter(allowed=True).count()
    for per_second, checked in ((200, True), (300, False)):
        load = post_paced(
            scene.verify_url,
            scene.scans(per_second * 10),
            headers=scene.header(0),
            per_second=per_second,
            connections=32,
        )
        _good(load)
        how = f"{per_second}/s for 10 s, two processes, look-up {LOOK_UP_MS} ms, load from the same two cores"
        name = f"{per_second} scans/s"
        if checked:
            yield at_most(f"{name}: p95", load.percentile(0.95) * 1000, "ms", 150, how)
            yield at_most(f"{name}: p99", load.percentile(0.99) * 1000, "ms", 300, how)
        else:
            yield informs(f"{name}: p95", load.percentile(0.95) * 1000, "ms", how)
        yield informs("  p50", load.percentile(0.5) * 1000, "ms", "")
    allowed = Verification.objects.filter(allowed=True).count() - before
    yield at_least("  scans admitted, of all", allowed / 5000, "x", 1, "no visitor is denied for speed")


def guessing(scene: Scene) -> Iterator[Figure]:
    """Unknown codes from one device, as fast as it can, while visitors come to another."""
    log.info("codes are guessed at one device", n=GUESSES)
    bodies = [json.dumps({"code": f"GUESS{number}"}).encode() for number in range(GUESSES)]
    guesses: list[float] = []

    def guess() -> None:
        load = post_many(scene.verify_url, bodies, connections=8, headers=scene.header(1))
        guesses.append(load.per_second)

    attacker = threading.Thread(target=guess)
    attacker.start()
    took: list[float] = []
    while attacker.is_alive():
        visitors = post_paced(scene.verify_url, scene.scans(100), headers=scene.header(0), per_second=20, connections=8)
        took += _good(visitors)
    attacker.join()
    how = f"{GUESSES:,} unknown codes from one device on 8 connections; {len(took)} visitors at another, 20/s"
    yield at_most("visitors while codes are guessed: p99", Paced(took, {}).percentile(0.99) * 1000, "ms", 300, how)
    yield informs("  p50", statistics.median(took) * 1000, "ms", "")
    yield informs("  guesses denied", guesses[0], "/s", "")
    counted = sum(ThrottledScans.objects.values_list("count", flat=True))
    yield informs("  of them counted in the database", counted, "", "the last second may be missing")


def stalled(scene: Scene) -> Iterator[Figure]:
    """Offision answers after 30 s: scans keep their deadline, the breaker makes them fast, other requests go on."""
    log.info("Offision stalls")
    scene.faults(mode="stall", seconds=30)
    others: list[Paced] = []
    callback = scene.place.portal_url + reverse("callback", args=[settings.CALLBACK_SECRETS[0]])
    body = json.dumps({"resourceId": "nobody-knows"}).encode()

    def other() -> None:
        others.append(post_paced(callback, [body] * 200, headers="", per_second=20, connections=8))

    meanwhile = threading.Thread(target=other)
    meanwhile.start()
    first = _good(_scans(scene, scene.scans(100), per_second=20))
    later = _good(_scans(scene, scene.scans(100), per_second=20))
    meanwhile.join()
    scene.faults()
    how = "Offision answers after 30 s; 20 scans/s for 10 s"
    yield at_most("Offision stalls: the slowest scan", max(first) * 1000, "ms", 2000, f"{how}; deadline 1,500 ms")
    yield at_most("  scans after 5 s, the breaker open: p50", statistics.median(later) * 1000, "ms", 50, how)
    yield at_most("  other requests: p99", others[0].percentile(0.99) * 1000, "ms", 300, "20 callbacks/s meanwhile")


def _scans(scene: Scene, bodies: Sequence[bytes], *, per_second: float) -> Paced:
    return post_paced(scene.verify_url, bodies, headers=scene.header(0), per_second=per_second, connections=32)
