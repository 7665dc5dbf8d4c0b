"""The environment that settings and entry points read: variables, and a `.env` file beside manage.py if there is one.

A variable that the environment sets, even to nothing, wins over the file.
"""

from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# Where the portal keeps files: embedded PostgreSQL, the file broker, collected static files, logs.
VAR_DIR = Path(env.str("PORTAL_VAR", default=str(BASE_DIR / "var"))).resolve()
