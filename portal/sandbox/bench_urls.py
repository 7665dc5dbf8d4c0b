"""The portal's addresses and, for comparison on the same server, the barest view that stores something."""

from typing import Any

import requests
from django.conf import settings
from django.db import models
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.urls import urlpatterns as portal_urls
from visitors.devices.authentication import TurnstileKeyAuthentication


class Note(models.Model):
    """A row of the floor's own table, which the benchmark makes."""

    body = models.JSONField()

    class Meta:
        managed = False
        app_label = "portal"
        db_table = "bench_note"

    def __str__(self) -> str:
        return str(self.pk)


class BareInsert(APIView):
    """A DRF view that does one INSERT: the floor."""

    permission_classes: list[Any] = []

    def post(self, request: Request) -> Response:
        Note(body=request.data).save(force_insert=True)
        return Response({"status": "accepted"}, status=202)


class BareVerify(APIView):
    """A DRF view that authenticates a key, makes the same call to Offision, and does one INSERT: verify's floor."""

    authentication_classes = [TurnstileKeyAuthentication]
    permission_classes: list[Any] = []
    session = requests.Session()

    def post(self, request: Request) -> Response:
        answer = self.session.get(
            f"{settings.OFFISION_URL}/API/external/receptionist/v1/visits/{dict(request.data)['code']}",
            headers={"Authorization": settings.OFFISION_TOKEN},
            timeout=10,
        )
        Note(body=answer.json()).save(force_insert=True)
        return Response({"status": "accepted"})


BareVerify.session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=32))

urlpatterns = [
    *portal_urls,
    path("bench/insert/", BareInsert.as_view()),
    path("bench/verify/", BareVerify.as_view()),
]
