"""What can be wrong with a sheet, a cell or a row, what a row changes, and what came of an import."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accessmap.models import CardStatus
from portal.core.problems import problem

AS_TEXT = problem("sheet.as_text", _("format the column as text and enter it again"))

# The file as a whole
TOO_LARGE = problem(
    "sheet.too_large",
    _("The file has more than %(n)d MiB. Split it into several and import one after the other."),
)
TOO_MANY_ROWS = problem(
    "sheet.too_many_rows",
    _("The file has more than %(n)d rows. Split it into several and import one after the other."),
)
TOO_MANY_COLUMNS = problem("sheet.too_many_columns", _("The file has more than %(n)d columns."))
FAR_ROWS = problem(
    "sheet.far_rows",
    _("There are empty rows far below the list. Delete them, or copy the list to a new file."),
)
EMPTY = problem("sheet.empty", _("The file is empty. Its first row must have the names of the columns."))
SAME_COLUMN_TWICE = problem("sheet.same_column_twice", _("Two columns are called “%(name)s”. Leave one of them out."))
NO_KEY_COLUMN = problem(
    "sheet.no_key_column",
    _("There is no column called “%(key)s”. The first row must name the columns: %(columns)s."),
)
UNKNOWN_FORMAT = problem(
    "sheet.unknown_format", _("This is no .csv and no .xlsx file. In the spreadsheet, save it as one of these.")
)
NOT_CSV = problem("sheet.not_csv", _("This can't be read as CSV (%(error)s). Export it again, or save it as .xlsx."))
NOT_UTF8 = problem(
    "sheet.not_utf8",
    _("Row %(row)d is not in UTF-8. In the spreadsheet, choose “Save as” → “CSV UTF-8”, or save as .xlsx."),
)
NOT_TEXT = problem("sheet.not_text", _("This is no text. In the spreadsheet, save it as “CSV UTF-8” or .xlsx."))
UNPACKS_TOO_LARGE = problem(
    "sheet.unpacks_too_large", _("The file unpacks to far more than a list of people would. Save it anew.")
)
NOT_XLSX = problem(
    "sheet.not_xlsx",
    _("This can't be read as .xlsx. Open it in the spreadsheet and save it anew; no password may protect it."),
)
DAMAGED_XLSX = problem("sheet.damaged_xlsx", _("This .xlsx is damaged. Open it in the spreadsheet and save it anew."))

# A cell that does not hold what was once entered
UNUSABLE = problem("cell.unusable", _("this cell %(problem)s"))
TOO_LONG = problem("cell.too_long", _("has more than %(n)d characters"))
UNPRINTABLE = problem("cell.unprintable", _("has characters that can't be shown"))
FORMULA = problem("cell.formula", _("holds a formula; copy the column and paste it as values"))
SPREADSHEET_ERROR = problem("cell.spreadsheet_error", _("holds an error of the spreadsheet's"))
YES_OR_NO = problem("cell.yes_or_no", _("holds yes or no, not text"))
DATE = problem("cell.date", _("was made a date by the spreadsheet; format the column as text and enter it again"))
FRACTION = problem("cell.fraction", _("holds a number with a fraction; format the column as text and enter it again"))
DIGITS_LOST = problem(
    "cell.digits_lost",
    _("holds a number of more than %(n)d digits, of which the spreadsheet has lost the last ones; %(hint)s"),
)

# A row that does not fit the map, or another row
NAMED_BEFORE = problem("row.named_before", _("row %(row)d names %(text)s already"))
CARD_NAMED_BEFORE = problem("row.card_named_before", _("row %(row)d names card %(card)s already"))
NAME_MISSING = problem("row.name_missing", _("somebody new needs a name"))
NO_EMAIL_ADDRESS = problem("row.no_email_address", _("“%(text)s” is no email address"))
CARD_TWICE = problem("row.card_twice", _("names a card twice"))
MASKED_CARD = problem(
    "row.masked_card", _("holds a masked card number; only an export with whole numbers can be imported again")
)
SHORTENED = problem("row.shortened", _("“%(text)s” was shortened by the spreadsheet; %(hint)s"))
FRACTION_NUMBER = problem("row.fraction", _("“%(text)s” is a number with a fraction; %(hint)s"))
NO_CARD_NUMBER = problem(
    "row.no_card_number",
    _("“%(text)s” is no card number: digits, letters and hyphens, then perhaps (lost) or (returned)"),
)
OTHER_ZEROS = problem("row.other_zeros", _("card %(card)s is known with other zeros before it; %(hint)s"))
ZEROS_LOST = problem(
    "row.zeros_lost", _("card %(card)s is in a number cell, which may have lost zeros before it; %(hint)s")
)
NO_CARD_STATUS = problem("row.no_card_status", _("“%(status)s” is no status of a card; there are: %(known)s"))
NO_LEVEL = problem("row.no_level", _("there is no access level “%(name)s”; there are: %(known)s"))
CARDS_OF_SEVERAL = problem("row.cards_of_several", _("there is no email, and the cards are held by different people"))
HOLDER_HAS_EMAIL = problem("row.holder_has_email", _("there is no email, but the card's holder, %(name)s, has one"))
NOBODY_NAMED = problem("row.nobody_named", _("there is no email and no card, so the row names nobody"))
CARD_OF_ANOTHER = problem(
    "row.card_of_another",
    _("card %(card)s is held by %(name)s; a sheet moves no card from one person to another"),
)
VALUE_MISSING = problem("row.value_missing", _("a new resource needs one"))
ID_MISSING = problem("row.id_missing", _("there is none; it is the resource's id in Offision"))
NO_SITE = problem("row.no_site", _("there is no site “%(name)s”; there are: %(known)s"))
NO_POLICY = problem("row.no_policy", _("there is no access policy “%(name)s”; there are: %(known)s"))
NO_DOOR = problem("row.no_door", _("there is no door “%(name)s”"))
SEVERAL_DOORS = problem("row.several_doors", _("several doors are called “%(name)s”; write controller / door"))

# What a row changes
CARD_STATUS = {status: problem(f"card_status.{status.value}", status.label) for status in CardStatus}
CREATED = problem("change.created", _("new: %(name)s"))
RENAMED = problem("change.renamed", _("name: %(before)s → %(after)s"))
CARD_ADDED = problem("change.card_added", _("card %(card)s added, %(status)s"))
CARD_CHANGED = problem("change.card_changed", _("card %(card)s: %(before)s → %(after)s"))
LEVEL_JOINED = problem("change.level_joined", _("joins %(level)s"))
LEVEL_LEFT = problem("change.level_left", _("leaves %(level)s"))
SITE_CHANGED = problem("change.site", _("site: %(before)s → %(after)s"))
POLICY_CHANGED = problem("change.policy", _("access policy: %(before)s → %(after)s"))
DOOR_ADDED = problem("change.door_added", _("door %(door)s added"))
DOOR_REMOVED = problem("change.door_removed", _("door %(door)s no longer leads here"))

# What came of an import
NOT_WAITING = problem("import.not_waiting", _("This import is not waiting for a decision any more."))
UNUSED_COLUMNS = problem(
    "import.unused_columns",
    ngettext_lazy("One column is not used: %(names)s.", "Some columns are not used: %(names)s.", "n"),
    params=["names", "n"],
)
MAP_HAS_CHANGED = problem(
    "import.map_has_changed", _("The map has changed since this sheet was checked: nothing was imported.")
)
TAKEN_BACK = problem(
    "import.taken_back",
    ngettext_lazy("%(n)d change was taken back.", "%(n)d changes were taken back.", "n"),
    params=["n"],
)
MORE_LEFT = problem("import.more_left", _("… and %(n)d more stay as they are."))
CONFLICT = problem(
    "import.conflict",
    _("Somebody changed the same people or resources at the same moment, so nothing was changed. Try again."),
)
FAILED = problem(
    "import.failed",
    _("The portal itself failed (%(error)s), so nothing was changed; its log has the details."),
)
