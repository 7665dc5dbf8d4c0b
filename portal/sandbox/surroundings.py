"""A place of its own for each run of the demo: a fresh folder, a fresh database, made-up secrets.

Called before Django's settings are read, so that nothing of a real installation on the same machine is touched: neither
its database nor its broker, whatever the environment or a `.env` file says.
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
    """Set the environment up for a demo of its own, in a new folder under var/ that goes when the process does."""
    _sweep(_VAR)
    _VAR.mkdir(exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=_VAR))
    place.chmod(0o755)  # PostgreSQL runs as a user of its own where the demo is run by root
    environment.update(
        PORTAL_DEMO="1",
        PORTAL_DEBUG="0",
        PORTAL_VAR=str(place),
        # Empty, not absent: a .env file fills in what is absent.
        DATABASE_URL="",
        # An installation's own broker would have an installation's own workers.
        REDIS_URL=environment.get("DEMO_REDIS_URL", ""),
        OFFISION_CONTRACT=str(Path(__file__).resolve().parents[1] / "offision" / "contract.toml"),
        OFFISION_CALLBACK_SIGNING_KEY="",
        PORTAL_SECRET_KEY=secrets.token_urlsafe(40),
        OFFISION_TOKEN=secrets.token_urlsafe(24),
        OFFISION_CALLBACK_SECRET=secrets.token_urlsafe(24),
    )
    atexit.register(_leave, place, os.getpid())


def _leave(place: Path, owner: int) -> None:
    if os.getpid() != owner:
        return  # a forked child is not the one who made it
    from portal.embedded import postgres

    postgres.stop_all()
    shutil.rmtree(place, ignore_errors=True)


def _sweep(var: Path) -> None:
    """Take away what demos left behind that were killed before they could."""
    for place in var.glob(f"{PREFIX}*-*"):
        owner = place.name.split("-")[1]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(place, ignore_errors=True)
