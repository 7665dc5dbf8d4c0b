"""How devices phrase their question and want their answer: one small module a family, behind base.Speaker."""

from visitors.devices.protocols.base import Speaker
from visitors.devices.protocols.control_id import ControlId
from visitors.devices.protocols.hikvision import Hikvision
from visitors.devices.protocols.template import TemplateSpeaker
from visitors.devices.protocols.vguang import Vguang
from visitors.models import Dialect, Turnstile

_SPEAKERS: dict[str, type[Speaker]] = {
    Dialect.TEMPLATE: TemplateSpeaker,
    Dialect.VGUANG: Vguang,
    Dialect.CONTROL_ID: ControlId,
    Dialect.HIKVISION: Hikvision,
}


def speaker_for(turnstile: Turnstile) -> Speaker | None:
    """Who understands this turnstile; None where it speaks the portal's own dialect, at its own address."""
    speaker = _SPEAKERS.get(turnstile.dialect)
    return speaker(turnstile) if speaker else None
