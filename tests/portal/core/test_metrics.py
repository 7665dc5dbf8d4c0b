"""The metrics page counts what every process has counted."""

import subprocess
import sys

import prometheus_client  # noqa: F401 (as in any running portal)
import pytest

from portal.core.metrics import enable_multiprocess

COUNT = """
import os, sys
from prometheus_client import Counter
Counter("scans", "Scans").inc()
"""
START = """
import subprocess, sys
from pathlib import Path
from django.conf import settings
from portal.core.metrics import enable_multiprocess
enable_multiprocess(Path(sys.argv[1]))
for _ in range(2):
    subprocess.run([sys.executable, "-c", sys.argv[2]], check=True)
settings.configure(METRICS_TOKEN="t" * 20)
from django.test import RequestFactory
from portal.core.metrics import metrics
request = RequestFactory().get("/metrics", headers={"authorization": "Bearer " + "t" * 20})
print(metrics(request).content.decode())
"""


def started(directory):
    finished = subprocess.run(
        [sys.executable, "-c", START, str(directory), COUNT], check=True, capture_output=True, text=True, timeout=60
    )
    return finished.stdout


def test_the_page_adds_up_what_all_processes_counted(tmp_path):
    assert "scans_total 2.0" in started(tmp_path / "metrics")
    assert "scans_total 2.0" in started(tmp_path / "metrics"), "a new start counts anew"


def test_it_is_too_late_once_metrics_are_kept_in_memory(tmp_path):
    with pytest.raises(RuntimeError, match="before Django"):
        enable_multiprocess(tmp_path)
