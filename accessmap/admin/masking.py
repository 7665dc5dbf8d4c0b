"""Card numbers in the admin: whole for those who may change cards, masked for others."""

from typing import Any

from django.http import HttpRequest


def keeps_cards(request: HttpRequest) -> bool:
    """Whether this person maintains cards, and so sees whole numbers."""
    return request.user.has_perm("accessmap.change_card")


def may_have_numbers_shown(request: HttpRequest) -> bool:
    """Whether this person may see one whole number at a time, which the audit log notes."""
    return request.user.has_perm("accessmap.view_card_number")


class NumberHidden:
    """For changelists of rows with a card number: no filter in the URL finds it out digit by digit."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        if "number" in lookup.split("__"):
            return False
        return bool(super().lookup_allowed(lookup, value, request))  # type: ignore[misc]
