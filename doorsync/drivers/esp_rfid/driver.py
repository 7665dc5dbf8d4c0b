"""esp-rfid readers (firmware 2.0 or later) through an MQTT broker.

Facts about the reader come from its public source and documentation: github.com/esprfid/esp-rfid, README-MQTT.md,
src/mqtt.esp and src/rfid.esp. Those that shape this driver:

- It takes commands on `<topic>/cmd` and says everything at QoS 0: answers and the list of its cards on `<topic>/send`,
  and what happens at the door on `<topic>/tag` once "Home Assistant" is on. That also gives it a retained
  `<topic>/avty` with a last will of "offline", and a retained description with its MAC address and firmware.
- Answers to `adduser` and `deletuid` name no card, and come also where the file could not be written. So a change
  counts as made once the list shows it.
- It takes commands in order. The list (`getuserlist`) has no end: the answer to a command sent after it marks it.
- It counts in seconds since 1970, UTC, and admits through the second `validuntil`.
- Only the first relay has a right of its own (issue 663), and some builds open the others by the card before. So the
  driver knows one door.
"""

import json
import re
import ssl
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import IPv4Address
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from doorsync.drivers.base import (
    Actual,
    Capabilities,
    DeviceInfo,
    DoorEvent,
    Driver,
    DriverError,
    Full,
    Granularity,
    Hold,
    Refused,
    Unknown,
    Unreachable,
    validated,
)
from doorsync.drivers.esp_rfid.client import WINDOW, Broker, Line, Message, tls_context
from doorsync.policy.windows import ALWAYS, Record, Window, Windows

_KEPT_SECONDS = 30 * 24 * 3600  # so long the broker keeps door events for a portal that is away
_DOOR = 1
_LONGEST_CARD = 19  # the reader cuts longer ones off: char uid[20]
_NOBODY = "?"  # no card has this number: taking it out changes nothing, and is answered
_ANSWERED = ("adduser", "deletuid")
_GRANTED, _ADMIN = 1, 99
# 2038-01-01, the last year that a clock of 32 bits knows. As an end it means "without end".
_FOREVER = 2145916800
_CLOCK_NEVER_SET = datetime(2020, 1, 1, tzinfo=UTC)
_DIGEST_BITS = 32
_DIGEST_MASK = (1 << _DIGEST_BITS) - 1
_ALARMS = {"Door was tampered!": "forced", "Door wasn't closed within max open time!": "held_open"}


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    broker: str = Field(
        pattern=r"^mqtts?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?$",
        title=str(gettext_lazy("broker")),
        description=str(gettext_lazy("mqtts://name:8883. Use mqtts:// unless the broker is on this machine.")),
    )
    ca: str = Field(
        default="",
        title=str(gettext_lazy("certificate authority")),
        description=str(gettext_lazy("PEM: who vouches for the broker. Blank: whom this machine trusts.")),
    )
    username: str = Field(default="", title=str(gettext_lazy("user name")))
    password: SecretStr = Field(default=SecretStr(""), title=str(gettext_lazy("password")))
    topic: str = Field(
        pattern=r"^[^+#\s]*[^+#\s/]$",
        max_length=200,
        title=str(gettext_lazy("topic")),
        description=str(gettext_lazy("The reader's own, as it says; with the six characters that auto-topic adds.")),
    )
    reader_ip: str = Field(
        title=str(gettext_lazy("reader's IP address")),
        description=str(gettext_lazy("The reader obeys only commands that name it.")),
    )
    timeout_seconds: float = Field(default=5, gt=0, le=30, title=str(gettext_lazy("time-out (seconds)")))

    @field_validator("broker")
    @classmethod
    def _has_a_port(cls, value: str) -> str:
        if urlsplit(value).port == 0:  # above 65535 it raises ValueError by itself
            raise ValueError(_("there is no port 0"))
        return value

    @field_validator("reader_ip")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return str(IPv4Address(value))

    @field_validator("ca")
    @classmethod
    def _is_a_certificate(cls, value: str) -> str:
        if value:
            try:
                tls_context(value)
            except (ssl.SSLError, ValueError):
                raise ValueError(_("it is no certificate in PEM")) from None
        return value


