"""What the pretend services share: routing to methods, JSON in and out, errors as JSON."""

import json
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

Body = TypeVar("Body", bound=BaseModel)


class WireModel(BaseModel):
    """A request body: unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RefusalError(HTTPException):
    """The request is answered with this status code and sentence."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(description=sentence)
        self.code = code


class HangUpError(ConnectionAbortedError):
    """Close the connection without an answer (the web server knows the base class)."""


class Hold:
    """Lets requests be held, and lets go of all of them at once when told to."""

    def __init__(self) -> None:
        self._released = threading.Event()

    def wait(self, seconds: float) -> None:
        """Wait so long, or until released."""
        if seconds > 0:
            self._released.wait(seconds)

    def release(self) -> None:
        """Let go of everyone who waits now; those who come later are held anew."""
        held, self._released = self._released, threading.Event()
        held.set()


def json_response(value: object, status: int = 200) -> Response:
    """An answer with `value` as JSON."""
    return Response(json.dumps(value, ensure_ascii=False), status=status, content_type="application/json")


def read_json(request: Request) -> object:
    """The request's body as JSON. Raises RefusalError (400) for anything else."""
    try:
        parsed: object = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise RefusalError(400, "The body is not JSON.") from None
    return parsed


def read_body(request: Request, model: type[Body]) -> Body:
    """The request's body as `model`. Raises RefusalError: 400 for no JSON, 422 with what is wrong with it."""
    try:
        return model.model_validate(read_json(request))
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise RefusalError(422, "; ".join(faults)) from None


class JsonService:
    """A WSGI app whose rules' endpoints are its own methods: `(request, **path values) -> Response`."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        # Names in paths are the building file's own and may hold slashes, also double ones.
        self.url_map = Map(rules, strict_slashes=False, merge_slashes=False)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return self.respond(Request(environ))(environ, start_response)

    def respond(self, request: Request) -> Response:
        """Route one request and answer it; HTTP errors become JSON."""
        try:
            method, values = self.url_map.bind_to_environ(request.environ).match()
            response: Response = method(request, **values)
        except HTTPException as error:
            return json_response(self.error_body(error), error.code or 500)
        return response

    def error_body(self, error: HTTPException) -> object:
        """What an error's answer says."""
        return {"error": error.description}
