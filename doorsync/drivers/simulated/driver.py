"""The driver for the sandbox's pretend controllers: HTTP and JSON. Tested only against that fake of our own.

Options: `url` (of the controller), `timeout_seconds` (2), `windows` ("per_card_door", "per_card" or "none"),
`resolution_seconds` (1 or 60), `lists_cards` (true).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

import requests
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import BaseModel, ConfigDict, Field
from urllib3.exceptions import HTTPError

from doorsync.drivers.base import (
    Actual,
    Capabilities,
    DeviceInfo,
    DoorEvent,
    Driver,
    Full,
    Granularity,
    Hold,
    Refused,
    Unknown,
    Unreachable,
    validated,
)
from doorsync.policy.windows import ALWAYS, Record, Window, Windows
from portal.core.http import Deadline, DeadlineAdapter, TooLongError, read_bounded

SLOWNESS = 2  # a whole request may take this many time-outs
MAX_BYTES = 16 * 1024 * 1024  # tens of thousands of cards


class Options(BaseModel):
    model_config = ConfigDict(extra="ignore")

    url: str = Field(pattern=r"^https?://", title=str(gettext_lazy("address")))
    timeout_seconds: float = Field(default=2, gt=0, le=30, title=str(gettext_lazy("time-out (seconds)")))
    windows: Literal["per_card_door", "per_card", "none"] = Field(
        default="per_card_door", title=str(gettext_lazy("time windows"))
    )
    resolution_seconds: Literal[1, 60] = Field(default=1, title=str(gettext_lazy("resolution (seconds)")))
    lists_cards: bool = Field(default=True, title=str(gettext_lazy("can be asked what it holds")))


_GRANULARITY = {
    "per_card_door": Granularity.CARD_AND_DOOR,
    "per_card": Granularity.CARD,
    "none": Granularity.NONE,
}


class SimulatedDriver(Driver):
    Options = Options
    verified = gettext_lazy("Not a real device: the sandbox's pretend controller, for demos and tests.")

    def __init__(self, options: Mapping[str, Any], *, zone: ZoneInfo, now: datetime) -> None:
        self.zone, self.now = zone, now
        self._options = validated(Options, options)
        self._with_windows = self._options.windows != "none"
        self.capabilities = Capabilities(
            windows=_GRANULARITY[self._options.windows],
            resolution_seconds=self._options.resolution_seconds,
            holds_cards=True,
            lists_cards=self._options.lists_cards,
            pulse=True,
            hold=Hold.WINDOWS if self._with_windows else Hold.NOW,
            events=True,
            sets_clock=True,
        )
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no place between the portal and a door
        self._session.mount("http://", DeadlineAdapter())
        self._session.mount("https://", DeadlineAdapter())

    def info(self) -> DeviceInfo:
        with _understood():
            answer = self._ask("GET", "/info")
            return DeviceInfo(
                model=str(answer["model"]),
                firmware=str(answer["firmware"]),
                serial=str(answer["serial"]),
                time=datetime.fromisoformat(answer["time"]),
                capacity=None if answer["capacity"] is None else int(answer["capacity"]),
            )

    def read(self) -> Actual:
        with _understood():
            cards = self._ask("GET", "/cards")["cards"]
            return Actual(cards={card["number"]: self._record(card["doors"]) for card in cards}, holds=self._holds())

    def put(self, card: str, record: Record) -> None:
        self._ask("PUT", f"/cards/{quote(card, safe='')}", {"doors": self._wire(record)})

    def remove(self, card: str) -> None:
        self._ask("DELETE", f"/cards/{quote(card, safe='')}", absent_is_fine=True)

    def hold(self, door: int, held: Windows) -> None:
        # The controller takes all its held doors at once.
        with _understood():
            others = {n: w for n, w in self._holds().items() if n != door}
        self._ask("PUT", "/holds", {"holds": self._wire({**others, **({door: held} if held else {})})})

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        self._ask("POST", f"/doors/{door}/pulse", {"seconds": seconds, "key": key})

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        with _understood():
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

    def _holds(self) -> Record:
        return self._record(self._ask("GET", "/holds")["holds"])

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
        seconds = self._options.timeout_seconds
        with Deadline(SLOWNESS * seconds) as deadline:
            try:
                with self._session.request(
                    method,
                    self._options.url.rstrip("/") + path,
                    json=body,
                    timeout=seconds,
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    content = read_bounded(answer, MAX_BYTES)
            except requests.exceptions.ConnectTimeout as error:
                raise Unreachable(_("No answer when connecting.")) from error
            except requests.exceptions.ReadTimeout as error:
                raise Unknown(_("No answer within %(seconds)s seconds.") % {"seconds": seconds}) from error
            except TooLongError as error:
                raise Unknown(_("The answer was longer than %(n)d bytes.") % {"n": MAX_BYTES}) from error
            except (OSError, HTTPError) as error:
                # A connection that broke after the request went out may have delivered it.
                refused = "Failed to establish a new connection" in str(error)
                text = _("The connection was refused.") if refused else _("The connection broke off.")
                raise (Unreachable if refused else Unknown)(text) from error
        status = answer.status_code
        if status == HTTPStatus.NOT_FOUND and absent_is_fine:
            return None
        if status == HTTPStatus.INSUFFICIENT_STORAGE:
            raise Full(_("The controller is full."))
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Refused(_said(content, status))
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise Unknown(_("The controller failed with status %(status)s.") % {"status": status})
        if deadline.expired:
            raise Unknown(_("The answer did not end within %(seconds)s seconds.") % {"seconds": SLOWNESS * seconds})
        try:
            return json.loads(content) if content else None
        except (ValueError, RecursionError) as error:
            raise Unknown(_("What answers is no controller of this family: its answer is no JSON.")) from error


@contextmanager
def _understood() -> Iterator[None]:
    """While an answer is taken apart: what has not the expected shape comes from something else."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unknown(
            _("What answers is no controller of this family: its answer does not fit (%(why)s).")
            % {"why": type(error).__name__}
        ) from error


def _said(content: bytes, status: int) -> str:
    try:
        said = str(json.loads(content)["error"])[:200]
    except (ValueError, KeyError, TypeError, RecursionError):
        said = str(status)
    return _("The controller refused: %(said)s") % {"said": said}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
