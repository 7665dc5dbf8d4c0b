"""Run one pretend service in a process of its own.

    python -m portal.sandbox.serve offision --building FILE --today YYYY-MM-DD --token-env VAR --port 0
    python -m portal.sandbox.serve controllers --building FILE --port 0

It prints one JSON line {"port": n} once it listens on 127.0.0.1, and ends on SIGTERM, on SIGINT, or when its
standard input ends: so it never outlives the process that started it, however that one died.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from datetime import date
from pathlib import Path
from typing import NoReturn

from django.conf import settings

from portal.buildings.model import Building
from portal.buildings.reading import BuildingError, load_building
from portal.sandbox.controllers_server import ControllersServer
from portal.sandbox.offision_server import OffisionServer
from portal.sandbox.webserver import LocalServer
from portal.sandbox.wire import JsonService


def main(arguments: list[str] | None = None) -> None:
    """Serve until told to stop. Exits with 2 and a sentence for arguments that cannot be used."""
    # The sentences about building files go through gettext, which asks Django's settings whether to
    # translate. These processes have no settings, no database and no reader but a developer.
    settings.configure(USE_I18N=False)
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        server = LocalServer(_service(parser, options, load_building(options.building)), options.port)
    except (BuildingError, OSError, OverflowError) as error:
        parser.exit(2, f"{error}\n")
    # Before the port is told, or a signal that comes at once would find nobody.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    threading.Thread(target=_stop_at_end_of_input, name="stdin", daemon=True).start()
    print(json.dumps({"port": server.server_port}), flush=True)  # noqa: T201 (the parent reads it)
    with server:
        server.serve_forever()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m portal.sandbox.serve")
    services = parser.add_subparsers(dest="service", required=True)
    offision = services.add_parser("offision", help="the pretend Offision")
    controllers = services.add_parser("controllers", help="the building's pretend controllers")
    for each in (offision, controllers):
        each.add_argument("--building", type=Path, required=True, help="the building file")
        each.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    offision.add_argument("--today", type=date.fromisoformat, required=True, help='the date of "+0d"')
    offision.add_argument("--token-env", required=True, help="the environment variable with the access token")
    return parser


def _service(parser: argparse.ArgumentParser, options: argparse.Namespace, building: Building) -> JsonService:
    if options.service == "controllers":
        return ControllersServer(building)
    token = os.environ.get(options.token_env, "")
    if not token:
        parser.error(f"the environment variable {options.token_env} holds no token")
    return OffisionServer(building, options.today, token)


def _stop(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


def _stop_at_end_of_input() -> None:
    # Straight from the descriptor: a thread inside sys.stdin's own lock would abort the interpreter's exit.
    with contextlib.suppress(OSError):  # closed from the beginning is an end, too
        while os.read(0, 65_536):
            pass
    os.kill(os.getpid(), signal.SIGTERM)  # wakes the main thread at once, where shutdown() would wait


if __name__ == "__main__":
    main()
