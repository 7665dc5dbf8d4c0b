"""`manage.py offision`: check a contract, draft one, keep the subscription."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from portal.core import clock
from portal.offision.check import as_text, check_contract
from portal.offision.contract import Contract
from portal.offision.default import client_for, client_from_settings
from portal.offision.drafting.contract import draft_contract
from portal.offision.drafting.openapi import Document
from portal.offision.errors import OffisionError
from portal.offision.subscription import ensure_subscribed, is_same_url, mask_url


class Command(BaseCommand):
    """Requests to the Offision server of the settings. Needs no database."""

    help = _("Check or draft the Offision contract; subscribe to changes, list and end subscriptions.")
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One subcommand each."""
        subcommands = parser.add_subparsers(dest="subcommand", required=True)

        check = subcommands.add_parser("check", help=_("check a contract against the server and show what it reads"))
        check.add_argument("--contract", type=Path, help=_("a contract file, instead of OFFISION_CONTRACT"))
        check.add_argument("--resource", help=_("the id of a resource with bookings around today"))
        check.add_argument("--code", help=_("a registration code; looking it up may check the visitor in"))

        draft = subcommands.add_parser("draft-contract", help=_("draft a contract from an OpenAPI document"))
        draft.add_argument("document", type=Path, help=_("OpenAPI 3 or Swagger 2, JSON or YAML"))
        draft.add_argument("-o", "--output", type=Path, help=_("the file to write; it must not exist"))

        subscribe = subcommands.add_parser("subscribe", help=_("make Offision call this portal about changes"))
        subscribe.add_argument("--resource", action="append", default=[], help=_("a resource's id; may be repeated"))

        subcommands.add_parser("subscription", help=_("list the subscriptions"))

        unsubscribe = subcommands.add_parser("unsubscribe", help=_("end a subscription"))
        unsubscribe.add_argument("id", nargs="?", help=_("its id; without one, all to this portal's address"))

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one subcommand. Exits with 1, after a sentence, where it failed."""
        try:
            getattr(self, f"_{options['subcommand'].replace('-', '_')}")(options)
        except OffisionError as error:
            raise CommandError(str(error)) from error

    def _check(self, options: dict[str, Any]) -> None:
        contract: Path | None = options["contract"]
        client = client_for(Contract.load(contract)) if contract else client_from_settings()
        today = clock.now().astimezone(client.time_zone).date()
        sections = check_contract(client, resource_id=options["resource"], code=options["code"], today=today)
        *lines, verdict = as_text(sections)
        for line in lines:
            self.stdout.write(line)
        if any(section.misfits for section in sections):
            raise CommandError(verdict)
        self.stdout.write(verdict)

    def _draft_contract(self, options: dict[str, Any]) -> None:
        document: Path = options["document"]
        text = draft_contract(Document.load(document), source=document.name)
        output: Path | None = options["output"]
        if output is None:
            self.stdout.write(text, ending="")
            return
        try:
            with output.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise CommandError(
                _("%(path)s cannot be written: %(why)s. Name another file with -o.")
                % {"path": output, "why": error.strerror}
            ) from error
        self.stdout.write(
            _("Written: %(path)s. Answer its questions, then run: manage.py offision check --contract %(path)s")
            % {"path": output}
        )

    def _subscribe(self, options: dict[str, Any]) -> None:
        client, resources = client_from_settings(), options["resource"]
        per_resource = client.contract.subscription.scope == "per_resource"
        if per_resource and not resources:
            raise CommandError(_("This contract subscribes one resource at a time. Name them with --resource ID."))
        if resources and not per_resource:
            raise CommandError(_("This contract subscribes to all resources at once. Leave --resource out."))
        url = callback_url()
        done = ensure_subscribed(client, url, resources, clock.now())
        for line in [str(one) for one in done] or [_("The subscription is in order. Nothing was changed.")]:
            self.stdout.write(line)
        self.stdout.write(_("Offision calls %(url)s") % {"url": mask_url(url)})

    def _subscription(self, options: dict[str, Any]) -> None:
        subscriptions = client_from_settings().subscriptions()
        for one in subscriptions:
            until = one.expires_at.isoformat() if one.expires_at else _("no end")
            owner = _("this portal") if is_same_url(one.callback_url, callback_url()) else _("another")
            resource = one.resource_id or _("all resources")
            self.stdout.write(f"{one.id}  {resource}  {until}  {mask_url(one.callback_url)}  ({owner})")
        if not subscriptions:
            self.stdout.write(_("There is no subscription. Make one with: manage.py offision subscribe"))

    def _unsubscribe(self, options: dict[str, Any]) -> None:
        client = client_from_settings()
        ids = [options["id"]]
        if options["id"] is None:
            ids = [one.id for one in client.subscriptions() if is_same_url(one.callback_url, callback_url())]
        for subscription_id in ids:
            client.unsubscribe(subscription_id)
            self.stdout.write(_("Ended subscription %(id)s.") % {"id": subscription_id})
        if not ids:
            self.stdout.write(_("There is no subscription to this portal's address. Nothing was changed."))


def callback_url() -> str:
    """The address that Offision calls. It holds a secret: mask it before showing it."""
    return f"{settings.PORTAL_PUBLIC_URL}/api/offision/callbacks/{settings.CALLBACK_SECRETS[0]}/"
