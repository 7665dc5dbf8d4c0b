"""The map over REST: cardholders, cards, access levels, resources, doors."""

from collections import Counter
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from accessmap.api import bulk, services
from accessmap.api import serializers as bodies
from accessmap.api.authentication import require
from accessmap.api.base import ApiView
from accessmap.api.idempotency import write
from accessmap.api.models import Scope
from accessmap.models import AccessLevel, Card, Cardholder, Door, Resource, normal_email
from portal.core.api.errors import problem


class ListView(ListModelMixin, ApiView):
    def get(self, request: Request) -> Response:
        return self.list(request)

    def get_queryset(self) -> QuerySet[Any]:
        self.query()  # a filter that does not exist is refused, not left out
        return super().get_queryset()


class OneView(RetrieveModelMixin, ApiView):
    def get(self, request: Request, pk: int) -> Response:
        return self.retrieve(request, pk=pk)


_CARDHOLDERS: QuerySet[Cardholder] = Cardholder.objects.prefetch_related("access_levels")


class CardholdersView(ListView):
    """Cardholders, in the order in which they were entered."""

    scopes = {"GET": [Scope.READ_CARDHOLDERS], "POST": [Scope.WRITE_CARDHOLDERS]}
    serializer_class = bodies.CardholderSerializer
    query_serializer = bodies.CardholderQuery
    queryset = _CARDHOLDERS

    def get_queryset(self) -> QuerySet[Cardholder]:
        asked = self.query()
        found: QuerySet[Cardholder] = super().get_queryset()
        if "email" in asked:
            found = found.filter(pk__in=services.people_by_email([normal_email(asked["email"])]))
        if "access_level" in asked:
            found = found.filter(membership__access_level__name=asked["access_level"])
        return found

    @extend_schema(parameters=[bodies.CardholderQuery])
    def get(self, request: Request) -> Response:
        return super().get(request)

    @extend_schema(request=bodies.CardholderWriteSerializer, responses={201: bodies.CardholderSerializer})
    @write
    def post(self, request: Request) -> Response:
        """Enter a cardholder. Naming access levels needs `write:access_levels`, too."""
        said = self.said(bodies.CardholderWriteSerializer)
        if "access_levels" in said:
            require(self.key, [Scope.WRITE_ACCESS_LEVELS])
        person = services.create_cardholder(said, by=self.key)
        return Response(self.get_serializer(person).data, status=HTTPStatus.CREATED)


class CardholderView(OneView):
    """One cardholder."""

    scopes = {
        "GET": [Scope.READ_CARDHOLDERS],
        "PATCH": [Scope.WRITE_CARDHOLDERS],
        "DELETE": [Scope.WRITE_CARDHOLDERS, Scope.WRITE_CARDS],
    }
    serializer_class = bodies.CardholderSerializer
    queryset = _CARDHOLDERS

    @extend_schema(request=bodies.CardholderWriteSerializer, responses=bodies.CardholderSerializer)
    @write
    def patch(self, request: Request, pk: int) -> Response:
        """Change what is said. Access levels, if said, are those and no others; that needs `write:access_levels`."""
        said = self.said(bodies.CardholderWriteSerializer, partial=True)
        if "access_levels" in said:
            require(self.key, [Scope.WRITE_ACCESS_LEVELS])
        person = get_object_or_404(Cardholder.objects.select_for_update(), pk=pk)
        services.change_cardholder(person, said, by=self.key)
        return Response(self.get_serializer(person).data)

    @extend_schema(responses={204: None})
    @write
    def delete(self, request: Request, pk: int) -> Response:
        """Take a cardholder out of the map, and all cards with them."""
        person = get_object_or_404(Cardholder.objects.select_for_update(), pk=pk)
        services.delete_cardholder(person, by=self.key)
        return Response(status=HTTPStatus.NO_CONTENT)


class BulkView(ApiView):
    """Many cardholders at once."""

    scopes = {"PUT": [Scope.WRITE_CARDHOLDERS]}
    pagination_class = None
    query_serializer = bodies.BulkQuery
    serializer_class = bodies.BulkResultSerializer

    @extend_schema(
        parameters=[bodies.BulkQuery],
        request=bodies.BulkSerializer,
        responses={200: bodies.BulkResultSerializer},
    )
    @write
    def put(self, request: Request) -> Response:
        """Enter or change up to 1,000 cardholders, found by email whatever its case, with cards and access levels.

        Each row is applied as a whole or refused, and results says which; the other rows go ahead. With
        `atomic=true` nothing is done unless all can be, and the answer is 422. People, cards and access levels that are
        not named are left alone; a row that says `replace_cards` or `replace_access_levels` takes those of its own
        person away that it does not name. Naming cards needs `write:cards`, naming access levels
        `write:access_levels`.
        """
        rows = self._rows()
        atomic = self.query()["atomic"]
        done = bulk.upsert(rows, by=self.key, atomic=atomic)
        if atomic and any(row.errors for row in done):
            refused = sum(1 for row in done if row.errors)
            detail = _("%(n)d rows are refused, so none was applied; results says why.") % {"n": refused}
            results = [_result(row, "refused" if row.errors else "not_applied") for row in done]
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, results=results)
        counts = Counter(row.outcome for row in done)
        outcomes = {outcome: counts[outcome] for outcome in ("created", "updated", "unchanged", "refused")}
        return Response({**outcomes, "results": [_result(row, row.outcome) for row in done]})

    def _rows(self) -> list[Any]:
        said = self.request.data
        rows = said.get("cardholders") if isinstance(said, dict) else None
        if not isinstance(rows, list) or len(said) != 1:
            raise ValidationError({"cardholders": [_('The body must be {"cardholders": [...]}, and nothing else.')]})
        if len(rows) > bulk.MAX_ROWS:
            message = _("There are %(n)d rows; send at most %(most)d at once.") % {
                "n": len(rows),
                "most": bulk.MAX_ROWS,
            }
            raise ValidationError({"cardholders": [message]})
        for name, scope in (("cards", Scope.WRITE_CARDS), ("access_levels", Scope.WRITE_ACCESS_LEVELS)):
            if any(isinstance(row, dict) and name in row for row in rows):
                require(self.key, [scope])
        return rows


