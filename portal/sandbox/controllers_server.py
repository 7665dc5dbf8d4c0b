"""The building's pretend controllers over HTTP, each under /controllers/<name>/, with faults to order."""

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
    """How one controller misbehaves on the network; what is not named is well.

    slow_ms: every answer takes so long. refuse: writes get 422. timeout_after_apply: writes are done, and
    their answer held for 30 s or until the faults are set anew. down: no answer at all. capacity: room for
    only so many cards.
    """

    slow_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    refuse: bool = False
    timeout_after_apply: bool = False
    down: bool = False
    capacity: Annotated[int, Field(ge=0)] | None = None


class Holds(WireModel):
    """Doors to hold unlocked: windows by door, or true where there are no windows."""

    holds: dict[str, Any]


class CardBody(WireModel):
    """A card's record: windows by door, or true where there are no windows."""

    doors: dict[str, Any]


class Pulse(WireModel):
    """Unlock a door for a moment, once for each key."""

    seconds: Annotated[int, Field(ge=1, le=60)]
    key: Annotated[str, Field(min_length=1, max_length=200)]


class Swipe(WireModel):
    """A card held before a door's reader."""

    door: int
    card: Annotated[str, Field(max_length=_MAX_CARD_NUMBER)]


class Clock(WireModel):
    """What the controller's clock is to say: ISO 8601 with an offset."""

    time: Annotated[str, Field(max_length=40)]


class _OnNetwork:
    """A controller with its faults."""

    def __init__(self, controller: PretendController) -> None:
        self.controller = controller
        self.faults = Faults()
        self.hold = Hold()


class ControllersServer(JsonService):
    """A WSGI app with every controller of the building whose driver is "simulated"."""

    def __init__(self, building: Building) -> None:
        self._controllers = {
            each.name: _OnNetwork(PretendController(each))
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
                # What happens to the box itself, not over its network, so no fault touches it.
                Rule(f"{at}/swipe", endpoint=self.swipe, methods=["POST"]),
                Rule(f"{at}/forget", endpoint=self.forget, methods=["POST"]),
                Rule(f"{at}/faults", endpoint=self.set_faults, methods=["PUT"]),
            ]
        )

    def _at(self, name: str) -> _OnNetwork:
        try:
            return self._controllers[name]
        except KeyError:
            raise RefusalError(404, "There is no such controller.") from None

    # Faults, around each request over the controller's network -----------------------------------------

    def _read(self, method: Callable[..., Response]) -> Callable[..., Response]:
        def served(request: Request, name: str, **values: Any) -> Response:
            there = self._at(name)
            there.hold.wait(there.faults.slow_ms / 1000)
            if there.faults.down:
                raise HangUpError
            try:
                return method(request, there, **values)
            except InvalidError as error:
                raise RefusalError(422, str(error)) from None

        return served

    def _write(self, method: Callable[..., Response]) -> Callable[..., Response]:
        def written(request: Request, there: _OnNetwork, **values: Any) -> Response:
            if there.faults.refuse:
                raise RefusalError(422, "The controller refuses.")
            response = method(request, there, **values)
            if there.faults.timeout_after_apply:
                there.hold.wait(_TIMEOUT_SECONDS)
            return response

        return self._read(written)

    def set_faults(self, request: Request, name: str) -> Response:
        """Misbehave so from now on; whoever is held under the faults of before is let go."""
        there = self._at(name)
        there.faults = read_body(request, Faults)
        there.hold.release()
        return json_response(there.faults.model_dump())

    # Over the network ----------------------------------------------------------------------------------

    def _info(self, _request: Request, there: _OnNetwork) -> Response:
        info = there.controller.info()
        if there.faults.capacity is not None:
            info["capacity"] = there.faults.capacity
        return json_response(info)

    def _cards(self, _request: Request, there: _OnNetwork) -> Response:
        return json_response({"cards": there.controller.cards()})

    def _card(self, _request: Request, there: _OnNetwork, number: str) -> Response:
        card = there.controller.card(number)
        if card is None:
            raise RefusalError(404, "This card is not held.")
        return json_response(card)

    def _put_card(self, request: Request, there: _OnNetwork, number: str) -> Response:
        if len(number) > _MAX_CARD_NUMBER:
            raise InvalidError(f"A card's number has at most {_MAX_CARD_NUMBER} characters.")
        doors = read_body(request, CardBody).doors
        try:
            return json_response(there.controller.put_card(number, doors, there.faults.capacity))
        except FullError:
            raise RefusalError(507, "full") from None

    def _delete_card(self, _request: Request, there: _OnNetwork, number: str) -> Response:
        if not there.controller.delete_card(number):
            raise RefusalError(404, "This card is not held.")
        return Response(status=204)

    def _holds(self, _request: Request, there: _OnNetwork) -> Response:
        return json_response({"holds": there.controller.holds()})

    def _put_holds(self, request: Request, there: _OnNetwork) -> Response:
        return json_response({"holds": there.controller.put_holds(read_body(request, Holds).holds)})

    def _pulse(self, request: Request, there: _OnNetwork, door: int) -> Response:
        pulse = read_body(request, Pulse)
        return json_response({"pulsed": there.controller.pulse(door, pulse.seconds, pulse.key)})

    def _set_clock(self, request: Request, there: _OnNetwork) -> Response:
        moment = parse_moment(read_body(request, Clock).time)
        # A controller's calendar is short; and beyond a few thousand years the arithmetic ends.
        if moment is None or abs(moment.year - clock.now().year) > 100:
            raise InvalidError("The time must be ISO 8601 with an offset, within a hundred years of now.")
        there.controller.set_clock(moment)
        return json_response({"time": there.controller.now().isoformat()})

    def _events(self, request: Request, there: _OnNetwork) -> Response:
        after = request.args.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) <= 18):
            raise InvalidError("after must be a whole number from 0.")
        return json_response({"events": there.controller.events(int(after))})

    # At the box itself ---------------------------------------------------------------------------------

    def swipe(self, request: Request, name: str) -> Response:
        """Somebody presents a card now."""
        swipe = read_body(request, Swipe)
        try:
            return json_response({"opened": self._at(name).controller.swipe(swipe.door, swipe.card)})
        except InvalidError as error:
            raise RefusalError(422, str(error)) from None

    def forget(self, _request: Request, name: str) -> Response:
        """The memory is lost."""
        self._at(name).controller.forget()
        return Response(status=204)
