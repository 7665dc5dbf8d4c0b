"""esp-rfid readers (firmware 2.0 or later) through an MQTT broker.

Facts about the reader come from its public source and documentation: github.com/esprfid/esp-rfid, README-MQTT.md,
src/mqtt.esp and src/rfid.esp. Those that shape this driver:

- It takes commands on `<topic>/cmd` and publishes everything at QoS 0: answers and the list of its cards on
  `<topic>/send`, and door events on `<topic>/tag` once "Home Assistant" is on. With that it also has a retained
  `<topic>/avty` with a last will of "offline", and a retained description with its MAC address and firmware.
- Answers to `adduser` and `deletuid` name no card, and come also where the file could not be written. So a change
  counts as made once the list shows it.
- It takes commands in order. The list (`getuserlist`) has no end: the answer to the next command marks it.
- It counts in seconds since 1970, UTC, and admits through the second `validuntil`.
- Only the first relay has a right of its own (issue 663), and some builds open the others by the card before. So the
  driver knows one door.
"""

import json
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Annotated, Any
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _
from pydantic import SecretStr, field_validator

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
)
from doorsync.drivers.esp_rfid import problems
from doorsync.drivers.esp_rfid.client import Broker, Line, tls_context
from doorsync.drivers.esp_rfid.events import DOOR, FOREVER, KeptEvents, is_remote, number, parsed
from doorsync.drivers.options import DriverOptions, matching, option
from doorsync.policy.windows import ALWAYS, DoorWindows, Window
from portal.core.problems import Problems

_LONGEST_CARD = 19  # the reader cuts longer ones off: char uid[20]
_NOBODY = "?"  # no card has this number: deleting it changes nothing, and is answered
_ANSWERED = ("adduser", "deletuid")
_GRANTED, _ADMIN = 1, 99


class EspRfidOptions(DriverOptions):
    broker: Annotated[
        str, matching(r"^mqtts?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?$", problems.BROKER_EXPECTED)
    ] = option(
        title=_("broker"), description=_("mqtts://name:8883. Use mqtts:// unless the broker is on this machine.")
    )
    ca: str = option(
        "",
        title=_("certificate authority"),
        description=_("PEM of who signed the broker's certificate. Blank: the authorities that this machine trusts."),
    )
    username: str = option("", title=_("user name"))
    password: SecretStr = option(SecretStr(""), title=_("password"))
    topic: Annotated[str, matching(r"^[^+#\s]*[^+#\s/]$", problems.TOPIC_EXPECTED)] = option(
        max_length=200,
        title=_("topic"),
        description=_("The reader's own, as its page shows it, with the six characters that auto-topic adds."),
    )
    reader_ip: str = option(
        title=_("reader's IP address"), description=_("The reader obeys only commands that name it.")
    )

    @field_validator("broker")
    @classmethod
    def _has_a_port(cls, value: str) -> str:
        try:
            port = urlsplit(value).port
        except ValueError:  # above 65535
            port = 0
        if port == 0:
            raise ValueError(problems.NO_PORT_0())
        return value

    @field_validator("reader_ip")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        try:
            return str(IPv4Address(value))
        except ValueError:
            raise ValueError(problems.IP_EXPECTED()) from None

    @field_validator("ca")
    @classmethod
    def _is_a_certificate(cls, value: str) -> str:
        if value:
            try:
                tls_context(value)
            except (ssl.SSLError, ValueError):
                raise ValueError(problems.PEM_EXPECTED()) from None
        return value


