"""What an entry point does before Django reads its settings: it starts the database that the environment does not name.

Entry points are manage.py and the settings of the tests. Processes that they start inherit DATABASE_URL. A web server
or worker that is started without them needs DATABASE_URL in its environment; portal.checks says so.
"""

import os

from portal.embedded import postgres
from portal.environment import VAR_DIR


def provide_services() -> None:
    """Start PostgreSQL from its wheel where DATABASE_URL is not set, and set it. Raises EmbeddedServerError."""
    if not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = postgres.database_url(VAR_DIR / "postgres")
