"""The sandbox's pretend controllers as peers: with time windows a card and door, a card, or none."""

import threading
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, ClassVar

import requests

from portal.buildings.model import Building
from portal.core import clock
from portal.sandbox.controllers_server import ControllersServer
from portal.sandbox.webserver import LocalServer
from tests.doorsync.drivers.peer import Fault, Peer

FAULTS = {
    Fault.SILENT: {"down": True},
    Fault.ANSWERS_LOST: {"timeout_after_apply": True},
    Fault.REFUSES: {"refuse": True},
}


class Simulated(Peer):
    driver = "simulated"
    windows: ClassVar[str] = "per_card_door"

    def start(self) -> dict[str, Any]:
        doors = [{"number": n, "name": f"Door {n}"} for n in self.doors]
        box = {"name": "box", "doors": doors, "options": {"windows": self.windows}}
        file = Building.model_validate({"site": {"name": "x", "timezone": "UTC"}, "controllers": [box]})
        self._app, self._changes = ControllersServer(file), 0
        self._server = LocalServer(self._counting)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self._url = f"http://127.0.0.1:{self._server.server_port}/controllers/box"
        return {"url": self._url, "timeout_seconds": 0.15, "windows": self.windows}

    def _counting(self, environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"].removeprefix("/controllers/box/")
        if environ["REQUEST_METHOD"] != "GET" and path.split("/")[0] in ("cards", "holds", "doors"):
            self._changes += 1
        return self._app(environ, start_response)

    def _order(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, f"{self._url}/{path}", json=body, timeout=5)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def stop(self) -> None:
        self.set_fault(None)
        self._server.shutdown()
        self._server.server_close()

    def set_fault(self, fault: Fault | None) -> None:
        self._order("PUT", "faults", FAULTS[fault] if fault else {})

    def opens(self, card: str, door: int) -> bool:
        return bool(self._order("POST", "swipe", {"door": door, "card": card})["opened"])

    @property
    def skew(self) -> timedelta:
        return datetime.fromisoformat(self._order("GET", "info")["time"]) - clock.now()

    @skew.setter
    def skew(self, ahead: timedelta) -> None:
        self._order("PUT", "clock", {"time": (clock.now() + ahead).isoformat()})

    def held_unlocked(self, door: int) -> bool:
        return self.opens("0", door)

    def pulses(self, door: int) -> int:
        return sum(e["card"] == "" and e["door"] == door for e in self._order("GET", "events?after=0")["events"])

    @property
    def changes_asked(self) -> int:
        return self._changes

    def inside(self) -> Collection[str]:
        return [card["number"] for card in self._order("GET", "cards")["cards"]]

    def put_foreign(self, card: str) -> None:
        always: Any = True if self.windows == "none" else [[None, None]]
        self._order("PUT", f"cards/{card}", {"doors": {"1": always}})
        self._changes -= 1

    def forget(self) -> None:
        self._order("POST", "forget")

    def room_for(self, cards: int) -> None:
        self._order("PUT", "faults", {"capacity": cards})

    def present(self, card: str, door: int) -> None:
        self.opens(card, door)


class SimulatedWithoutWindows(Simulated):
    windows = "none"
