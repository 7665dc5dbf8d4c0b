"""The API's own description (OpenAPI), as far as drf-spectacular can't read it from the code."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

# Only these are for programs that people write; devices' protocols and Offision's calls are described elsewhere.
DESCRIBED = ("/api/v1/", "/api/visitors/")
_TEXT = {"type": "string"}
_ERROR = {
    "type": "object",
    "properties": {"field": {**_TEXT, "description": "Such as cards.0.number."}, "message": _TEXT},
    "required": ["field", "message"],
}
_PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "errors": {"type": "array", "items": _ERROR},
    },
    "required": ["type", "title", "status", "detail", "errors"],
}
_ANSWER = {
    "description": "What is wrong, in plain words.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accessmap.api.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key KEY`, the key as it was shown when an administrator made it.",
        }


class ApiSchema(AutoSchema):
    """Says which scopes an operation needs, and that writing takes an Idempotency-Key."""

    def get_description(self) -> str:  # type: ignore[override] # drf-spectacular's own signature
        said: str = super().get_description() or ""
        view: Any = self.view
        needed = ", ".join(f"`{scope.value}`" for scope in view.scopes[self.method])
        return f"{said}\n\nScopes: {needed}."

    def get_summary(self) -> str:
        said: str = super().get_description() or ""
        return said.split("\n")[0].split(". ")[0].rstrip(".")

    def get_override_parameters(self) -> list[Any]:
        if self.method == "GET":
            return []
        return [
            OpenApiParameter(
                "Idempotency-Key",
                {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
                OpenApiParameter.HEADER,
                description="The same request with the same key, within 24 hours, gets the first answer again.",
            )
        ]


def only_described(endpoints: list[Any]) -> list[Any]:
    """drf-spectacular's hook: what is in the description."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(DESCRIBED)]


def with_problems(result: dict[str, Any], generator: Any, **_more: Any) -> dict[str, Any]:
    """drf-spectacular's hook: whatever else is answered by the API is a problem."""
    result["components"]["schemas"]["Problem"] = _PROBLEM
    for path, operations in result["paths"].items():
        if path.startswith("/api/v1/"):
            for operation in operations.values():
                operation["responses"].setdefault("default", _ANSWER)
    return result
