"""Words of the libraries' own that people see and their catalogues lack in Traditional Chinese.

Named here only so that they are collected into this project's catalogue, which is asked first.
"""

from django.utils.translation import gettext_noop

WORDS = (
    gettext_noop("Expires"),
    gettext_noop("Once API key expires, clients cannot use it anymore."),
    gettext_noop("A free-form name for the API key. Need not be unique. 50 characters max."),
    gettext_noop("If the API key is revoked, clients cannot use it anymore. (This cannot be undone.)"),
    gettext_noop(
        "Whether the user will be able to authenticate using a password or not. If disabled, they may still be able to "
        "authenticate using other backends, such as Single Sign-On or LDAP."
    ),
)
