"""Why an HTTP request has no usable answer."""

from django.utils.translation import gettext_lazy as _

from portal.core.problems import problem

# Nothing was sent.
UNKNOWN_HOST = problem(
    "http.unknown_host", _("The name %(host)s is not known here. Check the address and this machine's DNS.")
)
REFUSED = problem(
    "http.refused", _("%(host)s refused the connection. Check the port, and whether the service is running.")
)
CONNECT_TIMED_OUT = problem(
    "http.connect_timed_out",
    _("%(host)s did not answer within %(seconds)g seconds when connecting. Check the address and the network."),
)
NO_CONNECTION = problem("http.no_connection", _("No connection could be made. Check the address and the network."))
TLS_FAILED = problem("http.tls_failed", _("TLS failed at %(host)s. Check that this port speaks HTTPS."))
UNTRUSTED = problem(
    "http.untrusted",
    _("The certificate of %(host)s is not trusted (%(why)s), so nothing was sent. Check the certificate."),
)
WRONG_FINGERPRINT = problem(
    "http.wrong_fingerprint",
    _(
        "The certificate of %(host)s does not have the stored fingerprint, so nothing was sent. If the device has a "
        "new certificate, store its fingerprint; if not, another machine answers."
    ),
)

NO_SECRET = problem("http.no_secret", _("The signing secret is missing or too short. Enter a new one."))

# The request was sent, perhaps in part.
TIMED_OUT = problem("http.timed_out", _("No complete answer came within %(seconds)g seconds."))
BROKE_OFF = problem("http.broke_off", _("The connection broke off before the answer was complete."))
NOT_HTTP = problem("http.not_http", _("The answer is not HTTP. Check the address and the port."))
TOO_LONG = problem("http.too_long", _("The answer is longer than %(most)d bytes; the rest was not read."))
