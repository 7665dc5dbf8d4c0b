"""JSON over HTTP for the pretend services: routes to methods, bodies, errors as JSON."""

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
    """A request body that refuses unknown keys and wrong types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RefusalError(HTTPException):
    """Answers the request with a status code and a sentence."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(description=sentence)
        self.code = code


class HangUpError(ConnectionAbortedError):
    """Closes the connection without an answer. The web server handles the base class."""


class Hold:
    """Makes requests wait, and releases all of them at once."""

    def __init__(self) -> None:
        self._released = threading.Event()

    def wait(self, seconds: float) -> None:
        """Wait for a time, or until released."""
        if seconds > 0:
            self._released.wait(seconds)

    def release(self) -> None:
        """Release the requests that wait now; later ones wait again."""
        waiting, self._released = self._released, threading.Event()
        waiting.set()


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
    """The request's body as `model`. Raises RefusalError: 400 for no JSON, 422 with the faults."""
    try:
        return model.model_validate(read_json(request))
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise RefusalError(422, "; ".join(faults)) from None


class JsonService:
    """A WSGI app whose rules' endpoints are its own methods: `(request, **path values) -> Response`."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        # Names in paths come from the building file and may hold slashes, even double ones.
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
        """The JSON of an error's answer."""
        return {"error": error.description}
