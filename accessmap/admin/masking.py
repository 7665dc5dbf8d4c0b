"""Card numbers in the admin: whole for those who keep cards, masked for everybody else."""

from typing import Any

from django.http import HttpRequest


def keeps_cards(request: HttpRequest) -> bool:
    """Whether whole numbers are this person's work."""
    return request.user.has_perm("accessmap.change_card")


def may_have_numbers_shown(request: HttpRequest) -> bool:
    """Whether this person may have one number shown, which the audit log notes."""
    return request.user.has_perm("accessmap.view_card_number")


class NumberHidden:
    """For lists of rows with a card's number: no filter in the address finds it out digit by digit."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        if "number" in lookup.split("__"):
            return False
        return bool(super().lookup_allowed(lookup, value, request))  # type: ignore[misc]