class EspRfidDriver(Driver):
    Options = Options
    verified = gettext_lazy(
        "Not verified against a real device: tested through a real broker against a fake of our own, written from "
        "esp-rfid's public source and documentation."
    )
    capabilities = Capabilities(
        windows=Granularity.CARD,
        resolution_seconds=1,
        holds_cards=True,
        lists_cards=True,
        pulse=True,
        hold=Hold.NO,
        events=True,
        sets_clock=False,
    )

    def __init__(self, options: Mapping[str, Any], *, zone: ZoneInfo, now: datetime) -> None:
        self.zone, self.now = zone, now
        self._options = found = validated(Options, options)
        self._broker = Broker(
            address=found.broker,
            username=found.username,
            password=found.password.get_secret_value(),
            tls=tls_context(found.ca) if found.broker.startswith("mqtts:") else None,
            timeout_seconds=found.timeout_seconds,
        )
        # Answers that the reader has yet to give, in the order in which they will come: it may only be slow.
        self._owed: list[str] = []

    def encode(self, wanted: Record) -> Record:
        last = datetime.fromtimestamp(_FOREVER, UTC)
        said = super().encode(wanted)
        return {
            door: tuple(Window(w.start, None if w.end and w.end >= last else w.end) for w in found)
            for door, found in said.items()
            if all(w.start is None or w.start < last for w in found)
        }

    def info(self) -> DeviceInfo:
        with self._reader() as line:
            answer = self._ask(line, "deletuid", uid=_NOBODY)
            said = line.turn_until_retained(f"homeassistant/lock/{answer.get('hostname')}/lock0/config")
        if said is None:
            raise Refused(_("The reader does not say who it is: %(how)s") % {"how": _switch_on()})
        device = _parsed(said).get("dev")
        if not isinstance(device, dict) or not isinstance(device.get("ids"), str):
            raise Unknown(_("What answers is no esp-rfid reader: its description does not fit."))
        firmware = str(device.get("sw"))[:50]
        if not re.match(r"([2-9]|[1-9]\d+)\.", firmware):
            raise Refused(
                _("The reader's firmware %(firmware)s knows no beginning of access: it must be 2.0 or later.")
                % {"firmware": firmware}
            )
        return DeviceInfo("esp-rfid", firmware, device["ids"][:50], time=None, capacity=None, found=self._listen())

    def read(self) -> Actual:
        with self._reader() as line:
            return Actual(cards=self._listed(line))

    def put(self, card: str, record: Record) -> None:
        if set(record) != {_DOOR} or len(record[_DOOR]) != 1:
            raise Refused(_("An esp-rfid reader has one door, number 1."))
        if len(card) > _LONGEST_CARD:
            raise Refused(_("The reader takes card numbers of at most %(n)d characters.") % {"n": _LONGEST_CARD})
        (window,) = record[_DOOR]
        start = 0 if window.start is None else int(window.start.timestamp())
        # It admits through this second; the portal's windows end before theirs.
        last = _FOREVER if window.end is None else int(window.end.timestamp()) - 1
        fields = {"user": "Offision", "acctype": "1", "validsince": str(start), "validuntil": str(last)}
        with self._reader() as line:
            self._ask(line, "adduser", uid=card, **fields)
            found = self._listed(line).get(card)
        if found is None:
            raise Full(_("The reader took the card and does not list it: its memory is full, or its list cut short."))
        if found != record:
            raise Unknown(_("The reader lists the card with other times than it was given."))

    def remove(self, card: str) -> None:
        with self._reader() as line:
            self._ask(line, "deletuid", uid=card)
            if card in self._listed(line):
                raise Unknown(_("The reader said that it took the card out, and still lists it."))

    def hold(self, door: int, held: Windows) -> None:
        raise Refused(_("An esp-rfid reader can't hold its door unlocked."))

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        # It unlocks for as long as is set in the reader. `opendoor` would work all its relays.
        if door != _DOOR:
            raise Refused(_("An esp-rfid reader has one door, number 1."))
        with self._reader() as line:
            self._tell(line, "open", door=str(door - 1))
            while not _is_from_afar(self._next(line)):
                pass

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        """Door events, WINDOW at the most; the others stay where they are.

        The broker keeps them until they are acknowledged, which is done when this is asked again with the index of the
        last: only then are they known to be in the log. An index is a count, and a digest of the event by which it is
        known again. What this gives, it gives once the broker has heard what was acknowledged, or it would come first
        again, and hide how far the log is.
        """
        pending: list[tuple[int, tuple[datetime, str, str]]] = []
        with self._line(self._session) as line:
            unheard: list[Message] = []
            acknowledged = True
            while acknowledged:
                acknowledged = False
                for message in self._kept(line):
                    event = self._event(message)
                    if event is None:
                        line.acknowledge(message)
                        acknowledged = True
                        continue
                    pending.append((_digest(message), event))
                    unheard.append(message)
                digests = [digest for digest, _event in pending]
                if (after & _DIGEST_MASK) in digests:
                    written = len(digests) - digests[::-1].index(after & _DIGEST_MASK)
                    for message in unheard[:written]:
                        line.acknowledge(message)
                    del pending[:written], unheard[:written]
                    acknowledged = True
        first = (after >> _DIGEST_BITS) + 1
        return [
            DoorEvent((first + n) << _DIGEST_BITS | digest, at, _DOOR, card, kind)
            for n, (digest, (at, card, kind)) in enumerate(pending[:WINDOW])
        ]

    def set_clock(self, moment: datetime) -> None:
        raise Refused(_("The reader takes its time from a time server."))

    def close(self) -> None:
        pass  # each exchange has a connection of its own

    # The reader -------------------------------------------------------------------------------------------

    @contextmanager
    def _line(self, session: str = "") -> Iterator[Line]:
        line = Line(self._broker, session=session, kept_seconds=_KEPT_SECONDS)
        try:
            line.open()
            yield line
        finally:
            line.close()

    @contextmanager
    def _reader(self) -> Iterator[Line]:
        """A line on which the reader will be heard. Raises Unreachable where the broker has its last will."""
        topic = self._options.topic
        with self._line() as line:
            line.subscribe(
                {f"{topic}/avty": 1, f"{topic}/send": 1, f"{topic}/tag": 1, "homeassistant/lock/+/lock0/config": 1}
            )
            health = line.turn_until_retained(f"{topic}/avty")
            if health is None:
                raise Refused(_("The reader does not say whether it is there: %(how)s") % {"how": _switch_on()})
            if health == b"offline":
                raise Unreachable(_("The reader is off or has no network: the broker says that it is offline."))
            yield line

    def _tell(self, line: Line, command: str, **fields: str) -> None:
        said = {"cmd": command, "doorip": self._options.reader_ip, **fields}
        if command in _ANSWERED:
            self._owed.append(command)
        try:
            line.tell(f"{self._options.topic}/cmd", json.dumps(said))
        except (Unreachable, Refused):
            if command in _ANSWERED:
                self._owed.pop()
            raise

    def _next(self, line: Line) -> dict[str, Any]:
        """What the reader says next. Raises Unknown where it falls silent, Refused where it dropped a command."""
        message = line.next()
        if message is None:
            raise Unknown(
                _("The reader did not answer in time. Is its address %(ip)s?") % {"ip": self._options.reader_ip}
            )
        if message.topic.endswith("/avty") and message.payload == b"offline":
            raise Unknown(_("The reader went off before it answered."))
        said = _parsed(message.payload)
        if (said.get("type"), said.get("src")) == ("ERRO", "mqtt"):
            raise Refused(_("The reader dropped the command: %(why)s.") % {"why": str(said.get("desc"))[:200]})
        return said

    def _answer(self, line: Line) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The answer to the command just sent, after those still owed; and the cards listed since the one before it."""
        listed: list[dict[str, Any]] = []
        while True:
            said = self._next(line)
            if isinstance(said.get("uid"), str) and "acctype" in said:
                listed.append(said)
            elif said.get("type") in self._owed:
                # They come in order: an answer that was due before this one is lost.
                del self._owed[: self._owed.index(said["type"]) + 1]
                if not self._owed:
                    return said, listed
                listed.clear()

    def _ask(self, line: Line, command: str, **fields: str) -> dict[str, Any]:
        """Tell the reader, and have its answer. Raises Refused where it dropped the command: nothing was changed."""
        self._tell(line, command, **fields)
        try:
            answer, _listed = self._answer(line)
        except Refused:
            self._owed.pop()
            raise
        return answer

    def _listed(self, line: Line) -> dict[str, Record]:
        """All that it holds. Raises nothing but Unknown: it may stand after a change."""
        try:
            self._tell(line, "getuserlist")
            self._tell(line, "deletuid", uid=_NOBODY)
            _said, listed = self._answer(line)
        except (Unreachable, Refused) as error:
            raise Unknown(str(error)) from error
        return {entry["uid"]: _record(entry) for entry in listed}

    # What happens at the door -----------------------------------------------------------------------------

    @property
    def _session(self) -> str:
        """The name under which the broker keeps this reader's events for the portal; of the length that all brokers
        take."""
        return "portal" + sha256(self._options.topic.encode()).hexdigest()[:17]

    def _listen(self) -> str:
        """Have the broker keep door events from now on; what is wrong with that, or ""."""
        try:
            with self._line(self._session) as line:
                for _message in self._kept(line):
                    pass
        except DriverError as error:
            return _("door events are not kept: %(why)s") % {"why": str(error).rstrip(".")}
        return ""

    def _kept(self, line: Line) -> Iterator[Message]:
        topic = self._options.topic
        return line.kept([f"{topic}/send", f"{topic}/tag"], own=f"{topic}/portal")

    def _event(self, message: Message) -> tuple[datetime, str, str] | None:
        """When, with which card, and of what kind; None where it tells of no event."""
        said = _parsed(message.payload)
        kind = _ALARMS.get(str(said.get("desc"))) if said.get("src") == "tamper" else None
        if "access" in said and "uid" in said:
            # With several relays a list, the first relay's word first.
            access = said["access"][:1] if isinstance(said["access"], list) else [said["access"]]
            kind = "opened" if access in (["Always"], ["Admin"]) else "denied"
            if _is_from_afar(said):
                kind = "unlocked"
        if kind is None:
            return None
        at = datetime.fromtimestamp(min(_number(said.get("time")), _FOREVER), UTC)
        return (at if at > _CLOCK_NEVER_SET else self.now), str(said.get("uid") or "").strip()[:200], kind


def _switch_on() -> str:
    return _("switch Home Assistant on in its MQTT settings, and see that the topic is right.")


def _record(entry: Mapping[str, Any]) -> Record:
    """What an entry of the reader's list admits to; {} where to nothing."""
    kind = _number(entry.get("acctype"))
    if kind == _ADMIN:
        return {_DOOR: (ALWAYS,)}
    since, until = _number(entry.get("validsince")), _number(entry.get("validuntil"))
    if kind != _GRANTED or since > until:
        return {}
    start = datetime.fromtimestamp(min(since, _FOREVER), UTC) if since else None
    end = datetime.fromtimestamp(until + 1, UTC) if until < _FOREVER else None
    return {_DOOR: (Window(start, end),)}


def _is_from_afar(said: Mapping[str, Any]) -> bool:
    """Whether this tells of a door unlocked by a command, with no card."""
    return said.get("username") == "MQTT" and str(said.get("uid")).strip() == ""


def _number(value: Any) -> int:
    """As the reader takes it: text is read as a number, anything else is 0, and nothing is below 0."""
    try:
        return max(int(value), 0)
    except (TypeError, ValueError, OverflowError):
        return 0


def _parsed(payload: bytes) -> dict[str, Any]:
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _digest(message: Message) -> int:
    return zlib.crc32(message.payload)
