"""Drafts the contract table of one operation from its description in an OpenAPI document."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from portal.offision.drafting.matching import FIELD_PATTERNS, REQUEST_PATTERNS, find_field, key
from portal.offision.drafting.openapi import ApiOperation, Document, Node, Parameter, enum_of, kind_of
from portal.offision.drafting.text import comment, question, toml
from portal.offision.operations import OPERATIONS, OperationName

_PAGE = re.compile(r"page(number|no|index|num)?")
_PAGE_TOKEN = re.compile(r"(continuation|next|nextpage|page)token|(next)?cursor")
_PAGE_COUNT = re.compile(r"(total)?pagecount|(total|num|number|max|numberof)page|pagetotal|lastpage|page")
_TOTAL = re.compile(r"total(count|record|item|row|element|result)?|(record|item|row|result)count|count")
_NEXT = re.compile(r"next(page)?(token|cursor)?|continuationtoken|cursor")
_OFFSET = re.compile(r"offset|skip|startindex")
MOST_CANDIDATES = 8
MOST_HOLDERS = 40  # objects of an answer that are considered as the one with our fields


@dataclass
class DraftedOperation:
    """The lines of one operation's table, and the nodes of its fields."""

    lines: list[str] = field(default_factory=list)
    nodes: dict[str, Node] = field(default_factory=dict)
    scope: str | None = None
    """For subscribe: "all", "per_resource", or None where the document leaves it open."""


def named(operation: ApiOperation) -> str:
    """An operation as it reads in the document."""
    names = " / ".join(part for part in (*operation.tags, operation.summary or operation.operation_id) if part)
    return f"{operation.method} {operation.path}  {names}"


def draft_operation(
    document: Document, name: OperationName, operation: ApiOperation, *, certain: bool
) -> DraftedOperation:
    """The table `operations.<name>`, drafted from `operation`; open points are questions.

    `certain`: whether the operation has a name that Offision's guide gives.
    """
    drafted = DraftedOperation()
    request = _Request(name, operation)
    request.fill_parameters()
    request.fill_body(document)
    drafted.scope = request.scope()
    lines = [comment(named(operation)), f"[operations.{name}]", f"method = {toml(operation.method)}"]
    lines.append(f"path = {toml(request.path)}")
    if request.query:
        lines.append(f"query = {toml(request.query)}")
    if request.body:
        lines.append(f"body = {toml(request.body)}")
    lines.append(f"success = {toml(operation.success)}")
    lines.append(f"status = {toml('confirmed' if certain else 'unconfirmed')}")
    lines.append(f"answer_status = {toml('unconfirmed')}")
    lines += request.questions
    if OPERATIONS[name].many:
        lines += request.page_lines(document)
    lines += _answer_lines(document, name, operation, drafted)
    drafted.lines = lines
    return drafted


