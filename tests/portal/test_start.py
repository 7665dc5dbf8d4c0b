"""Starting: what is refused, and with which words. Each in a process of its own, as an installer meets it."""

import json
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


def python(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_wrong_setting_is_named_at_once_and_no_secret_is_shown():
    wrong = {
        "PORTAL_SECRET_KEY": "",
        "OFFISION_CALLBACK_SECRET": "sesame",
        "SITE_TIME_ZONE": "Hong Kong",
        "OFFISION_URL": "https://offision.example",
        "WORKER_THREADS": "many",
        "EMAIL_URL": "mail.example",
    }
    result = python("manage.py", "check", **{**GOOD, **wrong})
    assert result.returncode != 0
    for number in (1, 2, 3, 4, 6, 6):
        assert f"portal.E00{number}" in result.stderr
    assert "PORTAL_SECRET_KEY is not set" in result.stderr
    assert "WORKER_THREADS is 'many'" in result.stderr
    assert "EMAIL_URL is no address" in result.stderr
    assert "Traceback" not in result.stderr
    assert "sesame" not in result.stderr


CELERY = ("-m", "celery", "-A", "portal")


@pytest.mark.parametrize(
    "program",
    [
        ("manage.py", "migrate"),
        ("-c", "import portal.wsgi"),
        (*CELERY, "worker"),
        (*CELERY, "beat"),
    ],
    ids=lambda program: program[-1],
)
def test_neither_web_server_nor_worker_starts_with_a_wrong_setting(program, tmp_path):
    result = python(*program, **{**GOOD, "OFFISION_CALLBACK_SECRET": "change-me", "PORTAL_VAR": str(tmp_path)})
    assert result.returncode != 0
    assert "OFFISION_CALLBACK_SECRET still has an example value" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_worker_without_a_database_says_what_to_set(tmp_path):
    result = python(*CELERY, "worker", **{**GOOD, "DATABASE_URL": "", "PORTAL_VAR": str(tmp_path)})
    assert result.returncode != 0
    assert "DATABASE_URL is not set" in result.stderr


def test_the_web_server_does_not_start_with_a_contract_that_cannot_be_read(tmp_path):
    result = python("-c", "import portal.wsgi", **GOOD, OFFISION_CONTRACT=str(tmp_path / "none.toml"))
    assert result.returncode != 0
    assert "none.toml" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_portal_with_its_secrets_starts():
    result = python("-c", "import portal.wsgi", **GOOD)
    assert result.returncode == 0, result.stderr


WHAT_IS_LEFT = """
import json, logging, sys
sys.argv = ["manage.py", "demo"]  # nothing depends on it
import portal.settings
import psutil
children = [child.cmdline() for child in psutil.Process().children(recursive=True)]
print(json.dumps({"children": children, "handlers": len(logging.getLogger().handlers)}))
"""


def test_reading_the_settings_starts_nothing_and_writes_nothing(tmp_path):
    folder = tmp_path / "var"
    result = python("-c", WHAT_IS_LEFT, **{**GOOD, "DATABASE_URL": "", "PORTAL_VAR": str(folder)})
    assert json.loads(result.stdout) == {"children": [], "handlers": 0}, result.stderr
    assert not folder.exists()


KEEP_ONE = """
import sys
from pathlib import Path
from portal.embedded import postgres
print(postgres.database_url(Path(sys.argv[1])), flush=True)
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
