"""Offision's operations, as the contract describes them, over HTTP."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pybreaker

from portal.offision.contract import Contract
from portal.offision.executor import Executor
from portal.offision.operations import OperationName
from portal.offision.parsing import Reader
from portal.offision.transport import Transport
from portal.offision.types import BookingList, Information, Resource, Subscription, Visit

BREAKER_FAILURES = 5
BREAKER_SECONDS = 30
MAX_DAYS = 62


class OffisionClient:
    """One Offision server. Safe to share between threads; every method blocks and makes real requests.

    Every method may raise TryAgain or one of Never's kinds (portal.offision.errors). Only GETs are repeated:
    after a POST or DELETE that timed out nobody knows whether it was done, so that is the caller's to find
    out.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: str,
        contract: Contract,
        time_zone: ZoneInfo,
        connect_timeout: float = 3,
        read_timeout: float = 10,
        max_bytes: int = 5_000_000,
        attempts: int = 3,
        breaker: pybreaker.CircuitBreaker | None = None,
    ) -> None:
        """Time-outs in seconds; `time_zone` is the site's. Raises ContractError for an unusable address or
        token.

        A whole request may take three read time-outs. The breaker opens after five failed requests in a row,
        for 30 seconds.
        """
        self.contract = contract
        self.time_zone = time_zone
        self._reader = Reader(contract, time_zone)
        transport = Transport(
            base_url=base_url,
            token=token,
            style=contract.auth.style,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_bytes=max_bytes,
        )
        self._asker = Executor(
            contract=contract,
            transport=transport,
            attempts=attempts,
            breaker=breaker or pybreaker.CircuitBreaker(fail_max=BREAKER_FAILURES, reset_timeout=BREAKER_SECONDS),
        )

    def __repr__(self) -> str:
        return f"<OffisionClient {self._asker.host}>"

    @property
    def host(self) -> str:
        """The server's host and port, for people."""
        return self._asker.host

    def information(self) -> Information:
        """The server's product, version and time zone."""
        return self._reader.information(self._asker.record("information", {}))

    def resources(self) -> tuple[Resource, ...]:
        """Every bookable resource that the token may see."""
        records = self._asker.records("resources")[0]
        return tuple(self._reader.resource(record) for record in records)

    def bookings(self, resource_id: str, first_day: date, last_day: date) -> BookingList:
        """The bookings of a resource on the site-local days from first to last, both included (62 at most).

        A record that cannot be read is set aside with its reason and stops no other. Raises NotFound for a
        resource that Offision does not know, and ValueError for days in the wrong order or too many.
        """
        records, requests = self.raw_bookings(resource_id, first_day, last_day)
        bookings, rejected = self._reader.bookings(records, resource_id)
        return BookingList(bookings=bookings, rejected=rejected, requests=requests)

    def raw_bookings(self, resource_id: str, first_day: date, last_day: date) -> tuple[list[Any], int]:
        """The records of `bookings` as received, and how many HTTP requests that took."""
        days = (last_day - first_day).days + 1
        if not 1 <= days <= MAX_DAYS:
            raise ValueError(f"Between 1 and {MAX_DAYS} days can be asked for, not {days}.")
        spans = [(first_day, last_day)]
        if self._asker.operation("daily_bookings").uses("date"):
            spans = [(day, day) for day in (first_day + timedelta(days=number) for number in range(days))]
        records: list[Any] = []
        requests = 0
        for first, last in spans:
            values: dict[str, str | None] = {
                "resource_id": resource_id,
                "date": first.isoformat(),
                "from": first.isoformat(),
                "until": last.isoformat(),
            }
            found, made = self._asker.records("daily_bookings", values)
            records += found
            requests += made
        return records, requests

    def subscribe(self, callback_url: str, resource_id: str | None = None) -> Subscription:
        """Ask to be called at `callback_url` about one resource, or about all. Not repeated by itself."""
        values = {"callback_url": callback_url, "resource_id": resource_id}
        return self._reader.subscription(self._asker.record("subscribe", values), "subscribe", **values)

    def subscriptions(self) -> tuple[Subscription, ...]:
        """Every subscription that the token may see."""
        records = self._asker.records("subscriptions")[0]
        return tuple(self._reader.subscription(record, "subscriptions") for record in records)

    def unsubscribe(self, subscription_id: str) -> None:
        """End a subscription. Raises NotFound where there is none of that id."""
        self._asker.ask("unsubscribe", {"subscription_id": subscription_id})

    def visit(self, code: str, *, deadline_seconds: float | None = None) -> Visit:
        """The visit with this registration code; all attempts together take `deadline_seconds` at most.

        Raises NotFound for an unknown code.
        """
        record = self._asker.record("visit", {"code": code}, deadline_seconds=deadline_seconds)
        return self._reader.visit(record, code, "visit")

    def visits(self, day: date) -> tuple[Visit, ...]:
        """The visits of one site-local day. One that does not fit is left out: its own look-up will say why."""
        records = self._asker.records("visits", {"date": day.isoformat()})[0]
        return self._reader.visits(records)

    def check_in(self, code: str) -> Visit:
        """Check the visitor in; the visit as it is then. Raises Refused, status_code 409, if not allowed."""
        return self._move("check_in", code)

    def check_out(self, code: str) -> Visit:
        """Check the visitor out; the visit as it is then. Raises Refused, status_code 409, if not allowed."""
        return self._move("check_out", code)

    def raw_records(self, name: OperationName, **values: str | None) -> list[Any]:
        """The records of "resources", "subscriptions" or "visits" as received. For looking at a contract."""
        return self._asker.records(name, values)[0]

    def raw_record(self, name: OperationName, **values: str | None) -> Any:
        """The single record of an operation as received. For looking at a contract."""
        return self._asker.record(name, values)

    def _move(self, name: OperationName, code: str) -> Visit:
        operation = self._asker.operation(name)
        if not operation.fields:  # the answer says nothing of the visit, so look it up
            self._asker.ask(name, {"code": code})
            return self.visit(code)
        return self._reader.visit(self._asker.record(name, {"code": code}), code, name)
