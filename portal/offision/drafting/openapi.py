"""Reads an OpenAPI 3 or Swagger 2 document into operations, parameters and the nodes of their answers.

Everything is bounded: the size of the document, the references followed, the depth and the number of nodes.
"""

import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from portal.offision import problems
from portal.offision.errors import ContractError

MAX_DOCUMENT_BYTES = 20_000_000
MAX_DEPTH = 7
MAX_NODES = 3000
_METHODS = ("get", "post", "put", "patch", "delete")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Node:
    """One place in a JSON body: its JMESPath, the names on its path, and its schema."""

    path: str
    names: tuple[str, ...]
    schema: dict[str, Any]
    in_list: bool = False
    """Whether its path runs through a list, so that there can be several values."""

    @property
    def kind(self) -> str:
        """The JSON type; of several, the first that is not null."""
        return kind_of(self.schema)


@dataclass(frozen=True, eq=False)
class Parameter:
    """One parameter of a request, in its path, query, headers or body."""

    name: str
    place: str
    required: bool
    schema: dict[str, Any]


@dataclass(frozen=True)
class ApiOperation:
    """One operation of the document. `body` and `answer` are schemas, None where there is none in JSON."""

    method: str
    path: str
    summary: str
    operation_id: str
    tags: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    body: dict[str, Any] | None
    body_required: bool
    answer: dict[str, Any] | None
    success: tuple[int, ...]
    callbacks: tuple[dict[str, Any], ...] = ()
    deprecated: bool = False