class _Request:
    """Fills an operation's path, query and body with our placeholders."""

    def __init__(self, name: OperationName, operation: ApiOperation) -> None:
        self.name, self.operation = name, operation
        self.rule = OPERATIONS[name]
        self.path = operation.path
        self.query: dict[str, Any] = {}
        self.body: dict[str, Any] = {}
        self.questions: list[str] = []
        self.page: Parameter | None = None
        self.filled: dict[str, bool] = {}  # placeholder: whether the server requires it
        self.about_resource = ""

    def fill_parameters(self) -> None:
        roles = {parameter: self._role(parameter) for parameter in self.operation.parameters}
        used = set(roles.values())
        if "date" in used:  # requested day by day: an optional range is not filled in
            roles = {
                one: None if role in {"from", "until"} and not one.required else role for one, role in roles.items()
            }
        elif ("from" in used) != ("until" in used):
            roles = {one: "date" if role in {"from", "until"} else role for one, role in roles.items()}
            self.questions += question(_("Does this parameter alone choose one day? Only one of a range was found."))
        for parameter, role in roles.items():
            if parameter.place == "path":
                self._fill_path(parameter, role)
            elif parameter.place == "query":
                self._fill_query(parameter, role)
            elif parameter.required and parameter.name.lower() not in {"authorization", "accept", "content-type"}:
                self.questions += question(
                    _("The header %(name)s is required, and a contract cannot send headers.") % {"name": parameter.name}
                )

    def _role(self, parameter: Parameter) -> str | None:
        plain = key([parameter.name])
        for role in self.rule.fills:
            for pattern in REQUEST_PATTERNS[role]:
                if re.fullmatch(pattern, plain) and (pattern != "id" or parameter.required):
                    return role
        in_path = [one for one in self.operation.parameters if one.place == "path"]
        if parameter.place == "path" and len(in_path) == 1 and len(self.rule.must_fill) >= 1:
            return self.rule.must_fill[0][0] if self.rule.must_fill[0] != ("callback_url",) else None
        return None

    def _fill_path(self, parameter: Parameter, role: str | None) -> None:
        if role is None:
            self.questions += question(
                _("What stands in the path for {%(name)s}?") % {"name": parameter.name},
                (f"{{{fill}}}" for fill in self.rule.fills),
            )
            return
        self.path = self.path.replace(f"{{{parameter.name}}}", _placeholder(role, parameter.schema))
        self.filled[role] = True

    def _fill_query(self, parameter: Parameter, role: str | None) -> None:
        plain = key([parameter.name])
        if role is not None:
            self.query[parameter.name] = _placeholder(role, parameter.schema)
            self.filled[role] = parameter.required
        elif self.rule.many and (_PAGE.fullmatch(plain) or _PAGE_TOKEN.fullmatch(plain)):
            self.page = parameter
        elif self.rule.many and _OFFSET.fullmatch(plain):
            self.questions += question(
                _("%(name)s pages by offset, which a contract cannot describe. Can one page hold everything?")
                % {"name": parameter.name}
            )
        elif parameter.required:
            self._constant("query", self.query, parameter.name, parameter.schema)

    def fill_body(self, document: Document) -> None:
        """The JSON body: our placeholders, required values as a constant or a question, and nothing else."""
        if self.operation.body is not None:
            self.body = self._object(document, self.operation.body, ())
        for group in self.rule.must_fill:
            if not set(group) & set(self.filled) and not (group == ("date", "until") and "date" in self.filled):
                wanted = _(" or ").join(f"{{{one}}}" for one in group)
                self.questions += question(
                    _("Where in the request does %(wanted)s go?") % {"wanted": wanted},
                    [
                        *(f"{one.place}: {one.name}" for one in self.operation.parameters),
                        *(f"body: {one}" for one in (self.operation.body or {}).get("properties") or {}),
                    ],
                )

    def _object(self, document: Document, schema: dict[str, Any], trail: tuple[int, ...]) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        required = schema.get("required") if isinstance(schema.get("required"), list) else []
        properties = schema.get("properties") if isinstance(schema.get("properties"), dict) else {}
        for name, raw in (properties or {}).items():
            inner, must = document.resolve(raw), name in (required or [])
            role = self._role(Parameter(str(name), "body", must, inner))
            if role == "resource_id":
                self.about_resource = str(inner.get("description") or "")
            item = document.resolve(inner.get("items")) if kind_of(inner) == "array" else None
            listed = self._role(Parameter(_one_of(str(name)), "body", must, inner)) if item else None
            if item is not None and listed is not None:
                filled[name] = [_placeholder(listed, item, body=True)]
                self.filled[listed] = must
            elif role is not None and item is None:
                filled[name] = _placeholder(role, inner, body=True)
                self.filled[role] = must
            elif kind_of(inner) == "object" and len(trail) < 3 and id(inner) not in trail:
                if below := self._object(document, inner, (*trail, id(inner))):
                    filled[name] = below
            elif must:
                self._constant("body", filled, str(name), inner)
        return filled

    def _constant(self, part: str, target: dict[str, Any], name: str, schema: dict[str, Any]) -> None:
        """Fills in a required value that has no placeholder, or asks."""
        values = [value for value, _name in enum_of(schema)]
        known = schema.get("default", schema.get("const", values[0] if len(values) == 1 else None))
        if isinstance(known, str | int | bool):
            target[name] = known
            return
        self.questions += question(
            _("%(name)s is required. What is sent for it?") % {"name": name},
            [f"in {part}: {name} = {toml(value)}" for value in values[:MOST_CANDIDATES]]
            + ([comment(str(schema["description"]))[2:]] if schema.get("description") else []),
        )

    def scope(self) -> str | None:
        """Whether one subscription serves all resources; None where the request leaves it open."""
        if "resource_id" not in self.filled:
            return "all"
        if self.filled["resource_id"]:
            return "per_resource"
        return "all" if re.search(r"\b(all|every)\b", self.about_resource, re.IGNORECASE) else None

    def page_lines(self, document: Document) -> Iterator[str]:
        """The page rule, where the request has a page parameter."""
        page = self.page
        if page is None:
            return
        answers = [node for node in document.nodes(self.operation.answer) if node.names and not node.in_list]
        by_token = _PAGE_TOKEN.fullmatch(key([page.name])) is not None
        rules = (("next", _NEXT),) if by_token else (("count", _PAGE_COUNT), ("total", _TOTAL))
        first = page.schema.get("default", page.schema.get("minimum", 1))
        for rule, pattern in rules:
            fitting = [
                node
                for node in answers
                if node.kind in ({"string", "integer"} if by_token else {"integer", "number"})
                and pattern.fullmatch(key([node.names[-1]]))
                and not (rule == "count" and key([node.names[-1]]) == key([page.name]))
            ]
            if fitting:
                start = {} if by_token else {"first": first if isinstance(first, int) else 1}
                yield f"page = {toml({'parameter': page.name, **start, rule: fitting[0].path})}"
                if not by_token and "index" in key([page.name]) and not isinstance(page.schema.get("default"), int):
                    yield from question(_("Is the first page 0 or 1?"), ["first = 0", "first = 1"])
                return
        start = {} if by_token else {"first": first if isinstance(first, int) else 1}
        yield from question(
            _("%(name)s chooses a page. Which field shows that there are more?") % {"name": page.name},
            (
                f"page = {toml({'parameter': page.name, **start, 'next' if by_token else 'total': node.path})}"
                for node in answers
                if node.kind in {"integer", "number", "string"}
            ),
        )