def _result(row: bulk.Row, outcome: str) -> dict[str, Any]:
    found = None if outcome in ("refused", "not_applied") else row.person.pk
    return {"row": row.number, "email": row.email, "outcome": outcome, "id": found, "errors": row.errors}


class CardsView(ListView):
    """Cards, in the order in which they were entered."""

    scopes = {"GET": [Scope.READ_CARDS], "POST": [Scope.WRITE_CARDS]}
    serializer_class = bodies.CardSerializer
    query_serializer = bodies.CardQuery
    queryset = Card.objects.all()

    def get_queryset(self) -> QuerySet[Card]:
        asked = self.query()
        if "number" in asked:
            require(self.key, [Scope.READ_CARD_NUMBERS])
        found: QuerySet[Card] = super().get_queryset()
        return found.filter(**asked)

    @extend_schema(parameters=[bodies.CardQuery])
    def get(self, request: Request) -> Response:
        return super().get(request)

    @extend_schema(request=bodies.CardCreateSerializer, responses={201: bodies.CardSerializer})
    @write
    def post(self, request: Request) -> Response:
        """Give a cardholder a card."""
        card = services.create_card(self.said(bodies.CardCreateSerializer), by=self.key)
        return Response(self.get_serializer(card).data, status=HTTPStatus.CREATED)


class CardView(OneView):
    """One card."""

    scopes = {"GET": [Scope.READ_CARDS], "PATCH": [Scope.WRITE_CARDS], "DELETE": [Scope.WRITE_CARDS]}
    serializer_class = bodies.CardSerializer
    queryset = Card.objects.all()

    @extend_schema(request=bodies.CardChangeSerializer, responses=bodies.CardSerializer)
    @write
    def patch(self, request: Request, pk: int) -> Response:
        """Change a card's status or validity. A lost card stops opening doors within seconds."""
        said = self.said(bodies.CardChangeSerializer, partial=True)
        card = get_object_or_404(Card.objects.select_for_update(), pk=pk)
        services.change_card(card, said, by=self.key)
        return Response(self.get_serializer(card).data)

    @extend_schema(responses={204: None})
    @write
    def delete(self, request: Request, pk: int) -> Response:
        """Take away a card that was entered by mistake. For one that was handed in, set its status to returned."""
        services.delete_card(get_object_or_404(Card.objects.select_for_update(), pk=pk), by=self.key)
        return Response(status=HTTPStatus.NO_CONTENT)


class AccessLevelsView(ListView):
    """Access levels: named sets of cardholders."""

    scopes = {"GET": [Scope.READ_ACCESS_LEVELS]}
    serializer_class = bodies.AccessLevelSerializer
    queryset = AccessLevel.objects.all()


class AccessLevelView(OneView):
    """One access level. Whom it holds: cardholders, by `access_level`."""

    scopes = {"GET": [Scope.READ_ACCESS_LEVELS]}
    serializer_class = bodies.AccessLevelSerializer
    queryset = AccessLevel.objects.all()


_RESOURCES: QuerySet[Resource] = Resource.objects.select_related("site", "policy").prefetch_related("doors")


class ResourcesView(ListView):
    """Bookable resources of Offision's, with the doors that lead to them."""

    scopes = {"GET": [Scope.READ_RESOURCES]}
    serializer_class = bodies.ResourceSerializer
    queryset = _RESOURCES


class ResourceView(OneView):
    """One resource."""

    scopes = {"GET": [Scope.READ_RESOURCES]}
    serializer_class = bodies.ResourceSerializer
    queryset = _RESOURCES


_DOORS: QuerySet[Door] = Door.objects.select_related("controller__site")


class DoorsView(ListView):
    """Doors, each with its controller."""

    scopes = {"GET": [Scope.READ_DOORS]}
    serializer_class = bodies.DoorSerializer
    queryset = _DOORS


class DoorView(OneView):
    """One door."""

    scopes = {"GET": [Scope.READ_DOORS]}
    serializer_class = bodies.DoorSerializer
    queryset = _DOORS
