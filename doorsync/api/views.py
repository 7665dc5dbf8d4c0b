"""Permissions: which card may pass which door, when, why, and whether its controller knows."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accessmap.api.base import ApiView
from accessmap.api.models import Scope
from accessmap.api.serializers import IdFilter, MomentField, Strict, shown_number
from accessmap.models import Card, Door
from doorsync.models import ControllerCard


class PermissionQuery(Strict):
    cardholder = IdFilter()
    door = IdFilter()
    state = serializers.ChoiceField(choices=ControllerCard.State.choices, required=False)


class PermissionSerializer(serializers.Serializer[Any]):
    """A card may pass a door from starts_at until just before ends_at."""

    door = serializers.IntegerField(allow_null=True, help_text="Null for a door that is no longer in the map.")
    door_number = serializers.IntegerField(help_text="Its number at the controller.")
    starts_at = MomentField(allow_null=True, help_text="Null: since ever.")
    ends_at = MomentField(allow_null=True, help_text="Null: for ever.")
    because = serializers.ListField(
        child=serializers.CharField(), help_text="`booking:` and its id in Offision, or `level:` and an access level."
    )


class CardAtControllerSerializer(serializers.Serializer[Any]):
    """What a controller is meant to hold for a card, and whether it does."""

    id = serializers.IntegerField()
    controller = serializers.CharField()
    card = serializers.IntegerField(allow_null=True, help_text="Null for a card that is no longer in the map.")
    number = serializers.CharField(help_text="The last four characters, unless the key may see it whole.")
    cardholder = serializers.IntegerField(allow_null=True)
    state = serializers.ChoiceField(
        choices=ControllerCard.State.choices,
        help_text="`in_step`: the controller holds just that. Whatever else: it may hold something else.",
    )
    reason = serializers.CharField(help_text="Why it is not in step.")
    changed_at = MomentField()
    confirmed_at = MomentField(allow_null=True, help_text="When the controller was last known to hold it.")
    permissions = PermissionSerializer(many=True)


class PermissionsView(ApiView):
    """Cards at controllers."""

    scopes = {"GET": [Scope.READ_PERMISSIONS]}
    serializer_class = CardAtControllerSerializer
    query_serializer = PermissionQuery
    queryset = ControllerCard.objects.select_related("controller")

    def get_queryset(self) -> QuerySet[ControllerCard]:
        query = self.query()
        rows: QuerySet[ControllerCard] = super().get_queryset()
        if "state" in query:
            rows = rows.filter(state=query["state"])
        if "cardholder" in query:
            rows = rows.filter(number__in=Card.objects.filter(cardholder=query["cardholder"]).values("number"))
        if "door" in query:
            door = Door.objects.filter(pk=query["door"]).first()
            if door is None:
                raise serializers.ValidationError({"door": [_("There is no such door.")]})
            rows = rows.filter(controller=door.controller_id, desired__has_key=str(door.number))
        return rows

    @extend_schema(parameters=[PermissionQuery], responses=CardAtControllerSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Which card may pass which door, when and why, and whether its controller knows: a row a card there."""
        page = self.paginate_queryset(self.get_queryset()) or []
        cards = {card.number: card for card in Card.objects.filter(number__in=[row.number for row in page])}
        doors = {
            (door.controller_id, str(door.number)): door.pk
            for door in Door.objects.filter(controller__in={row.controller_id for row in page})
        }
        rows = [self._row(row, cards.get(row.number), doors) for row in page]
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)

    def _row(self, row: ControllerCard, card: Card | None, doors: dict[tuple[int, str], int]) -> dict[str, Any]:
        return {
            "id": row.pk,
            "controller": row.controller.name,
            "card": card.pk if card else None,
            "number": shown_number(row.number, self.key),
            "cardholder": card.cardholder_id if card else None,
            "state": row.state,
            "reason": str(row.reason),
            "changed_at": row.changed_at,
            "confirmed_at": row.confirmed_at,
            "permissions": [
                {
                    "door": doors.get((row.controller_id, number)),
                    "door_number": int(number),
                    "starts_at": starts_at,
                    "ends_at": ends_at,
                    "because": because,
                }
                for number, windows in sorted(row.desired.items(), key=lambda item: int(item[0]))
                for starts_at, ends_at, because in windows
            ],
        }