def _one_of(name: str) -> str:
    """The name of one entry of a list: resourceIds -> resourceId."""
    return name[:-1] if name.endswith(("s", "S")) else name


def _placeholder(role: str, schema: dict[str, Any], *, body: bool = False) -> str:
    if body and kind_of(schema) in {"integer", "number"}:
        return f"{{{role}:number}}"
    if role in {"date", "from", "until"} and schema.get("format") == "date-time":
        return f"{{{role}}}T23:59:59" if role == "until" else f"{{{role}}}T00:00:00"
    return f"{{{role}}}"


def _answer_lines(
    document: Document, name: OperationName, operation: ApiOperation, drafted: DraftedOperation
) -> Iterator[str]:
    patterns, rule = FIELD_PATTERNS[name], OPERATIONS[name]
    if not patterns:
        return
    places = document.nodes(operation.answer)
    holders = [node for node in places if node.kind == "object" and node.in_list == rule.many]
    if rule.many:
        holders = [node for node in holders if node.path.endswith("[]")]
    del holders[MOST_HOLDERS:]
    fitting = {number: _fitting(patterns, document.nodes(one.schema)) for number, one in enumerate(holders)}
    best = max(fitting, key=lambda number: (fitting[number], -number), default=None)
    if best is None or not fitting[best]:
        if not rule.may_read_nothing:
            yield from question(
                _("Where in the answer is what this operation reads?"),
                (f"{'records' if rule.many else 'record'} = {toml(_list_path(node.path))}" for node in holders),
            )
        return
    holder = holders[best]
    if rule.may_read_nothing and find_field(patterns["status"], document.nodes(holder.schema)).decided is None:
        return  # the answer has no status: the portal looks the visit up
    if rule.many:
        yield f"records = {toml(_list_path(holder.path))}"
    elif holder.path != "@":
        yield f"record = {toml(holder.path)}"
    nodes = document.nodes(holder.schema)
    for field_name, one in patterns.items():
        choice = find_field(one, nodes, many=field_name == "attendee_emails")
        if choice.decided is not None:
            drafted.nodes[field_name] = choice.decided
            yield f"fields.{field_name} = {toml(_expression(field_name, choice.decided))}"
        elif choice.candidates or field_name in rule.required or "email" in field_name:
            candidates = choice.candidates or tuple(_by_kind(field_name, nodes))
            if candidates or field_name in rule.required:
                yield from question(
                    _("Which field of the answer is %(field)s?") % {"field": field_name},
                    (
                        f"fields.{field_name} = {toml(_expression(field_name, node))}"
                        for node in candidates[:MOST_CANDIDATES]
                    ),
                )


def _fitting(patterns: Mapping[str, Sequence[str]], nodes: list[Node]) -> int:
    """How many of an operation's fields match one of the nodes."""
    matches = (find_field(one, nodes, many=name == "attendee_emails").decided for name, one in patterns.items())
    return sum(one is not None for one in matches)


def _list_path(path: str) -> str:
    """The path of a list from the path of its entries: items[] -> items; data[].items[] stays, to run over all."""
    stem = path.removesuffix("[]")
    return path if "[]" in stem else stem or "@"


def _expression(field_name: str, node: Node) -> str:
    if field_name == "attendee_emails" and node.path.count("[].") == 1:
        people, email = node.path.split("[].")
        return f"{people}[].[{email} || ''][]"  # a person without an email stays, as an empty email
    return node.path


def _by_kind(field_name: str, nodes: list[Node]) -> Iterator[Node]:
    """Candidates for a field, by their type alone."""
    for node in nodes:
        plain = key(node.names)
        if not node.names or node.kind in {"object", "array"}:
            continue
        if "email" in field_name:
            if "mail" in plain and (field_name == "attendee_emails" or not node.in_list):
                yield node
        elif node.in_list:
            continue
        elif field_name.endswith("_at"):
            if node.schema.get("format") == "date-time" or re.search("time|date|start|end|from|until", plain):
                yield node
        elif node.schema.get("format") != "date-time" and node.kind != "boolean":
            yield node
