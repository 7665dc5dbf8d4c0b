"""What all views of the API share: who may ask, how large a question and a page may be, and how errors are put."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from accessmap.api.authentication import ApiKeyAuthentication, HasScopes, PerMinute
from accessmap.api.models import ApiKey, Scope
from accessmap.api.schema import ApiSchema
from accessmap.api.serializers import Strict
from portal.core.api.errors import LengthRequired, TooLarge, as_problem

MAX_BODY_BYTES = 1024 * 1024
MAX_PAGE = 200
Scopes = Mapping[str, Sequence[Scope]]


class BoundedJSONParser(JSONParser):
    """JSON that is nested too deeply to be read is no JSON."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError(_("The JSON is nested too deeply.")) from error


class Pages(CursorPagination):
    """Pages by cursor: nothing is counted, and nothing is skipped or doubled when rows come and go meanwhile."""

    ordering = "pk"
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = MAX_PAGE

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get("limit", str(self.page_size))
        if not (asked.isascii() and asked.isdigit() and len(asked) <= 3 and 1 <= int(asked) <= MAX_PAGE):
            raise ValidationError({"limit": [_("Must be a number from 1 to %(n)d.") % {"n": MAX_PAGE}]})
        return int(asked)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        try:
            return super().paginate_queryset(queryset, request, view)
        except ValueError:  # a cursor that was tampered with
            raise ValidationError({"cursor": [_("Not a cursor of this API: begin at the first page.")]}) from None

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": self.page_size}
        return [
            {"name": "cursor", "in": "query", "schema": {"type": "string"}, "description": "As in `next`."},
            {"name": "limit", "in": "query", "schema": limit, "description": "Rows a page."},
        ]


class ApiView(GenericAPIView[Any]):
    """A view for API keys. `scopes` says what each method needs; a method that is not there is not allowed."""

    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [HasScopes]
    throttle_classes = [PerMinute]
    parser_classes = [BoundedJSONParser]
    pagination_class: type[Pages] | None = Pages
    schema = ApiSchema()
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    scopes: ClassVar[Scopes]
    # What may stand in the address beside the page, validated like a body.
    query_serializer: type[serializers.Serializer[Any]] = Strict

    @property
    def key(self) -> ApiKey:
        assert isinstance(self.request.auth, ApiKey)
        return self.request.auth

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # The server hands over no more of a body than its header announces, and nothing where none does.
        if "chunked" in request.headers.get("Transfer-Encoding", "") and not request.META.get("CONTENT_LENGTH"):
            raise LengthRequired(_("Send the body's length (Content-Length) with it, not in chunks."))
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY_BYTES:
            raise TooLarge(_("The body is over %(n)d bytes: send it in parts.") % {"n": MAX_BODY_BYTES})

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return as_problem

    def query(self) -> dict[str, Any]:
        """What stands in the address, validated."""
        said = {name: value for name, value in self.request.query_params.items() if name not in ("cursor", "limit")}
        asked = self.query_serializer(data=said)
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)

    def said(self, serializer: type[serializers.Serializer[Any]], *, partial: bool = False) -> dict[str, Any]:
        """What stands in the body, validated."""
        body = serializer(data=self.request.data, partial=partial, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)
