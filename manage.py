#!/usr/bin/env python
"""Django's command line for the Offision Access Portal."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if sys.argv[1:2] in (["demo"], ["bench"], ["screenshots"]):
        # Before the settings are read: the demo has a database, secrets and a place of its own.
        from portal.sandbox.surroundings import prepare

        prepare(os.environ)
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"The portal does not start: {error}")


if __name__ == "__main__":
    main()
