"""Those parts of the OpenAPI schema that drf-spectacular can't read from the code."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

# Only these are for programs that people write; docs/ describes turnstiles' protocols and Offision's callbacks.
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
    "description": "What is wrong, in a sentence.",
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
    """Adds the scopes that an operation needs, and the Idempotency-Key of writes."""

    def get_description(self) -> str:  # type: ignore[override] # drf-spectacular's own signature
        description: str = super().get_description() or ""
        view: Any = self.view
        needed = ", ".join(f"`{scope.value}`" for scope in view.scopes[self.method])
        return f"{description}\n\nScopes: {needed}."

    def get_summary(self) -> str:
        description: str = super().get_description() or ""
        return description.split("\n")[0].split(". ")[0].rstrip(".")

    def get_override_parameters(self) -> list[Any]:
        if self.method == "GET":
            return []
        return [
            OpenApiParameter(
                "Idempotency-Key",
                {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
                OpenApiParameter.HEADER,
                description="The same request with the same key, within 24 hours, gets the first response again.",
            )
        ]


def only_described(endpoints: list[Any]) -> list[Any]:
    """drf-spectacular's hook: the endpoints that the schema lists."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(DESCRIBED)]


def with_problems(result: dict[str, Any], generator: Any, **_more: Any) -> dict[str, Any]:
    """drf-spectacular's hook: every other response of the API is a problem."""
    result["components"]["schemas"]["Problem"] = _PROBLEM
    for path, operations in result["paths"].items():
        if path.startswith("/api/v1/"):
            for operation in operations.values():
                operation["responses"].setdefault("default", _ANSWER)
    return result
