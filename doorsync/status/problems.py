"""What the status pages say of doors that are not in order."""

from django.utils.translation import gettext_lazy as _

from portal.core.problems import problem

CARD_STILL_PRESENT = problem("door.card_still_present", _("A card that should be gone is still there."))
CARDS_WAIT_FOR_APPROVAL = problem(
    "door.cards_wait_for_approval", _("Cards keep this door until somebody approves that they lose it.")
)
