"""Metrics for Prometheus: one page for all processes of this machine, for a monitor that knows its token."""

import hmac
import os
import sys
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound


def enable_multiprocess(directory: Path) -> None:
    """Have this process and those that it starts keep their metrics in files in `directory`, emptied first.

    For an entry point, before it loads Django: prometheus_client chooses where to keep metrics when it is imported.
    Raises RuntimeError if it is imported already.
    """
    if "prometheus_client" in sys.modules:
        raise RuntimeError("prometheus_client is imported already: call enable_multiprocess before Django is loaded.")
    directory.mkdir(parents=True, exist_ok=True)
    for left_over in directory.glob("*.db"):
        left_over.unlink()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text, for `Authorization: Bearer METRICS_TOKEN`; 404 for anybody else, and where none is set."""
    from django_prometheus.exports import ExportToDjangoView  # imports prometheus_client: see enable_multiprocess

    expected = f"Bearer {settings.METRICS_TOKEN}"
    given = request.headers.get("Authorization", "")
    if not settings.METRICS_TOKEN or not hmac.compare_digest(given.encode(), expected.encode()):
        return HttpResponseNotFound()
    response: HttpResponse = ExportToDjangoView(request)
    return response
