"""The driver for the sandbox's pretend controllers. Tested only against that fake of our own."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from django.utils.translation import gettext_lazy as _
from pydantic import ConfigDict

from doorsync.drivers.base import Actual, Capabilities, DeviceInfo, DoorEvent, Driver, Granularity, Hold
from doorsync.drivers.options import DriverOptions, matching, option, timeout
from doorsync.drivers.problems import URL_EXPECTED
from doorsync.drivers.simulated.client import SimulatedClient, understood
from doorsync.policy.windows import ALWAYS, DoorWindows, Window, Windows


class SimulatedOptions(DriverOptions):
    model_config = ConfigDict(extra="ignore")

    url: Annotated[str, matching(r"^https?://", URL_EXPECTED)] = option(title=_("address"))
    timeout_seconds: float = timeout(2, at_most=30)
    windows: Literal["per_card_door", "per_card", "none"] = option("per_card_door", title=_("time windows"))
    resolution_seconds: Literal[1, 60] = option(1, title=_("resolution (seconds)"))
    lists_cards: bool = option(True, title=_("can be asked what it holds"))


_GRANULARITY = {
    "per_card_door": Granularity.CARD_AND_DOOR,
    "per_card": Granularity.CARD,
    "none": Granularity.NONE,
}


class SimulatedDriver(Driver):
    Options = SimulatedOptions
    options: SimulatedOptions
    verified = _("Not a real device: the sandbox's pretend controller, for demos and tests.")

    def set_up(self) -> None:
        self._has_windows = self.options.windows != "none"
        self.capabilities = Capabilities(
            windows=_GRANULARITY[self.options.windows],
            resolution_seconds=self.options.resolution_seconds,
            lists_cards=self.options.lists_cards,
            hold=Hold.WINDOWS if self._has_windows else Hold.NOW,
            events=True,
            sets_clock=True,
        )
        self._client = SimulatedClient(self.options.url, self.options.timeout_seconds)

    def info(self) -> DeviceInfo:
        with understood():
            answer = self._client.request("GET", "/info")
            return DeviceInfo(
                model=str(answer["model"]),
                firmware=str(answer["firmware"]),
                serial=str(answer["serial"]),
                time=datetime.fromisoformat(answer["time"]),
                capacity=None if answer["capacity"] is None else int(answer["capacity"]),
            )

    def read(self) -> Actual:
        with understood():
            cards = self._client.request("GET", "/cards")["cards"]
            return Actual(cards={card["number"]: self._record(card["doors"]) for card in cards}, holds=self._holds())

    def put(self, card: str, record: DoorWindows) -> None:
        self._client.request("PUT", f"/cards/{quote(card, safe='')}", {"doors": self._wire(record)})

    def remove(self, card: str) -> None:
        self._client.request("DELETE", f"/cards/{quote(card, safe='')}", may_be_absent=True)

    def hold(self, door: int, held: Windows) -> None:
        # The controller takes all its held doors at once.
        with understood():
            others = {n: w for n, w in self._holds().items() if n != door}
        self._client.request("PUT", "/holds", {"holds": self._wire({**others, **({door: held} if held else {})})})

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        self._client.request("POST", f"/doors/{door}/pulse", {"seconds": seconds, "key": key})

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        with understood():
            return [
                DoorEvent(
                    index=event["index"],
                    at=datetime.fromisoformat(event["at"]),
                    door=event["door"],
                    card=event["card"],
                    kind=event["kind"],
                )
                for event in self._client.request("GET", f"/events?after={after}")["events"]
            ]

    def set_clock(self, moment: datetime) -> None:
        self._client.request("PUT", "/clock", {"time": moment.isoformat()})

    def close(self) -> None:
        self._client.close()

    def _holds(self) -> DoorWindows:
        return self._record(self._client.request("GET", "/holds")["holds"])

    def _record(self, doors: Mapping[str, Any]) -> DoorWindows:
        if not self._has_windows:
            return {int(door): (ALWAYS,) for door, is_open in doors.items() if is_open}
        return {
            int(door): tuple(Window(_moment(start), _moment(end)) for start, end in windows)
            for door, windows in doors.items()
            if windows
        }

    def _wire(self, record: DoorWindows) -> dict[str, Any]:
        if not self._has_windows:
            return {str(door): True for door in record}
        return {
            str(door): [[w.start and w.start.isoformat(), w.end and w.end.isoformat()] for w in windows]
            for door, windows in record.items()
        }


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
