"""Metrics for Prometheus: one page for all processes of this machine, for a monitor that knows its token."""

import hmac

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django_prometheus.exports import ExportToDjangoView


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text, for `Authorization: Bearer METRICS_TOKEN`; 404 for anybody else, and where none is set."""
    expected = f"Bearer {settings.METRICS_TOKEN}"
    given = request.headers.get("Authorization", "")
    if not settings.METRICS_TOKEN or not hmac.compare_digest(given.encode(), expected.encode()):
        return HttpResponseNotFound()
    response: HttpResponse = ExportToDjangoView(request)
    return response
