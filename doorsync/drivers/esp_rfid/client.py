"""MQTT 5 that ends: one connection to a broker for one exchange, worked in the caller's own thread, bounded in time."""

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
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from django.utils.translation import gettext as _
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from doorsync.drivers.base import Refused, Unknown, Unreachable

SLOWNESS = 2  # a whole exchange may take this many time-outs
WINDOW = 200  # messages that a broker may send before the first is acknowledged; many send fewer
_LONGEST = 64 * 1024  # bytes of one message
_MOST = 10_000  # messages of one exchange, but for those acknowledged
_NO_SUBSCRIBERS = 16  # MQTT 5's reason code: nobody listens there
# How paho ends when it takes apart what is no packet of MQTT.
_NO_MQTT = (ValueError, LookupError, TypeError, struct.error, MQTTException)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is, and as whom. `tls`: what it must prove; None speaks plainly."""

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
    number: int  # by which the broker knows it, for this connection


class Line:
    """A connection to a broker. Whatever it takes in all, it is over after twice the time-out.

    `session`: a client id under which the broker keeps messages for so many seconds (`kept_seconds`) while nobody is
    connected; what comes then must be acknowledged one by one. "": nothing is kept.
    """

    def __init__(self, broker: Broker, *, session: str = "", kept_seconds: int = 0) -> None:
        self._raises_qos = False  # whether anything has come that asks to be acknowledged
        self._retained: dict[str, bytes] = {}  # by topic: what stood there before
        self._broker, self._session, self._kept_seconds = broker, session, kept_seconds
        self._inbox: deque[Message] = deque()
        self._taken = 0
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

    def open(self) -> None:
        """Connect. Raises Unreachable, or Refused where the broker says no."""
        place = urlsplit(self._broker.address)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types there
        properties.MaximumPacketSize = _LONGEST
        if self._session:
            properties.SessionExpiryInterval = self._kept_seconds
            properties.ReceiveMaximum = WINDOW
        try:
            self._client.connect(
                place.hostname or "",
                place.port or _PORTS[place.scheme],
                clean_start=not self._session,
                properties=properties,
            )
        except ssl.SSLError as error:
            raise Unreachable(
                _("No secure connection to the broker: %(why)s.") % {"why": getattr(error, "verify_message", error)}
            ) from error
        except (OSError, UnicodeError) as error:  # a name that can't be one ends in the latter
            why = getattr(error, "strerror", None) or _("no answer")
            raise Unreachable(_("The broker was not reached: %(why)s.") % {"why": why}) from error
        while self._answered is None:
            try:
                in_time = self._turn()
            except Unknown as error:
                if self._answered is not None:
                    break  # a no, after which brokers hang up
                raise Unreachable(str(error)) from error
            if not in_time:
                raise Unreachable(_("The broker did not answer in time."))
        if self._answered.is_failure:
            raise Refused(_("The broker refused the portal: %(why)s.") % {"why": self._answered})

    def subscribe(self, topics: Mapping[str, int]) -> None:
        """Listen to these topics, each at a QoS, from now on. Raises Refused where the broker allows it not."""
        granted: list[ReasonCode] = []

        def on_subscribe(_client: Any, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any) -> None:
            granted.extend(codes)

        self._client.on_subscribe = on_subscribe
        self._client.subscribe([(topic, SubscribeOptions(qos=qos)) for topic, qos in topics.items()])
        while not granted:
            if not self._turn():
                raise Unknown(_("The broker did not answer in time."))
        for topic, code in zip(topics, granted, strict=False):
            if code.is_failure:
                raise Refused(
                    _("The broker does not let the portal read %(topic)s: %(why)s.") % {"topic": topic, "why": code}
                )

    def tell(self, topic: str, payload: str) -> None:
        """Publish, and see that the broker has somebody to give it to.

        Raises Unreachable where nobody listens, Refused where the broker allows it not, Unknown where it does not say.
        """
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has no types there
        # A command must not come out late, when a reader is back that was away.
        properties.MessageExpiryInterval = max(1, int(SLOWNESS * self._broker.timeout_seconds))
        mid = self._client.publish(topic, payload, qos=1, properties=properties).mid
        while mid not in self._published:
            if not self._turn():
                raise Unknown(_("The broker did not say in time whether it passed the command on."))
        code = self._published[mid]
        if code.value == _NO_SUBSCRIBERS:
            raise Unreachable(
                _("No reader listens on %(topic)s: it is off, or the topic is another.") % {"topic": topic}
            )
        if code.is_failure:
            raise Refused(
                _("The broker does not let the portal write %(topic)s: %(why)s.") % {"topic": topic, "why": code}
            )

    def next(self) -> Message | None:
        """The next message; None once the time is up. What was retained is put aside."""
        while not self._inbox:
            if not self._turn():
                return None
        return self._inbox.popleft()

    def kept(self, topics: Sequence[str], *, own: str) -> Iterator[Message]:
        """What the broker has kept on these topics for the session, in order, as far as it sends it now. At the end it
        has heard all that was acknowledged before this began.

        `own`: a topic for marks of ours. Raises Refused where nothing is kept of what is published at QoS 0.
        """
        end, mark = f"{own}/end", str(uuid.uuid4())
        self.subscribe({**dict.fromkeys(topics, 1), own: 1, end: 0})
        # Said as readers do: it must ask to be acknowledged once it comes back.
        self._client.publish(own, mark, qos=0)
        # Comes back after what was sent before it, also where the broker sends no more until that is acknowledged.
        self._client.publish(end, mark, qos=0)
        while (message := self.next()) is not None:
            if message.topic == own:
                self.acknowledge(message)
            elif message.topic != end:
                yield message
            elif message.payload == mark.encode():
                if not self._raises_qos:
                    raise Refused(_("The broker must raise the QoS to the subscriber's (upgrade_outgoing_qos)."))
                return
        raise Unknown(_("The broker did not say in time what it has kept."))

    def turn_until_retained(self, topic: str) -> bytes | None:
        """What stood at a topic already; None where nothing comes in time."""
        while topic not in self._retained:
            if not self._turn():
                return None
        return self._retained[topic]

    def acknowledge(self, message: Message) -> None:
        """Let the broker forget a message that it kept."""
        self._client.ack(message.number, message.qos)
        self._taken -= 1

    def close(self) -> None:
        self._client.disconnect()

    def _turn(self) -> bool:
        """Wait for something to happen, and let it; False once the time is up. Raises Unknown where the line breaks."""
        left = self._until - time.monotonic()
        if left <= 0:
            return False
        try:
            went = self._client.loop(left)
        except _NO_MQTT as error:
            raise Unknown(_("What answers is no MQTT broker.")) from error
        if went != MQTTErrorCode.MQTT_ERR_SUCCESS or self._lost is not None:
            raise Unknown(_("The connection to the broker broke off: %(why)s.") % {"why": self._lost or went.name})
        if self._taken > _MOST:
            raise Unknown(_("The reader says more than %(n)d things at once.") % {"n": _MOST})
        return True

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        self._answered = code

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        self._lost = code

    def _on_publish(self, _client: Any, _data: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        self._published[mid] = code

    def _on_message(self, _client: Any, _data: Any, received: mqtt.MQTTMessage) -> None:
        self._taken += 1
        self._raises_qos |= received.qos > 0
        message = Message(received.topic, bytes(received.payload), received.qos, received.mid)
        if received.retain:
            self._retained[message.topic] = message.payload
            self.acknowledge(message)
        else:
            self._inbox.append(message)


def _without_delay(_client: Any, _data: Any, connection: Any) -> None:
    """Small packets that follow one another go out at once, and need not wait for the other side's acknowledgement."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def tls_context(authorities: str) -> ssl.SSLContext:
    """Checks certificate and name of the other side, by these authorities (PEM), or by this machine's where there are
    none. Raises ValueError or ssl.SSLError where they are none."""
    if not authorities:
        return ssl.create_default_context()
    # A form may have eaten the line breaks of a PEM, so what stands between them is read here.
    found = _CERTIFICATE.findall(authorities)
    if not found:
        raise ValueError("no certificate")
    return ssl.create_default_context(cadata=b"".join(base64.b64decode("".join(body.split())) for body in found))
