"""The metrics page counts what every process has counted."""

import os
import re
import subprocess
import sys
from pathlib import Path

from portal.embedded import processes

COUNT = """
from prometheus_client import Counter
Counter("scans", "Scans").inc()
"""
READ = """
from django.conf import settings
settings.configure(METRICS_TOKEN="t" * 20)
from django.test import RequestFactory
from portal.core.metrics import metrics
request = RequestFactory().get("/metrics", headers={"authorization": "Bearer " + "t" * 20})
print(metrics(request).content.decode())
"""


class Started:
    """Stands for Processes: runs Python code in the environment that the web server gets."""

    def start(self, name, arguments, environment):
        self.environment = environment

    def run(self, code):
        command = [sys.executable, "-c", code]
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout


def test_the_page_adds_up_what_all_workers_counted(settings, tmp_path):
    settings.VAR_DIR, settings.STATIC_ROOT = tmp_path, tmp_path / "static"
    web = Started()
    for _start in range(2):
        processes.start_web(web, 8000, {}, workers=2)
        web.run(COUNT)
        web.run(COUNT)
        assert "scans_total 2.0" in web.run(READ), "a new start counts anew"


def test_the_image_keeps_metrics_where_every_container_can_write(settings):
    docker = Path(settings.BASE_DIR) / "docker"
    folder = re.search(r"PROMETHEUS_MULTIPROC_DIR=(\S+)", (docker / "Dockerfile").read_text()).group(1)
    assert f"tmpfs: [{folder}]" in (docker / "compose.yaml").read_text()