@dataclass
class Document:
    """A whole document, with its references resolved on demand."""

    root: dict[str, Any]
    operations: tuple[ApiOperation, ...] = field(default=())

    @classmethod
    def load(cls, path: Path) -> "Document":
        """The document in a JSON or YAML file. Raises ContractError where it is none."""
        try:
            data = path.read_bytes()
        except OSError as error:
            problem = problems.UNREADABLE_DOCUMENT(path=str(path), why=str(error.strerror))
            raise ContractError(problem) from error
        if len(data) > MAX_DOCUMENT_BYTES:
            raise ContractError(problems.LARGE_DOCUMENT(path=str(path)))
        try:
            text = data.decode("utf-8-sig")
            root = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
        except (ValueError, yaml.YAMLError, RecursionError) as error:
            raise ContractError(problems.NOT_A_DOCUMENT(path=str(path))) from error
        if not isinstance(root, dict) or not isinstance(root.get("paths"), dict):
            raise ContractError(problems.NO_PATHS(path=str(path)))
        document = cls(root)
        document.operations = tuple(document._operations())
        return document

    def resolve(self, node: Any) -> dict[str, Any]:
        """The object of a node: $refs followed (50 at most), allOf merged, the first non-null choice of oneOf, anyOf.

        A reference out of the document, or in a circle, resolves to {}.
        """
        return self._resolve(node, 0)

    def _resolve(self, node: Any, depth: int) -> dict[str, Any]:
        for _step in range(50):
            if not isinstance(node, dict) or depth > MAX_DEPTH:
                return {}
            if "$ref" not in node:
                break
            node = self._referenced(node["$ref"])
        else:
            return {}
        if isinstance(parts := node.get("allOf"), list):
            merged: dict[str, Any] = {}
            for part in [*parts, {key: value for key, value in node.items() if key != "allOf"}]:
                resolved_part = self._resolve(part, depth + 1)
                properties = {**_dict(merged.get("properties")), **_dict(resolved_part.get("properties"))}
                required = [*_list(merged.get("required")), *_list(resolved_part.get("required"))]
                merged |= resolved_part | {"properties": properties, "required": required}
            return merged
        for choice in ("oneOf", "anyOf"):
            if isinstance(variants := node.get(choice), list) and not _is_enum(variants):
                resolved = [self._resolve(variant, depth + 1) for variant in variants]
                not_null = [variant for variant in resolved if variant and variant.get("type") != "null"]
                rest = {key: value for key, value in node.items() if key != choice}
                return (not_null[0] if not_null else {}) | rest
        return node

    def _referenced(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return {}
        node: Any = self.root
        for step in reference[2:].split("/"):
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            node = node.get(key) if isinstance(node, dict) else None
        return node

    def nodes(self, schema: dict[str, Any] | None) -> list[Node]:
        """Every node below a schema, breadth first, 3000 at most; circles and depth are cut."""
        queue: deque[tuple[Node, tuple[int, ...]]] = deque()
        if schema:
            queue.append((Node("@", (), self.resolve(schema)), ()))
        nodes: list[Node] = []
        while queue and len(nodes) < MAX_NODES:
            node, trail = queue.popleft()
            nodes.append(node)
            if id(node.schema) not in trail and len(trail) <= MAX_DEPTH:
                queue += [(child, (*trail, id(node.schema))) for child in self._children(node)]
        return nodes

    def _children(self, node: Node) -> Iterator[Node]:
        if node.kind == "array":
            item = self.resolve(node.schema.get("items"))
            if kind_of(item) in {"object", "array"}:
                yield Node(f"{'' if node.path == '@' else node.path}[]", node.names, item, True)
        for name, schema in _dict(node.schema.get("properties")).items():
            quoted = name if _PLAIN_NAME.fullmatch(str(name)) else json.dumps(str(name))
            path = quoted if node.path == "@" else f"{node.path}.{quoted}"
            yield Node(path, (*node.names, str(name)), self.resolve(schema), node.in_list)

    def auth_styles(self) -> set[str]:
        """ "bare" and "basic", where the document's security schemes name them."""
        components = _dict(self.root.get("components"))
        schemes = _dict(components.get("securitySchemes")) | _dict(self.root.get("securityDefinitions"))
        styles = set()
        for scheme in map(self.resolve, schemes.values()):
            if scheme.get("type") == "basic" or str(scheme.get("scheme", "")).lower() == "basic":
                styles.add("basic")
            elif scheme.get("type") == "apiKey" and str(scheme.get("name", "")).lower() == "authorization":
                styles.add("bare")
        return styles

    def _operations(self) -> Iterator[ApiOperation]:
        base = self._base_path()
        for path, item in _dict(self.root["paths"]).items():
            shared = self.resolve(item)
            for method in _METHODS:
                if isinstance(shared.get(method), dict):
                    yield self._operation(base + str(path), method, shared)

    def _base_path(self) -> str:
        servers = _list(self.root.get("servers"))
        if servers and isinstance(servers[0], dict):
            base = urlsplit(re.sub(r"\{[^}]*\}", "x", str(servers[0].get("url", "")))).path
        else:
            base = str(self.root.get("basePath") or "")
        base = base.rstrip("/")
        return base if not base or base.startswith("/") else f"/{base}"

    def _operation(self, path: str, method: str, item: dict[str, Any]) -> ApiOperation:
        node = item[method]
        parameters: dict[tuple[str, str], Parameter] = {}
        body: dict[str, Any] | None = None
        body_required = False
        for raw in [*_list(item.get("parameters")), *_list(node.get("parameters"))]:
            parameter = self.resolve(raw)
            name, place = str(parameter.get("name", "")), str(parameter.get("in", ""))
            if place == "body":  # Swagger 2
                body, body_required = self.resolve(parameter.get("schema")), bool(parameter.get("required"))
            elif place in {"path", "query", "header"} and name:
                schema = self.resolve(parameter["schema"]) if "schema" in parameter else parameter
                required = bool(parameter.get("required")) or place == "path"
                parameters[place, name] = Parameter(name, place, required, schema)
        if request := self.resolve(node.get("requestBody")):
            body, body_required = self._json_schema(request), bool(request.get("required"))
        answers = {str(code): self.resolve(answer) for code, answer in _dict(node.get("responses")).items()}
        successes = {code: answer for code, answer in answers.items() if re.fullmatch(r"2\d\d", code)}
        schemas = [self._json_schema(answer) for answer in (successes or answers).values()]
        return ApiOperation(
            method=method.upper(),
            path=path,
            summary=str(node.get("summary") or ""),
            operation_id=str(node.get("operationId") or ""),
            tags=tuple(str(tag) for tag in _list(node.get("tags"))),
            parameters=tuple(parameters.values()),
            body=body,
            body_required=body_required,
            answer=next((schema for schema in schemas if schema), None),
            success=tuple(sorted(int(code) for code in successes)) or (200,),
            callbacks=tuple(self._callback_bodies(node)),
            deprecated=bool(node.get("deprecated")),
        )

    def _json_schema(self, holder: dict[str, Any]) -> dict[str, Any] | None:
        """The schema of a JSON request body or answer: `content` in OpenAPI 3, `schema` in Swagger 2."""
        if "schema" in holder:
            return self.resolve(holder["schema"])
        for kind, content in _dict(holder.get("content")).items():
            if "json" in str(kind) or kind == "*/*":
                return self.resolve(_dict(content).get("schema")) or None
        return None

    def _callback_bodies(self, node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for callback in map(self.resolve, _dict(node.get("callbacks")).values()):
            for item in map(self.resolve, callback.values()):
                for call in (item.get(method) for method in ("post", "put")):
                    request = self.resolve(_dict(call).get("requestBody"))
                    if schema := self._json_schema(request):
                        yield schema


def kind_of(schema: dict[str, Any]) -> str:
    """A schema's JSON type, also where it is implied; "" where it is not known."""
    kinds = schema.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if isinstance(kind, str) and kind != "null":
            return kind
    if schema.get("properties"):
        return "object"
    return "array" if "items" in schema else ""


def _is_enum(variants: list[Any]) -> bool:
    """Whether oneOf or anyOf writes an enum with names: [{const: 1, title: Confirmed}, ...]."""
    return bool(variants) and all(isinstance(variant, dict) and "const" in variant for variant in variants)


def _dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


_LISTED_IN_TEXT = re.compile(
    r"(?<![\w-])(-?\d+|[A-Za-z_]\w*)\s*(?:=>|[=:→–]|\s-\s)\s*[\"'`]?([A-Za-z][\w-]*(?: [A-Za-z][\w-]*)?)"
)


def enum_of(schema: dict[str, Any]) -> list[tuple[Any, str]]:
    """The values that a schema lists, each with its name (the value itself where it has none)."""
    variants = next((_list(schema[key]) for key in ("oneOf", "anyOf") if key in schema), [])
    if _is_enum(variants):
        return [
            (variant["const"], str(variant.get("title") or variant.get("description") or variant["const"]))
            for variant in variants
        ]
    described = str(schema.get("description") or "")
    values = [value for value in _list(schema.get("enum")) if isinstance(value, str | int)]
    named = dict(_LISTED_IN_TEXT.findall(described))
    if not values and kind_of(schema) == "integer":
        return [(int(number), name) for number, name in named.items() if number.lstrip("-").isdigit()]
    return [(value, name) for value, name in zip(values, _names(schema, values, named), strict=True)]


def _names(schema: dict[str, Any], values: list[Any], named: dict[str, str]) -> list[str]:
    for key in ("x-enum-varnames", "x-enumNames", "x-enum-names", "x-enumnames"):
        names = schema.get(key)
        if isinstance(names, dict):
            return [str(names.get(str(value), value)) for value in values]
        if isinstance(names, list) and len(names) == len(values):
            return [str(name) for name in names]
    marked = _list(_dict(schema.get("x-ms-enum")).get("values"))
    by_value = {str(_dict(one).get("value")): str(_dict(one).get("name")) for one in marked}
    if not by_value and all(isinstance(value, int) for value in values):
        by_value = named
    return [by_value.get(str(value), str(value)) for value in values]
