"""A fake esp-rfid reader on a real broker, mosquitto, that is started here.

Written from the public source of firmware 2.0: github.com/esprfid/esp-rfid, src/mqtt.esp, src/rfid.esp, src/log.esp.
"""

import atexit
import itertools
import json
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from portal.core import clock
from tests.doorsync.drivers.peer import Fault, Peer

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class Broker:
    """mosquitto on a free port of this machine, with these lines in its configuration besides.

    `certificate`, `key`: files with which it also speaks TLS, on `secure_port`.
    """

    def __init__(self, *lines: str, certificate: Path | None = None, key: Path | None = None) -> None:
        if MOSQUITTO is None:
            pytest.skip("No mosquitto on this machine: what needs a broker is skipped.")
        self.port, self.secure_port = _free_port(), _free_port()
        secure = [f"listener {self.secure_port} 127.0.0.1", f"certfile {certificate}", f"keyfile {key}"]
        self._folder = tempfile.TemporaryDirectory()
        self._file = Path(self._folder.name) / "mosquitto.conf"
        self._file.write_text(
            "\n".join(
                [
                    "set_tcp_nodelay true",
                    *lines,
                    f"listener {self.port} 127.0.0.1",
                    *(secure if certificate else []),
                    "",
                ]
            )
        )
        self.start()
        atexit.register(self.stop)

    def start(self) -> None:
        command = [str(MOSQUITTO), "-c", str(self._file)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr
        log = []
        for line in self._process.stderr:
            log.append(line)
            if "running" in line:
                # It goes on to talk; nobody listens, and it must not fill the pipe.
                threading.Thread(target=self._process.stderr.read, daemon=True).start()
                return
        raise RuntimeError("".join(log))

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process.poll() is None:
            self.thaw()
            self._process.terminate()
            self._process.wait(10)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _without_delay(_client: Any, _data: Any, line: Any) -> None:
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


OPEN_TO_ALL = "allow_anonymous true"
RAISES_QOS = "upgrade_outgoing_qos true"
_shared: list[Broker] = []
_numbers = itertools.count(1)


def shared_broker() -> Broker:
    """One for all tests that ask nothing special of it. Each reader has a topic of its own."""
    if not _shared:
        _shared.append(Broker(OPEN_TO_ALL, RAISES_QOS))
    return _shared[0]


class Reader:
    """The reader: one relay, Home Assistant and events over MQTT switched on, its files in a dictionary."""

    def __init__(
        self,
        broker: Broker,
        topic: str,
        now: Any,
        *,
        version: str = "2.0.0",
        home_assistant: bool = True,
        username: str = "",
    ):
        self.topic, self._now = topic, now
        self.ip, self.hostname, self.mac = "192.0.2.17", f"reader-{topic.rpartition('/')[2]}", "5C:CF:7F:0A:1B:2C"
        self.version, self.home_assistant, self._username = version, home_assistant, username
        self.files: dict[str, str] = {}
        self.room = 1000
        self.fault: Fault | None = None
        self.changes, self.openings = 0, 0
        self._broker = broker
        self.switch_on()

    # Its line to the broker: MQTT 3.1.1, a clean session, everything at QoS 0 --------------------------------

    def switch_on(self) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
        if self.home_assistant:
            self._client.will_set(f"{self.topic}/avty", "offline", qos=2, retain=True)
        if self._username:
            self._client.username_pw_set(self._username)
        ready = threading.Event()
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = lambda _client, _data, message: self._received(bytes(message.payload))
        self._client.on_socket_open = _without_delay
        self._client.connect("127.0.0.1", self._broker.port)
        self._client.loop_start()
        assert ready.wait(10)
        self.settle()

    def _connected(self, *_: Any) -> None:
        self._send({"type": "boot", "time": self._epoch(), "uptime": "0", "ip": self.ip, "hostname": self.hostname})
        self._client.subscribe(f"{self.topic}/cmd", 2)
        if self.home_assistant:
            about = {
                "name": f"{self.hostname} Lock0",
                "uniq_id": f"{self.hostname}/lock0",
                "stat_t": f"{self.topic}/io/lock0",
                "cmd_t": f"{self.topic}/cmd",
                "avty_t": f"{self.topic}/avty",
                "dev": {"ids": self.mac, "name": self.hostname, "mf": "esp-rfid", "sw": self.version},
            }
            self._client.publish(f"homeassistant/lock/{self.hostname}/lock0/config", json.dumps(about), 0, retain=True)
            self._client.publish(f"{self.topic}/avty", "online", 0, retain=True)

    def settle(self) -> None:
        """What it has said is with the broker now, which takes things in order."""
        self._client.publish("settle", "", qos=1).wait_for_publish(10)

    def switch_off(self) -> None:
        """As when its power goes: no farewell, and the broker says its last will."""
        self._client.loop_stop()
        line: Any = self._client.socket()
        line.shutdown(socket.SHUT_RDWR)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, topic: str, said: dict[str, Any]) -> None:
        self._client.publish(f"{self.topic}/{topic}", json.dumps(said), qos=0)

    def _send(self, said: dict[str, Any]) -> None:
        self._publish("send", said)

    def _epoch(self) -> int:
        return int(self._now().timestamp())

    # Commands ------------------------------------------------------------------------------------------------

    def _received(self, payload: bytes) -> None:
        try:
            said = json.loads(payload)
        except ValueError:
            return
        if not isinstance(said, dict) or len(payload) >= 2048 or said.get("doorip") != self.ip or "cmd" not in said:
            return
        handler = {
            "getuserlist": self._list,
            "adduser": self._add,
            "deletuid": self._delete,
            "open": self._open,
        }.get(said["cmd"])
        if handler is None:
            return
        changes = handler in (self._add, self._open) or (handler == self._delete and said.get("uid") in self.files)
        self.changes += changes
        if changes and self.fault is Fault.REFUSES:
            self.log("ERRO", "mqtt", "Dropping MQTT message, out of memory")
        else:
            handler(said, payload.decode(), heard=not (changes and self.fault is Fault.ANSWERS_LOST))

    def _acknowledge(self, command: str, heard: bool) -> None:
        if heard:
            self._send({"type": command, "ip": self.ip, "hostname": self.hostname})

    def _add(self, said: dict[str, Any], text: str, *, heard: bool) -> None:
        uid = said["uid"][:19]
        # It answers, too, where no file could be made.
        if uid in self.files or len(self.files) < self.room:
            self.files[uid] = text
        self._acknowledge("adduser", heard)

    def _delete(self, said: dict[str, Any], text: str, *, heard: bool) -> None:
        self.files.pop(said["uid"][:19], None)
        self._acknowledge("deletuid", heard)

    def _list(self, said: dict[str, Any], text: str, *, heard: bool) -> None:
        for content in list(self.files.values()):
            self._send(json.loads(content))

    def _open(self, said: dict[str, Any], text: str, *, heard: bool) -> None:
        if said.get("door") == "0":
            self.openings += 1
        if heard:
            self._tell_access("Always", "MQTT", " ")

    # Cards ---------------------------------------------------------------------------------------------------

    def judge(self, uid: str) -> str:
        """What it makes of a card at this moment of its clock: rfidProcess in src/rfid.esp."""
        if uid not in self.files:
            return "Denied"
        card = json.loads(self.files[uid])
        kind = int(card.get("acctype") or 0)
        if kind == 99:
            return "Admin"
        if kind != 1:
            return "Disabled"
        now = self._epoch()
        if int(card.get("validuntil") or 0) < now or int(card.get("validsince") or 0) > now:
            return "Expired"
        return "Always"

    def present(self, uid: str) -> None:
        access = self.judge(uid)
        if uid not in self.files:
            self.log("WARN", "rfid", "Unknown rfid tag is scanned", f"{uid} 26")
        user = json.loads(self.files[uid])["user"] if uid in self.files else "Unknown"
        self._tell_access(access, user, uid)

    def _tell_access(self, access: str, user: str, uid: str) -> None:
        said = {"cmd": "log", "uid": uid, "username": user, "access": access, "time": self._epoch(), "doorName": "Door"}
        if self.home_assistant:
            self._publish("tag", said)
        else:
            self._send({**said, "type": "access", "isKnown": "true", "hostname": self.hostname})

    def log(self, kind: str, source: str, text: str, data: str = "") -> None:
        said = {"type": kind, "src": source, "desc": text, "data": data, "time": self._epoch(), "cmd": "event"}
        self._send({**said, "hostname": self.hostname})


