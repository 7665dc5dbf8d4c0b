"""MQTT 5 bounded in time: one connection to a broker for one exchange, in the caller's own thread."""

import base64
import re
import socket
import ssl
import struct
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from doorsync.drivers.errors import Refused, Unknown, Unreachable
from doorsync.drivers.esp_rfid import problems

SLOWNESS = 2  # a whole exchange may take this many time-outs
WINDOW = 200  # messages that a broker may send before the first is acknowledged; many send fewer
_LONGEST = 64 * 1024  # bytes of one message
_MOST = 10_000  # messages of one exchange, without those acknowledged
_NO_SUBSCRIBERS = 16  # MQTT 5's reason code: nobody listens there
# What paho raises when it parses a packet that is not MQTT.
_NO_MQTT = (ValueError, LookupError, TypeError, struct.error, MQTTException)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Broker:
    """The address of a broker, and the login there. `tls`: how to check its certificate; None: no encryption."""

    address: str  # mqtt://host:port or mqtts://host:port
    username: str
    password: str = field(repr=False)
    tls: ssl.SSLContext | None
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    payload: bytes
    qos: int
    number: int  # its id at the broker, for this connection


class Line:
    """A connection to a broker. It ends after twice the time-out, whatever it is used for.

    `session`: a client id under which the broker keeps messages for so many seconds (`kept_seconds`) while nobody is
    connected; each of them must be acknowledged. "": the broker keeps nothing.
    """

    def __init__(self, broker: Broker, *, session: str = "", kept_seconds: int = 0) -> None:
        self._raises_qos = False  # whether any message came that must be acknowledged
        self._retained: dict[str, bytes] = {}  # retained messages by topic
        self._broker, self._session, self._kept_seconds = broker, session, kept_seconds
        self._inbox: deque[Message] = deque()
        self._unacknowledged = 0
        self._until = time.monotonic() + SLOWNESS * broker.timeout_seconds
        self._answered: ReasonCode | None = None
        self._granted: Mapping[str, ReasonCode] | None = None
        self._published: dict[int, ReasonCode] = {}
        self._lost: ReasonCode | None = None
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=session, protocol=mqtt.MQTTv5, manual_ack=bool(session)
        )
        client.connect_timeout = broker.timeout_seconds
        if broker.username:
            client.username_pw_set(broker.username, broker.password or None)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        client.on_socket_open = _without_delay
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message

    def __enter__(self) -> Self:
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def open(self) -> None:
        """Connect. Raises Unreachable, or Refused where the broker refuses the login."""
        address = urlsplit(self._broker.address)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types there
        properties.MaximumPacketSize = _LONGEST
        if self._session:
            properties.SessionExpiryInterval = self._kept_seconds
            properties.ReceiveMaximum = WINDOW
        try:
            self._client.connect(
                address.hostname or "",
                address.port or _PORTS[address.scheme],
                clean_start=not self._session,
                properties=properties,
            )
        except ssl.SSLError as error:
            why = str(getattr(error, "verify_message", error))
            raise Unreachable(problems.NOT_SECURE(why=why)) from error
        except (OSError, UnicodeError) as error:  # the latter for a host name that can't exist
            reason = getattr(error, "strerror", None) or problems.NO_CONNECTION_ANSWER()
            raise Unreachable(problems.BROKER_NOT_REACHED(why=reason)) from error
        while self._answered is None:
            try:
                in_time = self._turn()
            except Unknown as error:
                if self._answered is not None:
                    break  # refused; brokers hang up after that
                raise Unreachable(error.problem) from error
            if not in_time:
                raise Unreachable(problems.BROKER_SILENT())
        if self._answered.is_failure:
            raise Refused(problems.BROKER_REFUSED(why=str(self._answered)))

    def subscribe(self, topics: Mapping[str, int]) -> None:
        """Listen to these topics, each at a QoS, from now on. Raises Refused where the broker forbids it."""
        granted: list[ReasonCode] = []

        def on_subscribe(_client: Any, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any) -> None:
            granted.extend(codes)

        self._client.on_subscribe = on_subscribe
        self._client.subscribe([(topic, SubscribeOptions(qos=qos)) for topic, qos in topics.items()])
        while not granted:
            if not self._turn():
                raise Unknown(problems.BROKER_SILENT())
        for topic, code in zip(topics, granted, strict=False):
            if code.is_failure:
                raise Refused(problems.NOT_READABLE(topic=topic, why=str(code)))

    def publish(self, topic: str, payload: str) -> None:
        """Publish, and wait for the broker to confirm that somebody listens.

        Raises Unreachable where nobody listens, Refused where the broker forbids it, Unknown where it does not answer.
        """
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no types there
        # A command must not reach a reader late that was away.
        properties.MessageExpiryInterval = max(1, int(SLOWNESS * self._broker.timeout_seconds))
        mid = self._client.publish(topic, payload, qos=1, properties=properties).mid
        while mid not in self._published:
            if not self._turn():
                raise Unknown(problems.UNCONFIRMED())
        code = self._published[mid]
        if code.value == _NO_SUBSCRIBERS:
            raise Unreachable(problems.NO_READER(topic=topic))
        if code.is_failure:
            raise Refused(problems.NOT_WRITABLE(topic=topic, why=str(code)))

    def next(self) -> Message | None:
        """The next message that is not retained; None once the time is up."""
        while not self._inbox:
            if not self._turn():
                return None
        return self._inbox.popleft()

    def kept(self, topics: Sequence[str], *, own: str) -> Iterator[Message]:
        """The messages that the broker has kept on these topics for the session, in order, as far as it sends them now.
        At the end the broker has all acknowledgements from before this call.

        `own`: a topic for the portal's own marks. Raises Refused where the broker keeps no messages of QoS 0.
        """
        end, mark = f"{own}/end", str(uuid.uuid4())
        self.subscribe({**dict.fromkeys(topics, 1), own: 1, end: 0})
        # At QoS 0, as readers publish: the broker must raise it, so that it must be acknowledged here.
        self._client.publish(own, mark, qos=0)
        # Comes back after the messages before it, also where the broker waits for their acknowledgement.
        self._client.publish(end, mark, qos=0)
        while (message := self.next()) is not None:
            if message.topic == own:
                self.acknowledge(message)
            elif message.topic != end:
                yield message
            elif message.payload == mark.encode():
                if not self._raises_qos:
                    raise Refused(problems.QOS_NOT_RAISED())
                return
        raise Unknown(problems.KEPT_UNKNOWN())

    def retained(self, topic: str) -> bytes | None:
        """The retained message of a topic; None where none comes in time."""
        while topic not in self._retained:
            if not self._turn():
                return None
        return self._retained[topic]

    def acknowledge(self, message: Message) -> None:
        """Let the broker forget a message that it kept."""
        self._client.ack(message.number, message.qos)
        self._unacknowledged -= 1

    def close(self) -> None:
        self._client.disconnect()

    def _turn(self) -> bool:
        """Wait for packets and handle them; False once the time is up. Raises Unknown where the connection breaks."""
        left = self._until - time.monotonic()
        if left <= 0:
            return False
        try:
            result = self._client.loop(left)
        except _NO_MQTT as error:
            raise Unknown(problems.NOT_MQTT()) from error
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS or self._lost is not None:
            raise Unknown(problems.LINE_BROKE(why=str(self._lost or result.name)))
        if self._unacknowledged > _MOST:
            raise Unknown(problems.TOO_MANY_MESSAGES(n=_MOST))
        return True

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        self._answered = code

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        self._lost = code

    def _on_publish(self, _client: Any, _data: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        self._published[mid] = code

    def _on_message(self, _client: Any, _data: Any, received: mqtt.MQTTMessage) -> None:
        self._unacknowledged += 1
        self._raises_qos |= received.qos > 0
        message = Message(received.topic, bytes(received.payload), received.qos, received.mid)
        if received.retain:
            self._retained[message.topic] = message.payload
            self.acknowledge(message)
        else:
            self._inbox.append(message)


def _without_delay(_client: Any, _data: Any, connection: Any) -> None:
    """Small packets go out at once, without waiting for the acknowledgement of those before them."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def tls_context(authorities: str) -> ssl.SSLContext:
    """Checks certificate and name of the broker by these authorities (PEM), or by this machine's where the text is
    empty. Raises ValueError or ssl.SSLError for text that is no certificate."""
    if not authorities:
        return ssl.create_default_context()
    # A form may remove the line breaks of a PEM, so its parts are read here.
    bodies = _CERTIFICATE.findall(authorities)
    if not bodies:
        raise ValueError("no certificate")
    return ssl.create_default_context(cadata=b"".join(base64.b64decode("".join(body.split())) for body in bodies))
