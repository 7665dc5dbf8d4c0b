"""Offision's operations, as the contract describes them, over HTTP."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from portal.offision.breaker import Breaker
from portal.offision.contract import Contract
from portal.offision.executor import Executor
from portal.offision.operations import OperationName
from portal.offision.parsing import Reader
from portal.offision.transport import Transport
from portal.offision.types import BookingList, Information, Resource, Subscription, Visit

MAX_DAYS = 62


class OffisionClient:
    """One Offision server. Safe to share between threads; every method blocks and makes real requests.

    Every method may raise TryAgain or a kind of Never (portal.offision.errors). Only GETs are repeated: after a
    POST or DELETE that timed out the outcome is not known, so the caller has to look.
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
        ca_file: str = "",
        attempts: int = 3,
        breaker: Breaker | None = None,
    ) -> None:
        """Time-outs in seconds; a whole request may take three read time-outs. `time_zone` is the site's.

        `ca_file`: the authorities that may have signed the server's certificate, in place of the usual ones. Raises
        ContractError for an unusable address or token.
        """
        self.contract = contract
        self.time_zone = time_zone
        self._reader = Reader(contract, time_zone)
        transport = Transport(
            base_url=base_url,
            token=token,
            style=contract.auth.style,
            ca_file=ca_file,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_bytes=max_bytes,
        )
        self._executor = Executor(
            contract=contract,
            transport=transport,
            attempts=attempts,
            breaker=breaker or Breaker(),
        )

    def __repr__(self) -> str:
        return f"<OffisionClient {self._executor.host}>"

    @property
    def host(self) -> str:
        """The server's host and port, for people."""
        return self._executor.host

    def information(self) -> Information:
        """The server's product, version and time zone."""
        return self._reader.information(self._executor.record("information", {}))

    def resources(self) -> tuple[Resource, ...]:
        """Every bookable resource that the token can see."""
        records = self._executor.records("resources")[0]
        return tuple(self._reader.resource(record) for record in records)

    def bookings(self, resource_id: str, first_day: date, last_day: date) -> BookingList:
        """The bookings of a resource on the site-local days from first to last, both included (62 at most).

        A record that cannot be read is rejected with its reason and stops no other. Raises NotFound for a
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
        if self._executor.operation("daily_bookings").uses("date"):
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
            span_records, span_requests = self._executor.records("daily_bookings", values)
            records += span_records
            requests += span_requests
        return records, requests

    def subscribe(self, callback_url: str, resource_id: str | None = None) -> Subscription:
        """Ask to be called at `callback_url` about one resource, or about all. Not repeated by itself."""
        values = {"callback_url": callback_url, "resource_id": resource_id}
        return self._reader.subscription(self._executor.record("subscribe", values), "subscribe", **values)

    def subscriptions(self) -> tuple[Subscription, ...]:
        """Every subscription that the token can see."""
        records = self._executor.records("subscriptions")[0]
        return tuple(self._reader.subscription(record, "subscriptions") for record in records)

    def unsubscribe(self, subscription_id: str) -> None:
        """End a subscription. Raises NotFound where there is none of that id."""
        self._executor.execute("unsubscribe", {"subscription_id": subscription_id})

    def visit(self, code: str, *, deadline_seconds: float | None = None) -> Visit:
        """The visit with this registration code; all attempts together take `deadline_seconds` at most.

        Raises NotFound for an unknown code.
        """
        record = self._executor.record("visit", {"code": code}, deadline_seconds=deadline_seconds)
        return self._reader.visit(record, code, "visit")

    def visits(self, day: date) -> tuple[Visit, ...]:
        """The visits of one site-local day. One that does not fit is left out: its own look-up says why."""
        records = self._executor.records("visits", {"date": day.isoformat()})[0]
        return self._reader.visits(records)

    def check_in(self, code: str) -> Visit:
        """Check the visitor in; the visit as it is then. Raises Refused, status_code 409, if not allowed."""
        return self._change_status("check_in", code)

    def check_out(self, code: str) -> Visit:
        """Check the visitor out; the visit as it is then. Raises Refused, status_code 409, if not allowed."""
        return self._change_status("check_out", code)

    def raw_records(self, name: OperationName, **values: str | None) -> list[Any]:
        """The records of "resources", "subscriptions" or "visits" as received. For checking a contract."""
        return self._executor.records(name, values)[0]

    def raw_record(self, name: OperationName, **values: str | None) -> Any:
        """The single record of an operation as received. For checking a contract."""
        return self._executor.record(name, values)

    def _change_status(self, name: OperationName, code: str) -> Visit:
        operation = self._executor.operation(name)
        if not operation.fields:  # the answer does not describe the visit
            self._executor.execute(name, {"code": code})
            return self.visit(code)
        return self._reader.visit(self._executor.record(name, {"code": code}), code, name)
