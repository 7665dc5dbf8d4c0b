"""The pretend Offision over HTTP: its API under /API/, with the token, and the sandbox's strings to pull."""

import base64
import hmac
import math
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from werkzeug.wrappers import Request, Response

from portal.buildings.model import Building, Change, ChangeError
from portal.sandbox.offision_state import OffisionState, StateError, Subscription
from portal.sandbox.wire import (
    HangUpError,
    Hold,
    JsonService,
    RefusalError,
    WireModel,
    json_response,
    read_body,
)

PAGE_SIZE = 50
_HUGE_BYTES = 50 * 1024 * 1024
_BOOKING = "/API/external/booking/v1"
_SUBSCRIPTIONS = f"{_BOOKING}/resource-appointment-subscriptions"
_VISITS = "/API/external/receptionist/v1/visits"
_VISIT = f"{_VISITS}/<path:code>"
_OPENAPI = Path(__file__).with_name("openapi.json")


class SubscriptionRequest(WireModel):
    """What a subscriber sends."""

    callURL: Annotated[str, Field(min_length=1, max_length=2048)]  # noqa: N815 (Offision's spelling)
    resourceId: Annotated[str, Field(max_length=200)] | None = None  # noqa: N815


class VisitBody(WireModel):
    """A visit as the API shows it, whatever its status word."""

    code: Annotated[str, Field(min_length=1, max_length=200)]
    visitorName: str = ""  # noqa: N815 (Offision's spelling)
    company: str = ""
    hostEmail: str = ""  # noqa: N815
    validFrom: str | None = None  # noqa: N815 (ISO 8601)
    validUntil: str | None = None  # noqa: N815
    status: str | int | None
    site: str | None = None


class Faults(WireModel):
    """How the API misbehaves. `seconds` is how long "stall" holds each request."""

    mode: Literal["unauthorized", "error", "html", "empty", "huge", "stall", "nonsense", "refuse"] | None = None
    seconds: Annotated[float, Field(ge=0, le=600)] = 30
    latency_ms: Annotated[int, Field(ge=0, le=60_000)] = 0