class EspRfidDriver(Driver):
    Options = EspRfidOptions
    options: EspRfidOptions
    verified = _(
        "Not verified against a real device: tested through a real broker against a fake of our own, written from "
        "esp-rfid's public source and documentation."
    )
    capabilities = Capabilities(windows=Granularity.CARD, hold=Hold.NO, events=True)

    def set_up(self) -> None:
        options = self.options
        self._broker = Broker(
            address=options.broker,
            username=options.username,
            password=options.password.get_secret_value(),
            tls=tls_context(options.ca) if options.broker.startswith("mqtts:") else None,
            timeout_seconds=options.timeout_seconds,
        )
        self._kept_events = KeptEvents(self._broker, options.topic, self.now)
        # Answers that the reader still owes, in the order in which they will come: it may only be slow.
        self._owed: list[str] = []

    def encode(self, wanted: DoorWindows) -> DoorWindows:
        last = datetime.fromtimestamp(FOREVER, UTC)
        return {
            door: tuple(Window(w.start, None if w.end and w.end >= last else w.end) for w in windows)
            for door, windows in super().encode(wanted).items()
            if all(w.start is None or w.start < last for w in windows)
        }

    def info(self) -> DeviceInfo:
        with self._reader() as line:
            answer = self._ask(line, "deletuid", uid=_NOBODY)
            description = line.retained(f"homeassistant/lock/{answer.get('hostname')}/lock0/config")
        if description is None:
            raise Refused(problems.NO_DESCRIPTION(how=problems.SWITCH_ON()))
        device = parsed(description).get("dev")
        if not isinstance(device, dict) or not isinstance(device.get("ids"), str):
            raise Unknown(problems.NOT_ESP_RFID())
        firmware = str(device.get("sw"))[:50]
        if not re.match(r"([2-9]|[1-9]\d+)\.", firmware):
            raise Refused(problems.OLD_FIRMWARE(firmware=firmware))
        notes = Problems()
        try:
            self._kept_events.start()
        except DriverError as error:
            notes = Problems([problems.EVENTS_NOT_KEPT(why=error.problem)])
        return DeviceInfo("esp-rfid", firmware, device["ids"][:50], time=None, capacity=None, notes=notes)

    def read(self) -> Actual:
        with self._reader() as line:
            return Actual(cards=self._list(line))

    def put(self, card: str, record: DoorWindows) -> None:
        if set(record) != {DOOR} or len(record[DOOR]) != 1:
            raise Refused(problems.ONE_DOOR())
        if len(card) > _LONGEST_CARD:
            raise Refused(problems.CARD_NUMBER(n=_LONGEST_CARD))
        (window,) = record[DOOR]
        start = 0 if window.start is None else int(window.start.timestamp())
        # It admits through this second; the portal's windows end before theirs.
        last = FOREVER if window.end is None else int(window.end.timestamp()) - 1
        fields = {"user": "Offision", "acctype": "1", "validsince": str(start), "validuntil": str(last)}
        with self._reader() as line:
            self._ask(line, "adduser", uid=card, **fields)
            stored = self._list(line).get(card)
        if stored is None:
            raise Full(problems.NOT_LISTED())
        if stored != record:
            raise Unknown(problems.LISTED_DIFFERENTLY())

    def remove(self, card: str) -> None:
        with self._reader() as line:
            self._ask(line, "deletuid", uid=card)
            if card in self._list(line):
                raise Unknown(problems.STILL_LISTED())

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        # A setting of the reader says for how long. `opendoor` would switch all its relays.
        if door != DOOR:
            raise Refused(problems.ONE_DOOR())
        with self._reader() as line:
            self._send(line, "open", door=str(door - 1))
            while not is_remote(self._next(line)):
                pass

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        return self._kept_events.events(after=after)

    def set_clock(self, moment: datetime) -> None:
        raise Refused(problems.TIME_SERVER())

    def close(self) -> None:
        pass  # each exchange has a connection of its own

    # The reader -------------------------------------------------------------------------------------------

    @contextmanager
    def _reader(self) -> Iterator[Line]:
        """A line that receives what the reader publishes. Raises Unreachable where the broker has its last will."""
        topic = self.options.topic
        with Line(self._broker) as line:
            line.subscribe(
                {f"{topic}/avty": 1, f"{topic}/send": 1, f"{topic}/tag": 1, "homeassistant/lock/+/lock0/config": 1}
            )
            availability = line.retained(f"{topic}/avty")
            if availability is None:
                raise Refused(problems.NO_AVAILABILITY(how=problems.SWITCH_ON()))
            if availability == b"offline":
                raise Unreachable(problems.OFFLINE())
            yield line

    def _send(self, line: Line, command: str, **fields: str) -> None:
        message = {"cmd": command, "doorip": self.options.reader_ip, **fields}
        if command in _ANSWERED:
            self._owed.append(command)
        try:
            line.publish(f"{self.options.topic}/cmd", json.dumps(message))
        except (Unreachable, Refused):
            if command in _ANSWERED:
                self._owed.pop()
            raise

    def _next(self, line: Line) -> dict[str, Any]:
        """The reader's next message. Raises Unknown where none comes in time, Refused where it dropped a command."""
        message = line.next()
        if message is None:
            raise Unknown(problems.READER_SILENT(ip=self.options.reader_ip))
        if message.topic.endswith("/avty") and message.payload == b"offline":
            raise Unknown(problems.WENT_OFF())
        content = parsed(message.payload)
        if (content.get("type"), content.get("src")) == ("ERRO", "mqtt"):
            raise Refused(problems.DROPPED(why=str(content.get("desc"))[:200]))
        return content

    def _answer(self, line: Line) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The answer to the last command, after those still owed; and the cards listed since the answer before it."""
        listed: list[dict[str, Any]] = []
        while True:
            content = self._next(line)
            if isinstance(content.get("uid"), str) and "acctype" in content:
                listed.append(content)
            elif content.get("type") in self._owed:
                # They come in order: an answer that was due before this one is lost.
                del self._owed[: self._owed.index(content["type"]) + 1]
                if not self._owed:
                    return content, listed
                listed.clear()

    def _ask(self, line: Line, command: str, **fields: str) -> dict[str, Any]:
        """Send a command and return its answer. Raises Refused where the reader dropped the command."""
        self._send(line, command, **fields)
        try:
            answer, _listed = self._answer(line)
        except Refused:
            self._owed.pop()
            raise
        return answer

    def _list(self, line: Line) -> dict[str, DoorWindows]:
        """All cards of the reader. Raises only Unknown: a change may have gone before."""
        try:
            self._send(line, "getuserlist")
            self._send(line, "deletuid", uid=_NOBODY)
            _last, listed = self._answer(line)
        except (Unreachable, Refused) as error:
            raise Unknown(error.problem) from error
        return {entry["uid"]: _record(entry) for entry in listed}


def _record(entry: Mapping[str, Any]) -> DoorWindows:
    """The record of an entry of the reader's list; {} where it admits nowhere."""
    kind = number(entry.get("acctype"))
    if kind == _ADMIN:
        return {DOOR: (ALWAYS,)}
    since, until = number(entry.get("validsince")), number(entry.get("validuntil"))
    if kind != _GRANTED or since > until:
        return {}
    start = datetime.fromtimestamp(min(since, FOREVER), UTC) if since else None
    end = datetime.fromtimestamp(until + 1, UTC) if until < FOREVER else None
    return {DOOR: (Window(start, end),)}