class EspRfid(Peer):
    driver = "mqtt"
    has_clock = False  # it tells its time only now and then, and not when asked
    can_hold = False
    cards: ClassVar[tuple[str, str, str]] = ("1f4a90c2", "2b7d03e1", "4a1c55aa109080")
    doors: ClassVar[tuple[int, ...]] = (1,)

    def start(self) -> dict[str, Any]:
        self._broker = shared_broker()
        self.reader = Reader(self._broker, f"doors/{next(_numbers)}", self.now)
        return {
            "broker": f"mqtt://127.0.0.1:{self._broker.port}",
            "topic": self.reader.topic,
            "reader_ip": self.reader.ip,
            "timeout_seconds": 0.4,
        }

    def stop(self) -> None:
        if hasattr(self, "reader"):  # not where there is no broker, and the test was skipped
            self._broker.thaw()
            self.reader.leave()

    def set_fault(self, fault: Fault | None) -> None:
        self.reader.fault = fault
        if fault is Fault.SILENT:
            self._broker.freeze()
        else:
            self._broker.thaw()
            self.reader.settle()

    def now(self) -> datetime:
        return clock.now() + self.skew

    def opens(self, card: str, door: int) -> bool:
        return door == 1 and self.reader.judge(card) in ("Always", "Admin")

    def held_unlocked(self, door: int) -> bool:
        return False

    def pulses(self, door: int) -> int:
        return self.reader.openings

    @property
    def changes_asked(self) -> int:
        return self.reader.changes

    def inside(self) -> Collection[str]:
        return list(self.reader.files)

    def put_foreign(self, card: str) -> None:
        # As its own page writes one.
        entry = {"command": "userfile", "uid": card, "user": "Foreign", "acctype": 1, "acctype2": None}
        self.reader.files[card] = json.dumps({**entry, "validsince": 0, "validuntil": 2145916800})

    def forget(self) -> None:
        self.reader.files.clear()

    def room_for(self, cards: int) -> None:
        self.reader.room = cards

    def present(self, card: str, door: int) -> None:
        self.reader.present(card)
        if self.reader.fault is not Fault.SILENT:
            self.reader.settle()
