"""Run one pretend service in a process of its own.

    python -m portal.sandbox.serve offision --building FILE --today YYYY-MM-DD --token-env VAR --port 0
    python -m portal.sandbox.serve controllers --building FILE --port 0

It prints one JSON line {"port": n} as soon as it listens on 127.0.0.1. It ends on SIGTERM, on SIGINT and when its
standard input closes, so it never outlives the process that started it.
"""

import argparse
import json
import os
import signal
import sys
from datetime import date
from pathlib import Path
from typing import NoReturn

from django.conf import settings

from portal.buildings.model import Building
from portal.buildings.reading import BuildingError, load_building
from portal.embedded.leashed import end_with_parent
from portal.sandbox.controllers_server import ControllersServer
from portal.sandbox.offision_server import OffisionServer
from portal.sandbox.webserver import LocalServer
from portal.sandbox.wire import JsonService


def main(arguments: list[str] | None = None) -> None:
    """Serve until a signal. Exits with 2 and a sentence for arguments that cannot be used."""
    # The sentences about building files go through gettext, which needs Django settings. These processes have none.
    settings.configure(USE_I18N=False)
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        server = LocalServer(_service(parser, options, load_building(options.building)), options.port)
    except (BuildingError, OSError, OverflowError) as error:
        parser.exit(2, f"{error}\n")
    # Before the port is printed: a signal may follow at once.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    end_with_parent()
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


if __name__ == "__main__":
    main()
