"""A receiver of signed webhooks, as its maker would write one: the reference library of Standard Webhooks checks
signature and time, and what was done for an id is not done again."""

import base64
import json
import threading
from datetime import datetime, tzinfo
from typing import Any, ClassVar, Self
from unittest import mock

from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug.wrappers import Request, Response

from portal.core import clock
from portal.sandbox.webserver import LocalServer
from tests.doorsync.drivers.peer import Fault, Peer

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four bytes or more").decode()


class _PortalsClock(datetime):
    """The library asks for the time of the machine; the tests have a clock of their own."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(clock.now().timestamp(), tz)


class SignedWebhook(Peer):
    driver = "webhook"
    holds_cards = False
    can_be_full = False
    tells_events = False
    has_clock = False
    secret: ClassVar[str] = SECRET

    def start(self) -> dict[str, Any]:
        self.fault: Fault | None = None
        self.status = 204  # of a yes
        self.done: dict[str, dict[str, Any]] = {}  # by id, in order
        self.came: list[dict[str, Any]] = []  # all that was signed well
        self.turned_away: list[str] = []
        self._fault_over = threading.Event()
        self._clock = mock.patch("standardwebhooks.webhooks.datetime", _PortalsClock)
        self._clock.start()
        self._server = LocalServer(self._answer)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/doors"
        return {"url": self.url, "secret": self.secret, "timeout_seconds": 0.15}

    def stop(self) -> None:
        self.set_fault(None)
        self._server.shutdown()
        self._server.server_close()
        self._clock.stop()

    def set_fault(self, fault: Fault | None) -> None:
        self.fault = fault
        self._fault_over.set()
        self._fault_over = threading.Event()

    def _answer(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        body, fault, over = request.get_data(), self.fault, self._fault_over
        try:
            Webhook(SECRET).verify(body, dict(request.headers), json_parse=False)
        except WebhookVerificationError as error:
            self.turned_away.append(str(error))
            return Response(status=401)(environ, start_response)
        message = json.loads(body)
        self.came.append(message)
        if fault is Fault.SILENT:
            over.wait()
            raise ConnectionAbortedError
        is_change = message["type"] != "portal.ping"
        if is_change and fault is Fault.REFUSES:
            return Response(status=403)(environ, start_response)
        if is_change and self.status < 300:
            self.done.setdefault(request.headers["webhook-id"], message)
        if is_change and fault is Fault.ANSWERS_LOST:
            raise ConnectionAbortedError
        return Response(status=self.status)(environ, start_response)

    def orders(self, kind: str) -> list[dict[str, Any]]:
        """What it did of this kind, in order."""
        return [message["data"] for message in self.done.values() if message["type"] == kind]

    def held_unlocked(self, door: int) -> bool:
        said = [order["held"] for order in self.orders("door.hold") if order["door"] == door]
        return bool(said and said[-1])

    def pulses(self, door: int) -> int:
        return sum(order["door"] == door for order in self.orders("door.pulse"))

    @property
    def changes_asked(self) -> int:
        return sum(message["type"] != "portal.ping" for message in self.came)
