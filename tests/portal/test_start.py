"""Starting: what is refused, and what is said. Each in a process of its own, as an installer meets it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

ROOT = Path(__file__).parents[2]
GOOD = {
    "PORTAL_DEMO": "0",
    "PORTAL_SECRET_KEY": "k" * 40,
    "OFFISION_CALLBACK_SECRET": "c" * 40,
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
}


def manage(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"PORTAL_SECRET_KEY": ""}, "PORTAL_SECRET_KEY is not set"),
        ({"OFFISION_CALLBACK_SECRET": ""}, "OFFISION_CALLBACK_SECRET is not set"),
        ({"OFFISION_CALLBACK_SECRET": "short"}, "needs at least 20"),
        ({"PORTAL_SECRET_KEY": "change-me-change-me-change-me"}, "still has an example value"),
        ({"SITE_TIME_ZONE": "Hong Kong"}, "no IANA time zone"),
        ({"OFFISION_URL": "https://offision.example"}, "OFFISION_TOKEN is not set"),
    ],
)
def test_a_portal_without_its_secrets_does_not_start_and_says_which(change, sentence):
    result = manage("check", **{**GOOD, **change})
    assert result.returncode != 0
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert "short" not in result.stderr.split("has")[0]


def test_a_portal_with_its_secrets_starts_and_no_longer_has_the_made_up_ones():
    result = manage("check", **GOOD)
    assert result.returncode == 0, result.stderr


KEEP_ONE = """
import sys
from pathlib import Path
from portal import embedded
print(embedded.database_url(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def start_keeper(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", KEEP_ONE, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, process.stdout.readline().strip()


def test_the_wheels_database_is_shared_and_goes_with_the_last_of_those_who_use_it(tmp_path):
    tmp_path.chmod(0o755)
    folder = tmp_path / "data"
    first, url = start_keeper(folder)
    second, same = start_keeper(folder)
    assert url == same
    pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
    server = psutil.Process(pid)
    first.send_signal(signal.SIGKILL)  # it has no time to say goodbye
    first.wait()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    second.stdin.close()
    second.wait()
    server.wait(30)
    assert not (folder / "postmaster.pid").exists()
