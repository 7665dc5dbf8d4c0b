"""The building's pretend controllers over HTTP, each under /controllers/<name>/. A test can order faults."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field
from werkzeug.routing import Rule
from werkzeug.wrappers import Request, Response

from portal.buildings.model import Building
from portal.core import clock
from portal.sandbox.controller_state import (
    FullError,
    InvalidError,
    PretendController,
    admits,
    parse_moment,
)
from portal.sandbox.wire import (
    HangUpError,
    Hold,
    JsonService,
    RefusalError,
    WireModel,
    json_response,
    read_body,
)

__all__ = ["ControllersServer", "Faults", "admits"]

_TIMEOUT_SECONDS = 30.0
_MAX_CARD_NUMBER = 200


class Faults(WireModel):
    """How one controller misbehaves on the network. The default is not at all.

    slow_ms: the delay of every answer. refuse: writes get 422. timeout_after_apply: writes are done, but the answer
    waits 30 s or until the faults change. down: no answer at all. capacity: the number of cards it has room for.
    """

    slow_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    refuse: bool = False
    timeout_after_apply: bool = False
    down: bool = False
    capacity: Annotated[int, Field(ge=0)] | None = None


class Holds(WireModel):
    """Doors to hold unlocked: windows by door, or true if the controller has no windows."""

    holds: dict[str, Any]


class CardBody(WireModel):
    """A card's record: windows by door, or true if the controller has no windows."""

    doors: dict[str, Any]


class Pulse(WireModel):
    """Unlock a door for a moment, once per key."""

    seconds: Annotated[int, Field(ge=1, le=60)]
    key: Annotated[str, Field(min_length=1, max_length=200)]


class Swipe(WireModel):
    """A card at a door's reader."""

    door: int
    card: Annotated[str, Field(max_length=_MAX_CARD_NUMBER)]


class Clock(WireModel):
    """The new time of the controller's clock: ISO 8601 with an offset."""

    time: Annotated[str, Field(max_length=40)]


class _NetworkedController:
    """A controller with its faults."""

    def __init__(self, controller: PretendController) -> None:
        self.controller = controller
        self.faults = Faults()
        self.hold = Hold()


