"""The environment of one run of the demo: a new folder, a new database, made-up secrets.

manage.py calls `prepare` before Django reads its settings. A real installation on the same machine stays untouched, its
database and its broker, whatever the environment or a `.env` file says.
"""

import atexit
import os
import secrets
import shutil
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

import psutil

PREFIX = "demo-"
_VAR = Path(__file__).resolve().parents[2] / "var"


def prepare(environment: MutableMapping[str, str]) -> None:
    """Set the environment for a demo in a new folder under var/. The folder is deleted when this process ends."""
    _sweep(_VAR)
    _VAR.mkdir(exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=_VAR))
    place.chmod(0o755)  # if root runs the demo, PostgreSQL runs as another user
    environment.update(
        PORTAL_DEMO="1",
        PORTAL_DEBUG="0",
        PORTAL_VAR=str(place),
        # Empty, not absent: a .env file sets absent variables.
        DATABASE_URL="",
        # Workers of an installation would read from its own broker.
        REDIS_URL=environment.get("DEMO_REDIS_URL", ""),
        OFFISION_CONTRACT=str(Path(__file__).resolve().parents[1] / "offision" / "contract.toml"),
        OFFISION_CALLBACK_SIGNING_KEY="",
        PORTAL_SECRET_KEY=secrets.token_urlsafe(40),
        OFFISION_TOKEN=secrets.token_urlsafe(24),
        OFFISION_CALLBACK_SECRET=secrets.token_urlsafe(24),
    )
    atexit.register(_clean_up, place, os.getpid())


def _clean_up(place: Path, owner: int) -> None:
    if os.getpid() != owner:
        return  # this is a forked child
    from portal.embedded import postgres

    postgres.stop_all()
    shutil.rmtree(place, ignore_errors=True)


def _sweep(var: Path) -> None:
    """Delete the folders of demos that were killed before they could."""
    for place in var.glob(f"{PREFIX}*-*"):
        owner = place.name.split("-")[1]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(place, ignore_errors=True)
