"""Why Offision did not do what was asked, and what is wrong with a record, a contract or a setting."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from portal.core.problems import problem

# No usable answer now.
NO_ANSWER = problem("offision.no_answer", _("Offision at %(host)s did not answer: %(why)s"))
SERVER_ERROR = problem(
    "offision.server_error", _("Offision at %(host)s answered with HTTP %(status)d. Try again later.")
)

# A clear no.
TOKEN_REFUSED = problem(
    "offision.token_refused",
    _(
        "Offision at %(host)s refused the access token (HTTP %(status)d). Check OFFISION_TOKEN against Management "
        "console -> Settings -> API authentication."
    ),
)
REFUSED = problem(
    "offision.refused",
    _("Offision at %(host)s answered %(operation)s with HTTP %(status)d. Check the request in the contract."),
)
REFUSED_SAYING = problem(
    "offision.refused_saying", _("Offision at %(host)s answered %(operation)s with HTTP %(status)d: %(words)s")
)
SAID_NO = problem("offision.said_no", _("Offision at %(host)s said no to %(operation)s, without a reason."))
NOT_FOUND = problem("offision.not_found", _("Offision at %(host)s does not know what %(operation)s asked for."))
TOO_LARGE = problem(
    "offision.too_large",
    _("Offision at %(host)s sent more than %(most)d bytes in one answer. The rest was not read, and nothing is used."),
)
TOO_MANY_PAGES = problem(
    "offision.too_many_pages",
    _("Offision at %(host)s answered %(operation)s with more than %(most)d pages. None of them is used."),
)
OPERATION_ABSENT = problem(
    "offision.operation_absent",
    _("The contract has no operation %(operation)s, so the portal cannot do this. Add it to the contract."),
)
NEEDS_RESOURCE = problem(
    "offision.needs_resource", _("The contract does %(operation)s for one resource at a time, and none was given.")
)

# An answer that the contract does not fit.
MISFIT = problem(
    "offision.misfit", _("Offision's answer to %(operation)s does not fit the contract. %(why)s Check the contract.")
)
NO_RECORD = problem("offision.no_record", _("There is nothing where the contract's record points."))
NO_RECORDS = problem("offision.no_records", _("There is no list where the contract's records points."))
BAD_PAGE_TOKEN = problem("offision.bad_page_token", _("The token of the next page cannot be used."))
NO_PAGE_COUNT = problem("offision.no_page_count", _("The number of pages, or of records, is missing."))
PAGES_MISSING = problem("offision.pages_missing", _("The pages end before all records have come."))
EMPTY = problem("offision.empty", _("The answer is empty."))
NOT_JSON = problem("offision.not_json", _("It is not JSON (a web page, perhaps)."))

# A record that cannot be read.
NOT_AN_OBJECT = problem("offision.record.not_an_object", _("The record is not an object with fields."))
FIELD_MISSING = problem("offision.record.field_missing", _("The field %(field)s is missing."))
NOT_ONE_VALUE = problem("offision.record.not_one_value", _("The field %(field)s is not one single value."))
BAD_ID = problem("offision.record.bad_id", _("The field %(field)s is no usable id."))
BAD_TIME = problem(
    "offision.record.bad_time",
    _("The field %(field)s holds %(value)s, which is no time in the format %(format)s."),
)
BAD_EMAILS = problem("offision.record.bad_emails", _("The field %(field)s is not a list of emails."))
OTHER_RESOURCE = problem(
    "offision.record.other_resource",
    _("The booking is of resource %(named)s, but the bookings of %(asked)s were asked for."),
)
OTHER_CODE = problem(
    "offision.record.other_code", _("The answer is about another registration code than the one asked for.")
)
ENDS_BEFORE_START = problem(
    "offision.record.ends_before_start",
    _("The booking does not end after it starts: from %(start)s until %(end)s."),
)
ODD_YEAR = problem("offision.record.odd_year", _("The booking is in the year %(year)d, which must be a mistake."))
TOO_MANY_DAYS = problem(
    "offision.record.too_many_days", _("The booking lasts %(days)d days; more than %(most)d must be a mistake.")
)
TOO_MANY_ATTENDEES = problem(
    "offision.record.too_many_attendees",
    _("The booking has %(count)d attendees; more than %(most)d must be a mistake."),
)
SAME_ID = problem(
    "offision.record.same_id",
    _(
        "Another booking has the same id and other times, and is used instead. If this is a series whose meetings "
        "share an id, make the contract's id differ, as in join('@', [id, startTime])."
    ),
)

# The subscription.
SUBSCRIBED = problem("offision.subscribed", _("Subscribed to resource %(resource)s: subscription %(id)s."))
SUBSCRIBED_TO_ALL = problem("offision.subscribed_to_all", _("Subscribed to all resources: subscription %(id)s."))
UNSUBSCRIBED = problem("offision.unsubscribed", _("Ended subscription %(id)s, which was about to expire."))
LEFT_TO_EXPIRE = problem(
    "offision.left_to_expire", _("Subscription %(id)s expires by itself: the contract cannot delete it.")
)

# Settings.
BAD_URL = problem(
    "offision.bad_url",
    _("OFFISION_URL must be the server's address, such as https://offision.example.com, and no more."),
)
PLAIN_URL = problem(
    "offision.plain_url",
    _("OFFISION_URL must start with https://, or the access token would cross the network in the open."),
)
BAD_TOKEN = problem(
    "offision.bad_token",
    _("OFFISION_TOKEN must be the access token from Management console -> Settings -> API authentication."),
)
NO_SIGNING_KEY = problem(
    "offision.no_signing_key",
    _(
        "The contract says that callbacks are signed, and OFFISION_CALLBACK_SIGNING_KEY is not set: every call would "
        "be refused. Set the key that Offision signs with."
    ),
)

# The contract file, and the document that one is drafted from.
UNREADABLE_CONTRACT = problem("offision.contract.unreadable", _("The contract %(path)s cannot be read: %(why)s."))
LARGE_CONTRACT = problem("offision.contract.large", _("%(path)s is too large to be a contract."))
NOT_UTF8 = problem("offision.contract.not_utf8", _("The contract %(path)s is not UTF-8 text."))
NOT_TOML = problem("offision.contract.not_toml", _("The contract %(name)s is not TOML: %(why)s."))
UNUSABLE = problem("offision.contract.unusable", _("The contract %(name)s cannot be used: %(why)s."))
AND = problem("offision.contract.and", _("%(one)s; %(more)s"))
KEY_MISSING = problem("offision.contract.key_missing", _("%(key)s is missing"))
KEY_UNKNOWN = problem("offision.contract.key_unknown", _("%(key)s is not a key of a contract"))
KEY_WRONG = problem("offision.contract.key_wrong", _("%(key)s: %(why)s"))
NOT_QUOTED = problem("offision.contract.not_quoted", _("a JMESPath expression is needed, between quotation marks"))
NOT_JMESPATH = problem("offision.contract.not_jmespath", _('"%(text)s" is not a JMESPath expression: %(why)s'))
UNKNOWN_ZONE = problem(
    "offision.contract.unknown_zone",
    _('naive = "%(zone)s" is neither "site" nor a time zone such as "Asia/Hong_Kong"'),
)
ONE_PAGE_RULE = problem("offision.contract.one_page_rule", _("exactly one of count, total and next must be given"))
UNKNOWN_LISTED = problem(
    "offision.contract.unknown_listed", _('"unknown" takes no words: every word that is not listed is unknown')
)
LISTED_TWICE = problem("offision.contract.listed_twice", _('"%(word)s" is listed under two meanings'))
NOT_A_PLACEHOLDER = problem(
    "offision.contract.not_a_placeholder", _("{%(name)s} cannot be filled in here, only %(known)s")
)
NO_PLACEHOLDERS = problem("offision.contract.no_placeholders", _("{%(name)s} cannot be filled in here"))
PLACEHOLDER_NEEDED = problem(
    "offision.contract.placeholder_needed", _("one of %(needed)s must stand in the path, query or body")
)
NOT_A_FIELD = problem("offision.contract.not_a_field", _("is not a field of this operation"))
FIELD_NEEDED = problem("offision.contract.field_needed", _("is missing"))
RECORDS_NEEDED = problem(
    "offision.contract.records_needed", _("is missing: a JMESPath expression that finds the list in the answer")
)
RECORD_NEEDED = problem("offision.contract.record_needed", _("this operation answers one record: use record"))
UNREADABLE_DOCUMENT = problem("offision.document.unreadable", _("%(path)s cannot be read: %(why)s."))
LARGE_DOCUMENT = problem("offision.document.large", _("%(path)s is too large to be an OpenAPI document."))
NOT_A_DOCUMENT = problem("offision.document.neither", _("%(path)s is neither JSON nor YAML."))
NO_PATHS = problem("offision.document.no_paths", _("%(path)s is no OpenAPI 3 or Swagger 2 document: it has no paths."))

# What checking a contract shows.
SERVER = problem("offision.check.server", _("Offision at %(host)s"))
OPERATION = problem("offision.check.operation", "%(name)s  %(method)s %(path)s")
UNCONFIRMED_OPERATION = problem("offision.check.unconfirmed_operation", _("%(operation)s  [unconfirmed: %(parts)s]"))
UNCONFIRMED_PARTS = problem("offision.check.unconfirmed_parts", _("Unconfirmed parts of the contract: %(parts)s."))
ABSENT_OPERATIONS = problem("offision.check.absent_operations", _("Not in the contract: %(names)s."))
CHANGES_SERVER = problem("offision.check.changes_server", _("Not tried: it would change something at the server."))
ODD_ZONE_NAME = problem(
    "offision.check.odd_zone_name", _("The server calls its time zone %(zone)s, which is no IANA name.")
)
OTHER_ZONE = problem(
    "offision.check.other_zone",
    _("The server's time zone is %(zone)s, but the site's (SITE_TIME_ZONE) is %(site)s."),
)
NO_RESOURCE = problem(
    "offision.check.no_resource", _("Not tried: give the id of a resource that has bookings with --resource.")
)
NO_CODE = problem(
    "offision.check.no_code",
    _("Not tried: give a registration code with --code. Looking it up may check the visitor in."),
)
RECEIVED = problem(
    "offision.check.received", _("Resource %(id)s, four days: %(count)d records in %(requests)d requests.")
)
NO_EMAILS = problem(
    "offision.check.no_emails", _("No booking has an organizer's or attendee's email: nobody would be admitted.")
)
REJECTED = problem("offision.check.rejected", "%(id)s: %(why)s")
SUBSCRIPTION = problem("offision.check.subscription", "%(id)s: %(url)s, %(resource)s, %(until)s")
ENDLESS_SUBSCRIPTION = problem("offision.check.endless_subscription", _("%(id)s: %(url)s, %(resource)s, no end"))
RESOURCE = problem("offision.check.resource", "%(id)s: %(name)s")
BOOKING = problem(
    "offision.check.booking",
    _("%(title)s: %(start)s – %(end)s, %(status)s, organizer %(organizer)s, attendees: %(count)d"),
)
VISIT = problem("offision.check.visit", "%(name)s (%(company)s): %(status)s, %(start)s – %(end)s, %(host)s")
LISTED_VISIT = problem("offision.check.listed_visit", "%(name)s (%(company)s): %(status)s")
UNREAD_VISITS = problem(
    "offision.check.unread_visits", _("%(count)d of %(all)d visits can't be read, and are not fetched ahead.")
)
NOTHING_TO_READ = problem("offision.check.nothing_to_read", _("There were no records, so no field could be tried."))
FIELD = problem("offision.check.field", _("%(field)s  found in %(count)d of %(all)d  by %(expression)s  %(example)s"))
FIELD_ABSENT = problem(
    "offision.check.field_absent", _("The field %(field)s was not found in %(missing)d of %(all)d records.")
)
FIELD_NOWHERE = problem(
    "offision.check.field_nowhere",
    _("The field %(field)s was not found anywhere. If your server has it, its expression is wrong."),
)
NAIVE_TIMES = problem(
    "offision.check.naive_times",
    _("Times come without an offset and are read as %(zone)s time (times.naive). Is that right?"),
)
UNKNOWN_WORD = problem(
    "offision.check.unknown_word",
    _('The status word "%(word)s" is not in words.%(kind)s of the contract: it admits nobody.'),
)
ALL_FITS = problem("offision.check.all_fits", _("Everything that was tried fits."))
MISFITS = problem(
    "offision.check.misfits",
    ngettext_lazy(
        "%(count)d thing did not fit; it is marked with !. Correct the contract and check again.",
        "%(count)d things did not fit; they are marked with !. Correct the contract and check again.",
        "count",
    ),
    params=["count"],
)
