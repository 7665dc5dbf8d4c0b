"""What turnstiles with the portal's own protocol send, and what they get."""

from datetime import datetime, timedelta
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.core import clock
from visitors.verification.decision import Reason
from visitors.verification.verify import Answer

# A report with a time outside these bounds comes from a wrong clock.
MAX_AGE = timedelta(days=30)
MAX_AHEAD = timedelta(minutes=5)
# A clock without power shows 1970 or 2000. Times outside these years cannot be shown in every time zone.
FIRST_YEAR, LAST_YEAR = 1900, 2200


def _printable(value: str) -> None:
    if not value.isprintable():
        raise serializers.ValidationError("Must have printable characters only.")


@extend_schema_field(OpenApiTypes.STR)
class ScannedTextField(serializers.Field[Any, Any, Any, Any]):
    """Any text that a scanner read: an empty, over-long or odd one is denied later, and is no error."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Must be text.")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class DeviceTimeField(serializers.DateTimeField):
    """A time by the clock of a device, however wrong, as an aware datetime. Without an offset: in the portal's zone."""

    def to_internal_value(self, value: Any) -> datetime:
        try:
            moment: datetime = super().to_internal_value(value)
        except OverflowError:
            self.fail("overflow")
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            self.fail("overflow")
        return moment


class ScanSerializer(serializers.Serializer[Any]):
    """`{"code", "direction"?, "nonce"?, "scanned_at"?}`"""

    code = ScannedTextField()
    direction = serializers.ChoiceField(choices=["in", "out"], required=False)
    nonce = serializers.CharField(max_length=100, required=False, default="", allow_blank=True, validators=[_printable])
    scanned_at = DeviceTimeField(required=False, default=None, allow_null=True)


class PassageSerializer(serializers.Serializer[Any]):
    """`{"verification_id", "passed", "at"?}`: whether somebody walked through."""

    verification_id = serializers.UUIDField()
    passed = serializers.BooleanField()
    at = DeviceTimeField(required=False, default=None, allow_null=True)


class OfflineSerializer(serializers.Serializer[Any]):
    """`{"code", "decision", "at", "direction"?, "nonce"?, "reason"?}`: what a turnstile decided while offline."""

    code = ScannedTextField()
    decision = serializers.ChoiceField(choices=["allow", "deny"])
    at = DeviceTimeField()
    direction = serializers.ChoiceField(choices=["in", "out"], required=False)
    nonce = serializers.CharField(max_length=100, required=False, default="", allow_blank=True, validators=[_printable])
    reason = serializers.ChoiceField(choices=[reason.value for reason in Reason], required=False, default="")

    def validate_at(self, value: Any) -> Any:
        now = clock.now()
        if not now - MAX_AGE < value < now + MAX_AHEAD:
            raise serializers.ValidationError(
                f"Must be within the last {MAX_AGE.days} days: the turnstile's clock seems to be wrong."
            )
        return value


class AnswerSerializer(serializers.Serializer[Any]):
    """Whether the bearer may pass."""

    decision = serializers.ChoiceField(choices=["allow", "deny"])
    reason = serializers.CharField(allow_null=True)
    reasons = serializers.ListField(child=serializers.CharField())
    message = serializers.CharField()
    verification_id = serializers.UUIDField(allow_null=True)
    open_ms = serializers.IntegerField(required=False)
    visitor = serializers.DictField(required=False)


class StoredPassageSerializer(serializers.Serializer[Any]):
    verification_id = serializers.UUIDField()
    passed = serializers.BooleanField()
    at = serializers.DateTimeField()


class StoredDecisionSerializer(serializers.Serializer[Any]):
    verification_id = serializers.UUIDField()


def answer_json(answer: Answer) -> dict[str, Any]:
    """An answer in the portal's own protocol."""
    content: dict[str, Any] = {
        "decision": "allow" if answer.allowed else "deny",
        "reason": answer.reasons[0] if answer.reasons else None,
        "reasons": list(answer.reasons),
        "message": answer.message,
        "verification_id": str(answer.verification.pk) if answer.verification else None,
    }
    if answer.open_ms is not None:
        content["open_ms"] = answer.open_ms
    if answer.shown:
        content["visitor"] = answer.shown
    return content
