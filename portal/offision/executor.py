"""Asks Offision one operation as the contract describes it: fills in, retries, judges, follows pages."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

import pybreaker
import stamina
from django.utils.translation import gettext as _

from portal.offision.contract import Contract, Operation
from portal.offision.errors import (
    BreakerOpen,
    Never,
    NotFound,
    NotUnderstood,
    OperationAbsent,
    Refused,
    TooLarge,
    TryAgain,
)
from portal.offision.operations import OperationName, fill
from portal.offision.parsing import clean
from portal.offision.transport import Transport

MAX_PAGES = 200
MAX_VALUE = 500  # characters of anything that is filled into a request

T = TypeVar("T")


class Executor:
    """The contract's operations over one transport, behind one breaker. Safe to share between threads."""

    def __init__(
        self, *, contract: Contract, transport: Transport, attempts: int, breaker: pybreaker.CircuitBreaker
    ) -> None:
        """`attempts`: how often a GET is tried in all."""
        self.contract = contract
        self.host = transport.host
        self._transport = transport
        self._attempts = attempts
        self._breaker = breaker
        self._breaker.add_excluded_exception(Never)  # a clear no is an answer

    def operation(self, name: OperationName) -> Operation:
        if not self.contract.has(name):
            raise OperationAbsent(
                _("The contract has no operation %(name)s, so the portal cannot do this.") % {"name": name}
            )
        return self.contract.operations[name]

    def record(
        self, name: OperationName, values: dict[str, str | None], *, deadline_seconds: float | None = None
    ) -> Any:
        payload = self.ask(name, values, deadline_seconds=deadline_seconds)
        where = self.operation(name).record
        record = where.read(payload)
        if record is None:
            # An envelope that is there and holds nothing is a no. One that is not there is an answer to something else.
            if not isinstance(payload, dict) or (where.text.isidentifier() and where.text not in payload):
                raise self._misfit(name, _("There is nothing where the contract's record points."))
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
            payload = self.ask(name, values or {}, extra_query=extra)
            found = operation.records.read(payload) if operation.records else None
            if not isinstance(found, list):
                raise self._misfit(name, _("There is no list where the contract's records points."))
            records += found
            mark = self._next_page(operation, name, payload, mark, len(found), len(records))
            if mark is None:
                return records, requests
        raise TooLarge(
            _("Offision at %(host)s answered %(operation)s with more than %(most)d pages; none of it is used.")
            % {"host": self.host, "operation": name, "most": MAX_PAGES}
        )

    def _next_page(
        self, operation: Operation, name: str, payload: Any, mark: int | str | None, found: int, so_far: int
    ) -> int | str | None:
        """What to send for the next page; None on the last. A part of a list is never taken for the whole."""
        page = operation.page
        if page is None:
            return None
        if page.next is not None:
            token = page.next.read(payload)
            if token is None or token == "":
                return None
            if isinstance(token, bool) or not isinstance(token, str | int) or token == mark:
                raise self._misfit(name, _("The token of the next page cannot be used."))
            return token
        rule = page.count or page.total
        number = rule.read(payload) if rule else None
        if isinstance(number, bool) or not isinstance(number, int) or not isinstance(mark, int):
            raise self._misfit(name, _("The number of pages, or of records, is missing."))
        if page.count is not None:
            return mark + 1 if mark + 1 - page.first < number else None
        if so_far < number and not found:
            raise self._misfit(name, _("The pages end before all records have come."))
        return mark + 1 if so_far < number else None

    def ask(
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
            raise OperationAbsent(
                _("The contract does %(name)s for one resource at a time, and none was given.") % {"name": name}
            )
        longest_wait = 5 if deadline_seconds is None else deadline_seconds / 10
        ends = None if deadline_seconds is None else time.monotonic() + deadline_seconds

        def left() -> float | None:
            return None if ends is None else ends - time.monotonic()

        def once() -> Any:
            # Never quite nothing: the transport reports a time-out of its own accord.
            seconds = None if ends is None else max(left() or 0, 0.001)
            reply = self._transport.send(operation.method, path, query=query, body=body, seconds=seconds)
            return self._understood(name, operation, reply.status, reply.body)

        def again(error: Exception) -> bool | float:
            if not isinstance(error, TryAgain) or isinstance(error, BreakerOpen):
                return False
            wait, seconds = error.retry_after, left()
            if seconds is not None and seconds <= (longest_wait if wait is None else wait):
                return False
            return True if wait is None else max(wait, 0.2)

        for attempt in stamina.retry_context(
            on=again,
            attempts=self._attempts if operation.method == "GET" else 1,
            timeout=None,  # `again` minds the time that is left
            wait_initial=0.2,
            wait_max=longest_wait,
            wait_jitter=0.5,
        ):
            with attempt:
                return self._guarded(once)
        raise AssertionError("stamina either returns or raises")

    def _understood(self, name: OperationName, operation: Operation, status: int, body: bytes) -> Any:
        if status in operation.missing:
            raise self._not_found(name)
        if status not in operation.success:
            raise Refused(
                _("Offision at %(host)s answered %(operation)s with HTTP %(status)d%(words)s.")
                % {"host": self.host, "operation": name, "status": status, "words": self._words(body)},
                status_code=status,
            )
        if not body.strip():
            if operation.fields or operation.records:
                raise self._misfit(name, _("The answer is empty."))
            return None
        try:
            payload = _json(body)
        except (ValueError, RecursionError):
            if operation.fields or operation.records:
                raise self._misfit(name, _("It is not JSON (a web page, perhaps).")) from None
            return None
        error = self.contract.answers.error
        if error is not None and error.read(payload):
            raise Refused(
                _("Offision at %(host)s said no to %(operation)s%(words)s.")
                % {"host": self.host, "operation": name, "words": self._words(body)},
                status_code=status,
            )
        return payload

    def _words(self, body: bytes) -> str:
        """The server's own words for an error, as ": words", where the contract says where they stand."""
        try:
            message = self.contract.answers.message
            found = message.read(_json(body)) if message else None
        except (ValueError, RecursionError):
            return ""
        return f": {clean(found, 200)}" if isinstance(found, str) and found.strip() else ""

    def _guarded(self, request: Callable[[], T]) -> T:
        """Make a request unless the breaker is open.

        Not by `breaker.call` alone: that holds a lock while it calls, which would make all threads queue. So
        only the outcome is told to it, save for the single trial after it has been open for a while.
        """
        state = self._breaker.current_state
        if state == pybreaker.STATE_HALF_OPEN:
            raise self._left_alone()
        if state == pybreaker.STATE_OPEN:
            try:
                return self._breaker.call(request)
            except pybreaker.CircuitBreakerError:
                raise self._left_alone() from None
        try:
            result = request()
        except (TryAgain, Never) as error:
            self._tell_breaker(error)
            raise
        self._tell_breaker(None)
        return result

    def _tell_breaker(self, error: Exception | None) -> None:
        def outcome() -> None:
            if error is not None:
                raise error

        if self._breaker.current_state == pybreaker.STATE_CLOSED:
            # The caller raises it; here it is only counted.
            with suppress(TryAgain, Never, pybreaker.CircuitBreakerError):
                self._breaker.call(outcome)

    def _left_alone(self) -> BreakerOpen:
        return BreakerOpen(
            _("Offision at %(host)s failed several times in a row and is left alone for up to %(seconds)d seconds.")
            % {"host": self.host, "seconds": self._breaker.reset_timeout}
        )

    def _not_found(self, name: str) -> NotFound:
        return NotFound(
            _("Offision at %(host)s does not know what %(operation)s asked for.")
            % {"host": self.host, "operation": name}
        )

    def _misfit(self, name: str, reason: str) -> NotUnderstood:
        return NotUnderstood(
            _("The answer of Offision at %(host)s to %(operation)s does not fit the contract. %(reason)s")
            % {"host": self.host, "operation": name, "reason": reason}
        )


def _may_be_sent(value: str) -> bool:
    """Whether a value can be a name. "." and ".." would climb about in the path, quoted or not."""
    return bool(value.strip(".")) and len(value) <= MAX_VALUE and value.isprintable()


def _json(body: bytes) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(body, parse_constant=refuse)
