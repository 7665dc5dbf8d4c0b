"""Who writes: what the triggers of audited models put into an entry as its actor.

It rides on pghistory's context, which goes into the database with each writing statement and costs nothing elsewhere.
Without one it is the process ("portal", or "manage.py" and its command), and for somebody at the database's own prompt
"database:" and their role.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pghistory
from django.db import connection

PORTAL = "portal"
_CONTEXT = "NULLIF(current_setting('pghistory.context_metadata', true), '')::jsonb"
_USER = f"(SELECT username FROM auth_user WHERE id = ({_CONTEXT} ->> 'user')::bigint)"  # noqa: S608 (a constant)
_PROCESS = "NULLIF(current_setting('portal.process', true), '')"
ACTOR_SQL = f"COALESCE({_CONTEXT} ->> 'actor', {_USER}, {_PROCESS}, 'database:' || session_user)"
# Commands that only start the portal's own processes.
_OWN_COMMANDS = {"run", "demo", "runserver", "bench"}


@contextmanager
def acting_as(actor: str) -> Iterator[None]:
    """Have what is written within be recorded as written by `actor`. Inside another one, until this one ends."""
    with pghistory.context() as context:
        outer = dict(context.metadata)
        context.metadata["actor"] = actor
        try:
            yield
        finally:
            context.metadata.pop("actor")
            context.metadata.update(outer)
    if connection.in_atomic_block and not connection.needs_rollback:
        # The settings last as long as the transaction. An outer context sets them again with its next statement.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('pghistory.context_id', '', true),"
                " set_config('pghistory.context_metadata', '', true)"
            )


def process_name(arguments: list[str]) -> str:
    """The actor of a process that nobody has signed in to, by its command line."""
    script, command = (*arguments, "", "")[:2]
    is_foreign = Path(script).name == "manage.py" and command not in _OWN_COMMANDS
    return f"manage.py {command}".strip() if is_foreign else PORTAL


def name_process(connection: Any, **_kwargs: object) -> None:
    """Tell a new database session whose it is. A receiver of connection_created."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('portal.process', %s, false)", [process_name(sys.argv)])
