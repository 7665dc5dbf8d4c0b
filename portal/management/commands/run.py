"""`manage.py run`: web server and worker in one terminal, with the settings of the environment."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from portal.embedded.processes import Processes, StartError, free_port, start_web, start_worker


class Command(BaseCommand):
    help = _("Runs the web server and a worker until Ctrl-C, to try the portal; docker/ is for real sites.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *_args: Any, **options: Any) -> None:
        port: int = options["port"]
        if free_port(port) != port:
            raise CommandError(_("Port %(port)d is taken. Choose another one with --port.") % {"port": port})
        try:
            with Processes(settings.VAR_DIR / "logs", grace=20) as processes:
                start_web(processes, port, {}, workers=2)
                start_worker(processes, {})
                processes.wait_for("web", f"http://127.0.0.1:{port}/admin/login/")
                self.stdout.write(_("The portal is at http://127.0.0.1:%(port)d/ – Ctrl-C ends it.") % {"port": port})
                ended = processes.wait_for_the_first()
                raise CommandError(
                    _("The process %(name)s ended by itself: see its log in %(folder)s.")
                    % {"name": ended, "folder": settings.VAR_DIR / "logs"}
                )
        except StartError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write(_("Stopped."))
