"""Device protocols: one module per family of devices, behind base.DeviceProtocol."""

from visitors.devices.protocols.base import DeviceProtocol
from visitors.devices.protocols.control_id import ControlId
from visitors.devices.protocols.hikvision import Hikvision
from visitors.devices.protocols.template import TemplateProtocol
from visitors.devices.protocols.vguang import Vguang
from visitors.models import Protocol, Turnstile

_PROTOCOLS: dict[str, type[DeviceProtocol]] = {
    Protocol.TEMPLATE: TemplateProtocol,
    Protocol.VGUANG: Vguang,
    Protocol.CONTROL_ID: ControlId,
    Protocol.HIKVISION: Hikvision,
}


def protocol_for(turnstile: Turnstile) -> DeviceProtocol | None:
    """The protocol of a turnstile; None for the portal's own protocol, which has addresses of its own."""
    protocol = _PROTOCOLS.get(turnstile.protocol)
    return protocol(turnstile) if protocol else None
