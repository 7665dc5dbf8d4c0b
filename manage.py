#!/usr/bin/env python
"""Django's command line for the Offision Access Portal."""

import os
import sys

# Each runs on a database, a broker and secrets of its own.
SANDBOX_COMMANDS = {"demo", "bench", "screenshots"}
# They read the code only: an image is built, and messages are collected, where there is no database.
WITHOUT_DATABASE = {"collectstatic", "compilemessages", "help", "makemessages", "version"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    if command in SANDBOX_COMMANDS:
        try:
            from portal.sandbox.surroundings import prepare
        except ModuleNotFoundError as error:
            sys.exit(f"This installation cannot run {command}: {error.name} is missing. `make demo` installs it.")
        prepare(os.environ)

    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from portal.embedded.start import provide_services

    try:
        if command not in WITHOUT_DATABASE:
            provide_services()
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"The portal does not start: {error}")


if __name__ == "__main__":
    main()
