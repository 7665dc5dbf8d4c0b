"""Views for machines: Offision's callbacks and turnstiles.

Small devices describe their requests badly. A body is bytes, whatever Content-Type says, and an answer is JSON,
whatever Accept says. Errors are problem details with one member more, `error`, which repeats `detail`.
"""

from collections.abc import Callable
from typing import IO, Any

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.core.api.errors import MEDIA_TYPE, TooLarge, as_problem


class RawParser(BaseParser):
    """The bytes of the body, unchanged: no more than the view's max_bytes. Raises TooLarge."""

    media_type = "*/*"

    def parse(  # type: ignore[override] # the stubs know parsed bodies only
        self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None
    ) -> bytes:
        limit = parser_context["view"].get_max_bytes()
        body: bytes = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(f"The body is over {limit} bytes.")
        return body


class IsAuthenticated(BasePermission):
    """An authentication class of the view has accepted the request. A view without such a class answers nobody."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.auth is not None


class MachineView(APIView):
    """A view for machines. A subclass names its `authentication_classes`, and `throttle_classes` if it has any.

    An authentication class returns (AnonymousUser(), credentials) or raises an APIException of its own choice: a
    wrong secret in a path may well be a 404.
    """

    permission_classes = [IsAuthenticated]
    parser_classes = [RawParser]
    max_bytes = 2048

    def get_max_bytes(self) -> int:
        """The longest body that the view reads. Called after authentication."""
        return self.max_bytes

    @property
    def body(self) -> bytes:
        """The body's bytes. Raises TooLarge."""
        data = self.request.data
        return data if isinstance(data, bytes) else b""  # REST framework does not call a parser without a body

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        return JSONRenderer(), JSONRenderer.media_type

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return _as_machine_problem


def _as_machine_problem(error: Exception, context: dict[str, Any]) -> Response | None:
    response = as_problem(error, context)
    if response is not None:
        response.data["error"] = response.data["detail"]
    return response


class ProblemSerializer(serializers.Serializer[Any]):
    """Problem details (RFC 9457), for the API's schema."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()


def describe(
    request: Any, description: str, *, answers: dict[int, Any], problems: dict[int, str], method: str = "post"
) -> Any:
    """A class decorator for the API's schema: what the view takes and answers, and when which status is a problem."""
    responses: dict[Any, Any] = dict(answers)
    for status, cause in problems.items():
        responses[status, MEDIA_TYPE] = OpenApiResponse(ProblemSerializer, description=cause)
    operation = extend_schema(description=description, request={"application/json": request}, responses=responses)
    return extend_schema_view(**{method: operation})
