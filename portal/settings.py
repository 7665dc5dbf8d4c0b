"""All settings, read from the environment (portal.environment). docs/settings.md lists every variable for installers.

Importing this module starts nothing, writes nothing and refuses nothing. portal.checks says what is wrong with the
values, and the portal does not start until it is put right. The demo and the tests make secrets up.
"""

import math
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from portal.environment import BASE_DIR, VAR_DIR, env

# The demo and the tests: secrets are made up, and Offision and the controllers are pretend ones.
DEMO = env.bool("PORTAL_DEMO", default=False)
DEBUG = env.bool("PORTAL_DEBUG", default=False)

# What is wrong with variables that could not be read, by name. Their settings have the default value meanwhile.
UNREADABLE: dict[str, str] = {}
MADE_UP = "made-up-for-the-demo-"


def secret(name: str) -> str:
    """A secret; empty where it is missing, which portal.checks refuses."""
    return str(env.str(name, default="")) or (MADE_UP + name.lower() if DEMO else "")


def whole_number(name: str, default: int, *, at_least: int = 1) -> int:
    text = env.str(name, default="") or str(default)
    if text.strip().isdecimal() and int(text) >= at_least:
        return int(text)
    UNREADABLE[name] = f"{name} is {text!r}. It must be a whole number, at least {at_least}."
    return default


def seconds(name: str, default: float) -> float:
    text = env.str(name, default="") or str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if 0 < value < math.inf:
        return value
    UNREADABLE[name] = f"{name} is {text!r}. It must be a number of seconds above 0."
    return default


# Signs sessions and encrypts what is stored encrypted.
SECRET_KEY = secret("PORTAL_SECRET_KEY")
SALT_KEY = "offision-access-portal"  # a salt need not be secret: SECRET_KEY is
ALLOWED_HOSTS = env.list("PORTAL_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
# Where Offision and browsers reach this portal, without a slash at the end.
PORTAL_PUBLIC_URL = env.str("PORTAL_PUBLIC_URL", default="http://localhost:8000").rstrip("/")
CSRF_TRUSTED_ORIGINS = [PORTAL_PUBLIC_URL] if PORTAL_PUBLIC_URL.startswith("https://") else []

# What a monitor shows to read /metrics; without it there is no such page.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# --- Offision ---------------------------------------------------------------------------------------------------
OFFISION_URL = env.str("OFFISION_URL", default="").rstrip("/")
OFFISION_TOKEN = env.str("OFFISION_TOKEN", default="")
OFFISION_CONTRACT = Path(env.str("OFFISION_CONTRACT", default=str(BASE_DIR / "portal/offision/contract.toml")))
OFFISION_CONNECT_TIMEOUT = seconds("OFFISION_CONNECT_TIMEOUT", 3.0)
OFFISION_READ_TIMEOUT = seconds("OFFISION_READ_TIMEOUT", 10.0)
# The secrets that the callURL's path may hold. New subscriptions use the first; the others are accepted, so that a
# secret can be changed without missing a call.
CALLBACK_SECRETS = [part.strip() for part in secret("OFFISION_CALLBACK_SECRET").split(",") if part.strip()]
# The key of the callback's signature, where the contract says that callbacks are signed.
CALLBACK_SIGNING_KEY = env.str("OFFISION_CALLBACK_SIGNING_KEY", default="")
CALLBACK_MAX_BYTES = 64 * 1024

# The zone that the site's days and naive times are in, and that pages show times in.
SITE_TIME_ZONE = env.str("SITE_TIME_ZONE", default="Asia/Hong_Kong")
try:
    ZoneInfo(SITE_TIME_ZONE)
    TIME_ZONE = SITE_TIME_ZONE  # what pages show; the database keeps UTC
except (ZoneInfoNotFoundError, ValueError):
    TIME_ZONE = "UTC"  # portal.checks refuses SITE_TIME_ZONE; Django could not even start with it

# --- Doors ------------------------------------------------------------------------------------------------------
# Every resource is fetched and every controller compared this often, whatever callbacks came or did not.
FULL_RESYNC_SECONDS = whole_number("FULL_RESYNC_SECONDS", 900)
# A fetch or a plan that would take away more than so many bookings or cards at once, and more than half of what
# there was, waits for a person.
APPROVE_REVOCATIONS_OVER = whole_number("APPROVE_REVOCATIONS_OVER", 10, at_least=0)
# So many hours without a call of Offision's, while full passes find changes, and staff are told.
NOTICE_NO_CALLBACK_HOURS = whole_number("NOTICE_NO_CALLBACK_HOURS", 24)
# The driver of each family of controllers.
DRIVERS = {
    "hikvision": "doorsync.drivers.hikvision.driver.HikvisionDriver",
    "simulated": "doorsync.drivers.simulated.driver.SimulatedDriver",
    "modbus": "doorsync.drivers.modbus.driver.ModbusDriver",
    "uhppote": "doorsync.drivers.uhppote.driver.UhppoteDriver",
    "mqtt": "doorsync.drivers.esp_rfid.driver.EspRfidDriver",
    "unifi": "doorsync.drivers.unifi.driver.UnifiDriver",
    "webhook": "doorsync.drivers.webhook.driver.WebhookDriver",
}

# What unlocks a door for a turnstile that can't open itself: the apps don't know each other.
OPEN_DOOR = "doorsync.controllers.unlock.open_for_a_moment"

# --- Email: notices to staff -------------------------------------------------------------------------------------
# smtp+tls://user:password@host:587; without it no email can be sent, and no recipient is told by email.
EMAIL_URL = env.str("EMAIL_URL", default="consolemail://" if DEMO else "")
if EMAIL_URL:
    try:
        vars().update(env.email_url_config(EMAIL_URL))
    except ImproperlyConfigured:
        UNREADABLE["EMAIL_URL"] = "EMAIL_URL is no address of a mail server, such as smtp+tls://user:password@host:587."
EMAIL_TIMEOUT = 10
EMAIL_SUBJECT_PREFIX = ""
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="offision-access-portal@localhost")

