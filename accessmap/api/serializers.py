"""The bodies of the API. A field that the API does not know is an error: a misspelt field is not ignored."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from accessmap.api.models import ApiKey, Scope
from accessmap.models import AccessLevel, Card, Cardholder, CardStatus, Door, Resource, masked

MAX_CARDS = 20  # of one person in one request
MAX_LEVELS = 50
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class Strict(serializers.Serializer[Any]):
    """Refuses unknown fields."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = [name for name, field in self.fields.items() if not field.read_only]
            unknown = [str(name) for name in data if name not in known]
            if unknown:
                message = (
                    _("There is no such field. There are: %(known)s.") % {"known": ", ".join(known)}
                    if known
                    else _("There is no such field.")
                )
                raise serializers.ValidationError({name[:100]: [message] for name in unknown[:10]})
        return super().to_internal_value(data)


class ZonedDateTimeField(serializers.DateTimeField):
    """A time that must come with its time zone, between 1970 and 2200; shown in UTC."""

    default_error_messages = {
        "naive": gettext_lazy("Include the time zone, such as 2026-03-10T09:00:00+08:00."),
        "range": gettext_lazy("Must be between 1970 and 2200."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            self.fail("naive")
        zoned = super().enforce_timezone(value)
        if not _EARLIEST <= zoned < _LATEST:
            self.fail("range")
        return zoned

    def to_representation(self, value: Any) -> Any:
        # REST framework would enforce the limits again: a stored value is shown whatever it is.
        stored = datetime.fromisoformat(value) if isinstance(value, str) else value
        return stored.astimezone(UTC).isoformat().replace("+00:00", "Z")


class IdFilter(serializers.IntegerField):
    """An id in the query of a list."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=2**63 - 1, required=False, **kwargs)


def _printable(value: str) -> None:
    if not value.isprintable():
        raise serializers.ValidationError(_("Must not contain unprintable characters, such as a line break."))


def _name(**more: Any) -> serializers.CharField:
    return serializers.CharField(max_length=200, validators=[_printable], **more)


def _email(**more: Any) -> serializers.EmailField:
    return serializers.EmailField(
        max_length=320, help_text="As in Offision; case does not matter, and finds the person.", **more
    )


def _number() -> serializers.RegexField:
    return serializers.RegexField(
        r"^[0-9A-Za-z-]+$",
        max_length=200,
        help_text="As the readers report it.",
        error_messages={"invalid": gettext_lazy("Digits, letters and hyphens only.")},
    )


def _levels() -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=200), max_length=MAX_LEVELS, required=False, help_text="Names."
    )


def shown_number(number: str, key: ApiKey) -> str:
    """The number, masked unless this key may see it whole."""
    return number if key.may(Scope.READ_CARD_NUMBERS) else masked(number)


def check_validity(valid_from: datetime | None, valid_until: datetime | None) -> None:
    """Raises ValidationError if the validity ends before it begins."""
    if valid_from is not None and valid_until is not None and valid_from >= valid_until:
        raise serializers.ValidationError({"valid_until": [_("The card's validity ends before it begins.")]})


class CardholderSerializer(serializers.ModelSerializer[Cardholder]):
    email = serializers.CharField(help_text="Blank for a cardholder without an email: no booking can find them.")
    access_levels = serializers.SlugRelatedField[AccessLevel](
        slug_field="name", many=True, read_only=True, help_text="Names."
    )

    class Meta:
        model = Cardholder
        fields = ["id", "email", "name", "access_levels"]


class CardholderWriteSerializer(Strict):
    email = _email()
    name = _name()
    access_levels = _levels()


class CardSerializer(serializers.ModelSerializer[Card]):
    number = serializers.SerializerMethodField(help_text="The last four characters, unless the key may see it whole.")
    valid_from = ZonedDateTimeField(allow_null=True)
    valid_until = ZonedDateTimeField(allow_null=True, help_text="The first moment at which it no longer opens.")

    class Meta:
        model = Card
        fields = ["id", "cardholder", "number", "status", "valid_from", "valid_until"]

    def get_number(self, card: Card) -> str:
        return shown_number(card.number, self.context["request"].auth)


class _Validity(Strict):
    status = serializers.ChoiceField(choices=CardStatus.choices, required=False)
    valid_from = ZonedDateTimeField(required=False, allow_null=True)
    valid_until = ZonedDateTimeField(
        required=False, allow_null=True, help_text="The first moment at which it no longer opens."
    )


class CardChangeSerializer(_Validity):
    pass


class CardCreateSerializer(_Validity):
    cardholder = serializers.PrimaryKeyRelatedField(queryset=Cardholder.objects.all())
    number = _number()


class RowCardSerializer(_Validity):
    number = _number()


class RowSerializer(Strict):
    """One person of a bulk."""

    email = _email()
    name = _name()
    cards = serializers.ListField(child=RowCardSerializer(), max_length=MAX_CARDS, required=False)
    replace_cards = serializers.BooleanField(
        default=False, help_text="Cards of this person that are not named are taken away. Needs cards."
    )
    access_levels = _levels()
    replace_access_levels = serializers.BooleanField(
        default=False, help_text="The person leaves access levels that are not named. Needs access_levels."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name in ("cards", "access_levels"):
            if attrs.get(f"replace_{name}") and name not in attrs:
                raise serializers.ValidationError(
                    {f"replace_{name}": [_("List the %(name)s that stay; [] for none.") % {"name": name}]}
                )
        return attrs


class BulkSerializer(Strict):
    """For the schema: the rows of a bulk are validated one by one, so that one does not refuse the others."""

    cardholders = RowSerializer(many=True)


class RowErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    message = serializers.CharField()


class RowResultSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField(help_text="Its place in the request, from 0.")
    email = serializers.CharField(allow_null=True)
    outcome = serializers.ChoiceField(choices=["created", "updated", "unchanged", "refused", "not_applied"])
    id = serializers.IntegerField(allow_null=True, help_text="The cardholder's.")
    errors = RowErrorSerializer(many=True)  # type: ignore[assignment] # a field, as the metaclass sees it


class BulkResultSerializer(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = RowResultSerializer(many=True)


class AccessLevelSerializer(serializers.ModelSerializer[AccessLevel]):
    class Meta:
        model = AccessLevel
        fields = ["id", "name"]


class DoorSerializer(serializers.ModelSerializer[Door]):
    number = serializers.IntegerField(help_text="Its number at the controller.")
    controller = serializers.CharField(source="controller.name")
    site = serializers.CharField(source="controller.site.name")

    class Meta:
        model = Door
        fields = ["id", "name", "number", "controller", "site"]


class ResourceSerializer(serializers.ModelSerializer[Resource]):
    external_id = serializers.CharField(help_text="Its id in Offision.")
    site = serializers.CharField(source="site.name")
    policy = serializers.CharField(source="policy.name", help_text="Its access policy.")
    doors = serializers.PrimaryKeyRelatedField[Door](many=True, read_only=True, help_text="Ids of its doors.")

    class Meta:
        model = Resource
        fields = ["id", "external_id", "name", "site", "policy", "doors"]


class CardholderQuery(Strict):
    """The query of a list of cardholders."""

    email = serializers.CharField(required=False, max_length=320)
    access_level = serializers.CharField(required=False, max_length=200)


class CardQuery(Strict):
    cardholder = IdFilter()
    status = serializers.ChoiceField(choices=CardStatus.choices, required=False)
    number = serializers.CharField(required=False, max_length=200, help_text="Whole. Needs `read:card_numbers`.")


class BulkQuery(Strict):
    atomic = serializers.BooleanField(default=False, help_text="All rows, or none if one is refused.")
