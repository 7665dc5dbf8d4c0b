"""The portal's addresses and, for comparison on the same server, the barest view that stores something."""

from typing import Any

from django.db import models
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.urls import urlpatterns as portal_urls


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


urlpatterns = [*portal_urls, path("bench/insert/", BareInsert.as_view())]