# --- Django -----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "portal.core.admin.site.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_api_key",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "encrypted_fields",
    "django_prometheus",
    "health_check",
    "django_structlog",
    "pghistory",
    "pgtrigger",
    "portal",
    "portal.audit",
    "accessmap",
    "accessmap.api",
    "doorsync",
    "visitors",
    *(["portal.sandbox"] if DEMO else []),
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.core.middleware.StaffHistoryMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "portal.core.logging.RequestLogMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Without DATABASE_URL there is no database until an entry point starts one: portal.embedded.start.
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **(
            env.db_url("DATABASE_URL")
            if env.str("DATABASE_URL", default="")
            else {"ENGINE": "django.db.backends.postgresql"}
        ),
        "CONN_MAX_AGE": 60,  # seconds
        "CONN_HEALTH_CHECKS": True,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"

# Sessions only travel over HTTPS once the portal is reached by HTTPS; the demo is plain HTTP on this machine.
SECURE = PORTAL_PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SESSION_COOKIE_AGE = 12 * 3600
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hant", _("Traditional Chinese"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["portal.formats"]
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Offision Access Portal",
    "DESCRIPTION": "For HR systems, turnstiles and others. Times are UTC; windows end just before their end.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": r"/api/(v1/)?",
    "PREPROCESSING_HOOKS": ["accessmap.api.schema.only_described"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "accessmap.api.schema.with_problems",
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    # From our own static files: pages here load nothing from elsewhere.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- Celery: the broker only wakes workers; the database says what is to be done -----------------------------------
REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
    # A broker that is down must not make Offision wait for its answer: the tick wakes the worker again.
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {"socket_connect_timeout": 1, "socket_timeout": 5}
else:
    CELERY_BROKER_URL = "files://localhost"  # portal.embedded.broker
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(VAR_DIR / "broker" / "queue"),
        "data_folder_out": str(VAR_DIR / "broker" / "queue"),
        "control_folder": str(VAR_DIR / "broker" / "control"),
        "polling_interval": 0.02,  # seconds; the default of a second would be most of a callback's way to the door
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_POOL = "threads"  # the work is waiting for controllers and Offision, not computing
CELERY_WORKER_CONCURRENCY = whole_number("WORKER_THREADS", 16)
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
# A tick that could not run in its own second is worth nothing: the next one does the same.
CELERY_BEAT_SCHEDULE = {
    "tick": {"task": "doorsync.tasks.tick", "schedule": 1.0, "options": {"expires": 2}},
    "events": {"task": "doorsync.tasks.enqueue_event_reads", "schedule": 10.0, "options": {"expires": 10}},
    "notices": {"task": "doorsync.tasks.send_notices", "schedule": 30.0, "options": {"expires": 30}},
    "status_updates": {"task": "visitors.tasks.send_status_updates", "schedule": 10.0, "options": {"expires": 10}},
    "responses": {"task": "accessmap.api.tasks.delete_old_responses", "schedule": 3600.0, "options": {"expires": 3600}},
    "visits": {"task": "visitors.tasks.prefetch_visits", "schedule": 300.0, "options": {"expires": 300}},
    "seal": {"task": "portal.audit.tasks.seal", "schedule": 60.0, "options": {"expires": 60}},
    "check_seals": {"task": "portal.audit.tasks.check_seals", "schedule": 3600.0, "options": {"expires": 3600}},
}

LOGGING_CONFIG = "portal.core.logging.configure_logging"
LOGGING = {"json_lines": env.bool("PORTAL_LOG_JSON", default=not sys.stderr.isatty())}