class OffisionServer(JsonService):
    """A WSGI app that plays a building's Offision. `today` is the site's date that "+0d" means."""

    def __init__(self, building: Building, today: date, token: str) -> None:
        super().__init__(
            [
                Rule("/API/external/openapi.json", endpoint=self.openapi, methods=["GET"]),
                Rule("/API/external/system/v1/information", endpoint=self.information, methods=["GET"]),
                Rule(f"{_BOOKING}/resources", endpoint=self.resources, methods=["GET"]),
                Rule(
                    f"{_BOOKING}/resources/<path:resource_id>/daily-bookings",
                    endpoint=self.daily_bookings,
                    methods=["GET"],
                ),
                Rule(_SUBSCRIPTIONS, endpoint=self.subscribe, methods=["POST"]),
                Rule(_SUBSCRIPTIONS, endpoint=self.subscriptions, methods=["GET"]),
                Rule(f"{_SUBSCRIPTIONS}/<subscription_id>", endpoint=self.unsubscribe, methods=["DELETE"]),
                Rule(_VISITS, endpoint=self.visits, methods=["GET"]),
                Rule(_VISIT, endpoint=self.visit, methods=["GET"]),
                Rule(f"{_VISIT}/check-in", endpoint=self.check_in, methods=["POST"]),
                Rule(f"{_VISIT}/check-out", endpoint=self.check_out, methods=["POST"]),
                Rule("/sandbox/play", endpoint=self.play, methods=["POST"]),
                Rule("/sandbox/status", endpoint=self.status, methods=["GET"]),
                Rule("/sandbox/change", endpoint=self.change, methods=["POST"]),
                Rule("/sandbox/visits", endpoint=self.put_visit, methods=["PUT"]),
                Rule("/sandbox/bookings", endpoint=self.present_bookings, methods=["GET"]),
                Rule("/sandbox/faults", endpoint=self.set_faults, methods=["PUT"]),
            ]
        )
        self.state = OffisionState(building, today)
        self._timezone = building.site.timezone
        self._token = token.encode()
        self._faults = Faults()
        self._hold = Hold()
        self._count = threading.Lock()
        self._booking_requests = self._visit_requests = 0

    def respond(self, request: Request) -> Response:
        """Answer one request, the API's after its faults and its token check."""
        if not request.path.startswith("/API/"):
            return super().respond(request)
        faults = self._faults
        self._hold.wait(faults.latency_ms / 1000)
        if faults.mode == "stall":
            self._hold.wait(faults.seconds)
        if faults.mode in _MISBEHAVIOUR:
            return _MISBEHAVIOUR[faults.mode]()
        if not self._authorized(request):
            return _unauthorized()
        return super().respond(request)

    def error_body(self, error: HTTPException) -> object:
        """Offision's envelope for an error."""
        return {"success": False, "error": {"code": error.code, "message": error.description}}

    def _authorized(self, request: Request) -> bool:
        # The token comes bare, or as the user name of HTTP Basic with an empty password.
        given = request.headers.get("Authorization", "").encode()
        basic = b"Basic " + base64.b64encode(self._token + b":")
        return hmac.compare_digest(given, self._token) or hmac.compare_digest(given, basic)

    # Offision's API ----------------------------------------------------------------------------------

    def openapi(self, _request: Request) -> Response:
        """The server's own description."""
        return Response(_OPENAPI.read_bytes(), content_type="application/json")

    def information(self, _request: Request) -> Response:
        """What this server is."""
        return json_response({"product": "Offision", "version": "1.0 (pretend)", "timezone": self._timezone})

    def resources(self, request: Request) -> Response:
        """Every bookable resource."""
        return _page(request, self.state.resources())

    def daily_bookings(self, request: Request, resource_id: str) -> Response:
        """A resource's bookings that overlap one date of the site's."""
        with self._count:
            self._booking_requests += 1
        found = self.state.daily_bookings(resource_id, _date(request))
        if found is None:
            raise RefusalError(404, "There is no such resource.")
        return _page(request, [] if self._faults.mode == "empty" else found)

    def subscribe(self, request: Request) -> Response:
        """Call the subscriber's URL on every change from now on."""
        body = read_body(request, SubscriptionRequest)
        if not _is_http(body.callURL):
            raise RefusalError(422, "callURL must be an http or https address.")
        made = self.state.subscribe(body.callURL, body.resourceId)
        if made is None:
            raise RefusalError(404, "There is no such resource.")
        return _data(_subscription(made), 201)

    def subscriptions(self, request: Request) -> Response:
        """Every subscription."""
        return _page(request, [_subscription(each) for each in self.state.subscriptions()])

    def unsubscribe(self, _request: Request, subscription_id: str) -> Response:
        """Stop calling."""
        if not self.state.unsubscribe(subscription_id):
            raise RefusalError(404, "There is no such subscription.")
        return Response(status=204)

    def visit(self, _request: Request, code: str) -> Response:
        """A visit by its registration code."""
        with self._count:
            self._visit_requests += 1
        return _visit(self.state.visit(code))

    def visits(self, request: Request) -> Response:
        """The visits of one date of the site's."""
        return _page(request, self.state.visits(_date(request)))

    def check_in(self, _request: Request, code: str) -> Response:
        """The visitor has come."""
        return self._move_visit(code, "check-in")

    def check_out(self, _request: Request, code: str) -> Response:
        """The visitor has gone."""
        return self._move_visit(code, "check-out")

    def _move_visit(self, code: str, move: str) -> Response:
        try:
            return _visit(self.state.move_visit(code, move))
        except StateError as error:
            raise RefusalError(409, str(error)) from None

    # The sandbox's strings ---------------------------------------------------------------------------

    def play(self, _request: Request) -> Response:
        """Start playing the file's changes; 409 when that was done before."""
        if not self.state.play():
            raise RefusalError(409, "The changes are played once, and have been started.")
        return json_response(self._status(), 202)

    def status(self, _request: Request) -> Response:
        """How far the play has come."""
        return json_response(self._status())

    def _status(self) -> dict[str, int | bool]:
        return {
            **self.state.status(),
            "booking_requests": self._booking_requests,
            "visit_requests": self._visit_requests,
        }

    def change(self, request: Request) -> Response:
        """Make one change now, with its callback."""
        try:
            return json_response(self.state.change(read_body(request, Change)))
        except ChangeError as error:
            raise RefusalError(409, str(error)) from None
        except ValidationError as error:
            raise RefusalError(422, "; ".join(f"set.{e['loc'][0]}: {e['msg']}" for e in error.errors())) from None

    def put_visit(self, request: Request) -> Response:
        """Have this visit, in place of any with its code."""
        visit = read_body(request, VisitBody).model_dump()
        self.state.put_visit(visit)
        return json_response(visit)

    def present_bookings(self, _request: Request) -> Response:
        """Every booking present."""
        return json_response({"bookings": self.state.bookings()})

    def set_faults(self, request: Request) -> Response:
        """Misbehave so from now on; whoever is held under the faults of before is let go."""
        self._faults = read_body(request, Faults)
        self._hold.release()
        return json_response(self._faults.model_dump())


