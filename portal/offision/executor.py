"""Executes one operation as the contract describes it: fills in, sends, retries, judges, follows pages."""

import json
import re
import time
from typing import Any, NoReturn
from urllib.parse import quote

import stamina

from portal.offision import problems
from portal.offision.breaker import Breaker
from portal.offision.contract import Contract, Operation
from portal.offision.errors import BreakerOpen, NotFound, OperationAbsent, Refused, TooLarge, TryAgain
from portal.offision.operations import OperationName, fill
from portal.offision.parsing import clean, misfit
from portal.offision.transport import Transport

MAX_PAGES = 200
MAX_VALUE = 500  # characters of anything that is filled into a request


class Executor:
    """The contract's operations over one transport, behind one breaker. Safe to share between threads."""

    def __init__(self, *, contract: Contract, transport: Transport, attempts: int, breaker: Breaker) -> None:
        """`attempts`: how often a GET is tried in all."""
        self.contract = contract
        self.host = transport.host
        self._transport = transport
        self._attempts = attempts
        self._breaker = breaker

    def operation(self, name: OperationName) -> Operation:
        if not self.contract.has(name):
            raise OperationAbsent(problems.OPERATION_ABSENT(operation=name))
        return self.contract.operations[name]

    def record(
        self, name: OperationName, values: dict[str, str | None], *, deadline_seconds: float | None = None
    ) -> Any:
        """The single record of an operation's answer. Raises NotFound where the answer's envelope is empty."""
        payload = self.execute(name, values, deadline_seconds=deadline_seconds)
        expression = self.operation(name).record
        record = expression.read(payload)
        if record is None:
            # An empty envelope is a no. Without the envelope it is an answer to something else.
            if not isinstance(payload, dict) or (expression.text.isidentifier() and expression.text not in payload):
                raise misfit(name, problems.NO_RECORD())
            raise self._not_found(name)
        return record

    def records(self, name: OperationName, values: dict[str, str | None] | None = None) -> tuple[list[Any], int]:
        """The records of a list operation as received, from all pages, and the requests that took."""
        operation = self.operation(name)
        page = operation.page
        records: list[Any] = []
        mark: int | str | None = page.first if page and page.next is None else None
        for requests in range(1, MAX_PAGES + 1):
            extra = {page.parameter: mark} if page and mark is not None else {}
            payload = self.execute(name, values or {}, extra_query=extra)
            page_records = operation.records.read(payload) if operation.records else None
            if not isinstance(page_records, list):
                raise misfit(name, problems.NO_RECORDS())
            records += page_records
            mark = _next_page(operation, name, payload, mark, len(page_records), len(records))
            if mark is None:
                return records, requests
        raise TooLarge(problems.TOO_MANY_PAGES(host=self.host, operation=name, most=MAX_PAGES))

    def execute(
        self,
        name: OperationName,
        values: dict[str, str | None],
        *,
        extra_query: dict[str, Any] | None = None,
        deadline_seconds: float | None = None,
    ) -> Any:
        """One operation's answer as JSON, None where it has no body; retried where that is safe."""
        operation = self.operation(name)
        if not all(value is None or _may_be_sent(value) for value in values.values()):
            raise self._not_found(name)
        try:
            path = fill(operation.path, {key: value and quote(value, safe="") for key, value in values.items()})
            query = fill(operation.query, values) | (extra_query or {})
            body = fill(operation.body, values)
        except ValueError:  # a number is needed, and this is none
            raise self._not_found(name) from None
        if path is None:
            raise OperationAbsent(problems.NEEDS_RESOURCE(operation=name))
        longest_wait = 5 if deadline_seconds is None else deadline_seconds / 10
        ends_at = None if deadline_seconds is None else time.monotonic() + deadline_seconds

        def time_left() -> float | None:
            return None if ends_at is None else ends_at - time.monotonic()

        def once() -> Any:
            # Never quite nothing, so that the transport reports a time-out.
            seconds = None if ends_at is None else max(time_left() or 0, 0.001)
            answer = self._transport.send(operation.method, path, query=query, body=body, seconds=seconds)
            return self._payload(name, operation, values, answer.status, answer.body)

        def again(error: Exception) -> bool | float:
            if not isinstance(error, TryAgain) or isinstance(error, BreakerOpen):
                return False
            wait, seconds = error.retry_after, time_left()
            if seconds is not None and seconds <= (longest_wait if wait is None else wait):
                return False
            return True if wait is None else max(wait, 0.2)

        for attempt in stamina.retry_context(
            on=again,
            attempts=self._attempts if operation.method == "GET" else 1,
            timeout=None,  # `again` watches the time that is left
            wait_initial=0.2,
            wait_max=longest_wait,
            wait_jitter=0.5,
        ):
            with attempt:
                return self._breaker.call(once)
        raise AssertionError("stamina either returns or raises")

    def _payload(
        self, name: OperationName, operation: Operation, values: dict[str, str | None], status: int, body: bytes
    ) -> Any:
        """The JSON of an answer; None where it has none and needs none."""
        if status in operation.missing:
            raise self._not_found(name)
        if status not in operation.success:
            raise self._refused(name, values, status, body)
        has_content = bool(operation.fields or operation.records)
        if not body.strip():
            if has_content:
                raise misfit(name, problems.EMPTY())
            return None
        try:
            payload = _json(body)
        except (ValueError, RecursionError):
            if has_content:
                raise misfit(name, problems.NOT_JSON()) from None
            return None
        error = self.contract.answers.error
        if error is not None and error.read(payload):
            raise self._refused(name, values, status, body)
        return payload

    def _refused(self, name: OperationName, values: dict[str, str | None], status: int, body: bytes) -> Refused:
        if words := self._server_words(values, body):
            problem = problems.REFUSED_SAYING(host=self.host, operation=name, status=status, words=words)
        elif status in self.operation(name).success:
            problem = problems.SAID_NO(host=self.host, operation=name)
        else:
            problem = problems.REFUSED(host=self.host, operation=name, status=status)
        return Refused(problem, status_code=status)

    def _server_words(self, values: dict[str, str | None], body: bytes) -> str:
        """The server's message, where the contract says where it stands; without the registration code."""
        try:
            message = self.contract.answers.message
            words = message.read(_json(body)) if message else None
        except (ValueError, RecursionError):
            return ""
        text = clean(words, 200) if isinstance(words, str) else ""
        code = (values.get("code") or "").strip()
        return re.sub(re.escape(code), "***", text, flags=re.IGNORECASE) if code else text

    def _not_found(self, name: str) -> NotFound:
        return NotFound(problems.NOT_FOUND(host=self.host, operation=name))


def _next_page(
    operation: Operation, name: str, payload: Any, mark: int | str | None, page_size: int, so_far: int
) -> int | str | None:
    """What to send for the next page; None on the last. Raises NotUnderstood where a part could pass for the whole."""
    page = operation.page
    if page is None:
        return None
    if page.next is not None:
        token = page.next.read(payload)
        if token is None or token == "":
            return None
        if isinstance(token, bool) or not isinstance(token, str | int) or token == mark:
            raise misfit(name, problems.BAD_PAGE_TOKEN())
        return token
    rule = page.count or page.total
    number = rule.read(payload) if rule else None
    if isinstance(number, bool) or not isinstance(number, int) or not isinstance(mark, int):
        raise misfit(name, problems.NO_PAGE_COUNT())
    if page.count is not None:
        return mark + 1 if mark + 1 - page.first < number else None
    if so_far < number and not page_size:
        raise misfit(name, problems.PAGES_MISSING())
    return mark + 1 if so_far < number else None


def _may_be_sent(value: str) -> bool:
    """Whether a value can be a name. "." and ".." would change the path, quoted or not."""
    return bool(value.strip(".")) and len(value) <= MAX_VALUE and value.isprintable()


def _json(body: bytes) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(body, parse_constant=refuse)