class ControllersServer(JsonService):
    """A WSGI app with every controller of the building whose driver is "simulated"."""

    def __init__(self, building: Building) -> None:
        self._controllers = {
            each.name: _NetworkedController(PretendController(each))
            for each in building.controllers
            if each.driver == "simulated"
        }
        at = "/controllers/<path:name>"
        read, write = self._read, self._write
        super().__init__(
            [
                Rule(f"{at}/info", endpoint=read(self._info), methods=["GET"]),
                Rule(f"{at}/cards", endpoint=read(self._cards), methods=["GET"]),
                Rule(f"{at}/cards/<path:number>", endpoint=read(self._card), methods=["GET"]),
                Rule(f"{at}/cards/<path:number>", endpoint=write(self._put_card), methods=["PUT"]),
                Rule(f"{at}/cards/<path:number>", endpoint=write(self._delete_card), methods=["DELETE"]),
                Rule(f"{at}/holds", endpoint=read(self._holds), methods=["GET"]),
                Rule(f"{at}/holds", endpoint=write(self._put_holds), methods=["PUT"]),
                Rule(f"{at}/doors/<int:door>/pulse", endpoint=write(self._pulse), methods=["POST"]),
                Rule(f"{at}/clock", endpoint=write(self._set_clock), methods=["PUT"]),
                Rule(f"{at}/events", endpoint=read(self._events), methods=["GET"]),
                # These act on the controller itself, not over its network: no fault applies.
                Rule(f"{at}/swipe", endpoint=self.swipe, methods=["POST"]),
                Rule(f"{at}/forget", endpoint=self.forget, methods=["POST"]),
                Rule(f"{at}/faults", endpoint=self.set_faults, methods=["PUT"]),
            ]
        )

    def _at(self, name: str) -> _NetworkedController:
        try:
            return self._controllers[name]
        except KeyError:
            raise RefusalError(404, "There is no such controller.") from None

    # Faults, around each request over the controller's network -----------------------------------------

    def _read(self, method: Callable[..., Response]) -> Callable[..., Response]:
        def served(request: Request, name: str, **values: Any) -> Response:
            networked = self._at(name)
            networked.hold.wait(networked.faults.slow_ms / 1000)
            if networked.faults.down:
                raise HangUpError
            try:
                return method(request, networked, **values)
            except InvalidError as error:
                raise RefusalError(422, str(error)) from None

        return served

    def _write(self, method: Callable[..., Response]) -> Callable[..., Response]:
        def written(request: Request, networked: _NetworkedController, **values: Any) -> Response:
            if networked.faults.refuse:
                raise RefusalError(422, "The controller refuses.")
            response = method(request, networked, **values)
            if networked.faults.timeout_after_apply:
                networked.hold.wait(_TIMEOUT_SECONDS)
            return response

        return self._read(written)

    def set_faults(self, request: Request, name: str) -> Response:
        """Replace the faults, and release the requests that wait because of the earlier ones."""
        networked = self._at(name)
        networked.faults = read_body(request, Faults)
        networked.hold.release()
        return json_response(networked.faults.model_dump())

    # Over the network ----------------------------------------------------------------------------------

    def _info(self, _request: Request, networked: _NetworkedController) -> Response:
        info = networked.controller.info()
        if networked.faults.capacity is not None:
            info["capacity"] = networked.faults.capacity
        return json_response(info)

    def _cards(self, _request: Request, networked: _NetworkedController) -> Response:
        return json_response({"cards": networked.controller.cards()})

    def _card(self, _request: Request, networked: _NetworkedController, number: str) -> Response:
        card = networked.controller.card(number)
        if card is None:
            raise RefusalError(404, "The controller does not hold this card.")
        return json_response(card)

    def _put_card(self, request: Request, networked: _NetworkedController, number: str) -> Response:
        if len(number) > _MAX_CARD_NUMBER:
            raise InvalidError(f"A card's number has at most {_MAX_CARD_NUMBER} characters.")
        doors = read_body(request, CardBody).doors
        try:
            return json_response(networked.controller.put_card(number, doors, networked.faults.capacity))
        except FullError:
            raise RefusalError(507, "full") from None

    def _delete_card(self, _request: Request, networked: _NetworkedController, number: str) -> Response:
        if not networked.controller.delete_card(number):
            raise RefusalError(404, "The controller does not hold this card.")
        return Response(status=204)

    def _holds(self, _request: Request, networked: _NetworkedController) -> Response:
        return json_response({"holds": networked.controller.holds()})

    def _put_holds(self, request: Request, networked: _NetworkedController) -> Response:
        return json_response({"holds": networked.controller.put_holds(read_body(request, Holds).holds)})

    def _pulse(self, request: Request, networked: _NetworkedController, door: int) -> Response:
        pulse = read_body(request, Pulse)
        return json_response({"pulsed": networked.controller.pulse(door, pulse.seconds, pulse.key)})

    def _set_clock(self, request: Request, networked: _NetworkedController) -> Response:
        moment = parse_moment(read_body(request, Clock).time)
        # Controllers have short calendars, and Python's arithmetic ends with year 9999.
        if moment is None or abs(moment.year - clock.now().year) > 100:
            raise InvalidError("The time must be ISO 8601 with an offset, within a hundred years of now.")
        networked.controller.set_clock(moment)
        return json_response({"time": networked.controller.now().isoformat()})

    def _events(self, request: Request, networked: _NetworkedController) -> Response:
        after = request.args.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) <= 18):
            raise InvalidError("after must be a whole number from 0.")
        return json_response({"events": networked.controller.events(int(after))})

    # At the controller itself ---------------------------------------------------------------------------------

    def swipe(self, request: Request, name: str) -> Response:
        """Somebody presents a card now."""
        swipe = read_body(request, Swipe)
        try:
            return json_response({"opened": self._at(name).controller.swipe(swipe.door, swipe.card)})
        except InvalidError as error:
            raise RefusalError(422, str(error)) from None

    def forget(self, _request: Request, name: str) -> Response:
        """The controller loses its memory."""
        self._at(name).controller.forget()
        return Response(status=204)
