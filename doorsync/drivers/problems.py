"""The problems that more than one family of controllers has. Those of one family are in its own module `problems`."""

from django.utils.translation import gettext_lazy as _

from portal.core.problems import problem

NO_DRIVER = problem("driver.unknown", _("There is no driver %(driver)s."))

# Options. `why` is one of the reasons below, or of the family's own.
OPTION_UNFIT = problem("driver.option", _("The controller's option %(option)s does not fit: %(why)s."))
OPTIONS_UNFIT = problem("driver.options", _("The controller's options do not fit: %(why)s."))
MISSING = problem("driver.option.missing", _("it is needed"))
UNKNOWN_OPTION = problem("driver.option.unknown", _("the driver has no such option"))
TEXT_EXPECTED = problem("driver.option.text", _("it must be text"))
NUMBER_EXPECTED = problem("driver.option.number", _("it must be a number"))
WHOLE_NUMBER_EXPECTED = problem("driver.option.whole_number", _("it must be a whole number"))
YES_OR_NO_EXPECTED = problem("driver.option.yes_or_no", _("it must be yes or no"))
CHOICE_EXPECTED = problem("driver.option.choice", _("it must be %(choices)s"))
MORE_THAN = problem("driver.option.more_than", _("it must be more than %(limit)s"))
AT_LEAST = problem("driver.option.at_least", _("it must be at least %(limit)s"))
LESS_THAN = problem("driver.option.less_than", _("it must be less than %(limit)s"))
AT_MOST = problem("driver.option.at_most", _("it must be at most %(limit)s"))
TOO_SHORT = problem("driver.option.too_short", _("it must have at least %(n)d characters"))
TOO_LONG = problem("driver.option.too_long", _("it must have at most %(n)d characters"))
URL_EXPECTED = problem("driver.option.url", _("it must be an address that begins with http:// or https://"))
HTTPS_URL_EXPECTED = problem("driver.option.https_url", _("it must be an address that begins with https://"))
FINGERPRINT_EXPECTED = problem(
    "driver.option.fingerprint", _("it must be the SHA-256 fingerprint: 64 hexadecimal digits")
)

NOT_JSON = problem("driver.not_json", _("What answers is no controller of this family: its answer is no JSON."))

# What a family of controllers can't do.
LISTS_NOTHING = problem("driver.lists_nothing", _("The controller can't be asked what it holds."))
HOLDS_NO_CARDS = problem("driver.holds_no_cards", _("The controller holds no cards."))
HOLDS_NO_DOOR = problem("driver.holds_no_door", _("The controller can't hold a door unlocked."))
SETS_NO_CLOCK = problem("driver.sets_no_clock", _("The controller's clock can't be set from here."))

NO_SUCH_DOOR = problem("driver.no_such_door", _("The controller has no door %(door)d."))
DOOR_LOCKED = problem(
    "driver.door_locked",
    _("Door %(door)d is set to stay locked for everybody, at the controller. The portal leaves it so."),
)