def _page(request: Request, items: list[dict[str, Any]]) -> Response:
    text = request.args.get("page", "1")
    if not (text.isascii() and text.isdigit() and len(text) < 7 and int(text) >= 1):
        raise RefusalError(400, "page must be a whole number from 1.")
    page = int(text)
    return _data(
        {
            "items": items[(page - 1) * PAGE_SIZE : page * PAGE_SIZE],
            "page": page,
            "pageCount": max(1, math.ceil(len(items) / PAGE_SIZE)),
        }
    )


def _data(data: object, status: int = 200) -> Response:
    return json_response({"success": True, "data": data}, status)


def _visit(visit: dict[str, Any] | None) -> Response:
    if visit is None:
        raise RefusalError(404, "There is no visit with this code.")
    return _data(visit)


def _subscription(subscription: Subscription) -> dict[str, Any]:
    return {
        "id": subscription.id,
        "callURL": subscription.call_url,
        "resourceId": subscription.resource_id,
        "expiresAt": None,
    }


def _date(request: Request) -> date:
    text = request.args.get("date", "")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise RefusalError(400, "date must be a date such as 2026-01-31.") from None
    if not 1970 <= day.year <= 2200:
        raise RefusalError(400, "date must be between 1970 and 2200.")
    return day


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _unauthorized() -> Response:
    answer = {"success": False, "error": {"code": 401, "message": "The access token is missing or wrong."}}
    return json_response(answer, 401)


def _error() -> Response:
    return json_response({"success": False, "error": {"code": 500, "message": "Something went wrong."}}, 500)


def _html() -> Response:
    return Response("<!doctype html><title>Sign in</title><h1>Sign in to Offision</h1>", mimetype="text/html")


def _huge() -> Response:
    head, tail, block = b'{"success": true, "data": "', b'"}', b"x" * 65_536

    def body() -> Iterator[bytes]:
        yield head
        left = _HUGE_BYTES - len(head) - len(tail)
        while left > 0:
            yield block[:left]
            left -= len(block)
        yield tail

    return Response(body(), content_type="application/json", headers={"Content-Length": str(_HUGE_BYTES)})


def _nonsense() -> Response:
    return json_response([{"surprise": ["nothing", 42, None]}, "of the kind you expect"])


def _refuse() -> Response:
    raise HangUpError


_MISBEHAVIOUR: dict[str, Callable[[], Response]] = {
    "unauthorized": _unauthorized,
    "error": _error,
    "html": _html,
    "huge": _huge,
    "nonsense": _nonsense,
    "refuse": _refuse,
}
