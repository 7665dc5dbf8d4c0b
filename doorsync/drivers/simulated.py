"""The driver for the sandbox's pretend controllers: HTTP and JSON. Tested only against that fake of our own.

Options: `url` (of the controller), `timeout_seconds` (2), `windows` ("per_card_door" or "none"),
`resolution_seconds` (1 or 60).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

import requests
from django.utils.translation import gettext as _
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from doorsync.drivers.base import (
    Actual,
    BadOptions,
    Capabilities,
    DeviceInfo,
    DoorEvent,
    Driver,
    Events,
    Full,
    Granularity,
    Record,
    Refused,
    Unknown,
    Unreachable,
    Windows,
)
from doorsync.planning import ALWAYS, Window


class Options(BaseModel):
    model_config = ConfigDict(extra="ignore")

    url: str = Field(pattern=r"^https?://")
    timeout_seconds: float = Field(default=2, gt=0, le=30)
    windows: Literal["per_card_door", "none"] = "per_card_door"
    resolution_seconds: Literal[1, 60] = 1


class SimulatedDriver(Driver):
    def __init__(self, options: Mapping[str, Any]) -> None:
        try:
            self._options = Options.model_validate(options)
        except ValidationError as error:
            first = error.errors()[0]
            raise BadOptions(
                _("The controller's option %(option)s does not fit: %(why)s.")
                % {"option": ".".join(map(str, first["loc"])), "why": first["msg"]}
            ) from error
        self._with_windows = self._options.windows == "per_card_door"
        self.capabilities = Capabilities(
            windows=Granularity.CARD_AND_DOOR if self._with_windows else Granularity.NONE,
            resolution_seconds=self._options.resolution_seconds,
            lists_cards=True,
            pulse=True,
            hold_open=True,
            events=Events.PULL,
            sets_clock=True,
        )
        self._session = requests.Session()

    def info(self) -> DeviceInfo:
        answer = self._ask("GET", "/info")
        return DeviceInfo(
            model=str(answer["model"]),
            firmware=str(answer["firmware"]),
            time=datetime.fromisoformat(answer["time"]),
            capacity=answer["capacity"],
        )

    def read(self) -> Actual:
        cards = self._ask("GET", "/cards")["cards"]
        holds = self._ask("GET", "/holds")["holds"]
        return Actual(cards={card["number"]: self._record(card["doors"]) for card in cards}, holds=self._record(holds))

    def put(self, card: str, record: Record) -> None:
        self._ask("PUT", f"/cards/{quote(card, safe='')}", {"doors": self._wire(record)})

    def remove(self, card: str) -> None:
        self._ask("DELETE", f"/cards/{quote(card, safe='')}", absent_is_fine=True)

    def hold(self, door: int, held: Windows) -> None:
        # The controller takes all its held doors at once.
        others = {n: w for n, w in self._record(self._ask("GET", "/holds")["holds"]).items() if n != door}
        self._ask("PUT", "/holds", {"holds": self._wire({**others, **({door: held} if held else {})})})

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        self._ask("POST", f"/doors/{door}/pulse", {"seconds": seconds, "key": key})

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        return [
            DoorEvent(
                index=event["index"],
                at=datetime.fromisoformat(event["at"]),
                door=event["door"],
                card=event["card"],
                kind=event["kind"],
            )
            for event in self._ask("GET", f"/events?after={after}")["events"]
        ]

    def set_clock(self, moment: datetime) -> None:
        self._ask("PUT", "/clock", {"time": moment.isoformat()})

    def close(self) -> None:
        self._session.close()

    def _record(self, doors: Mapping[str, Any]) -> Record:
        if not self._with_windows:
            return {int(door): (ALWAYS,) for door, is_open in doors.items() if is_open}
        return {
            int(door): tuple(Window(_moment(start), _moment(end)) for start, end in found)
            for door, found in doors.items()
            if found
        }

    def _wire(self, record: Record) -> dict[str, Any]:
        if not self._with_windows:
            return {str(door): True for door in record}
        return {
            str(door): [[w.start and w.start.isoformat(), w.end and w.end.isoformat()] for w in found]
            for door, found in record.items()
        }

    def _ask(self, method: str, path: str, body: Any = None, *, absent_is_fine: bool = False) -> Any:
        try:
            answer = self._session.request(
                method,
                self._options.url.rstrip("/") + path,
                json=body,
                timeout=self._options.timeout_seconds,
                allow_redirects=False,
            )
        except requests.exceptions.ConnectTimeout as error:
            raise Unreachable(_("No answer when connecting.")) from error
        except requests.exceptions.Timeout as error:
            raise Unknown(
                _("No answer within %(seconds)s seconds.") % {"seconds": self._options.timeout_seconds}
            ) from error
        except requests.exceptions.ConnectionError as error:
            # A connection that broke after the request went out may have delivered it.
            refused = "Failed to establish a new connection" in str(error)
            text = _("The connection was refused.") if refused else _("The connection broke off.")
            raise (Unreachable if refused else Unknown)(text) from error
        if answer.status_code == 404 and absent_is_fine:
            return None
        if answer.status_code == 507:
            raise Full(_("The controller is full."))
        if answer.status_code >= 500:
            raise Unknown(_("The controller failed with status %(status)s.") % {"status": answer.status_code})
        if answer.status_code >= 400:
            raise Refused(_said(answer))
        return answer.json() if answer.content else None


def _said(answer: requests.Response) -> str:
    try:
        said = str(answer.json()["error"])[:200]
    except (ValueError, KeyError, TypeError):
        said = str(answer.status_code)
    return _("The controller refused: %(said)s") % {"said": said}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
