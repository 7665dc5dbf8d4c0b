"""The portal's settings in tests: everything of their own, whatever the environment or a `.env` file says.

Processes that tests start have portal.settings.
"""

import os
from pathlib import Path

VAR_DIR = Path(__file__).resolve().parents[1] / "var" / "tests"

os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
os.environ["PORTAL_DEMO"] = "1"
os.environ["PORTAL_VAR"] = str(VAR_DIR)
os.environ["REDIS_URL"] = ""
if "PYTEST_XDIST_WORKER" not in os.environ:  # a worker shares the server of the process that started it
    os.environ["DATABASE_URL"] = ""

from portal.embedded.start import provide_services

provide_services()

import psycopg

# Nobody misses this database after a power cut.
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    for name in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
        connection.execute(f"ALTER SYSTEM SET {name} = off")
    connection.execute("SELECT pg_reload_conf()")

from portal.settings import *

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
