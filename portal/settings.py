"""All settings, read from the environment (and from a `.env` file beside manage.py, if there is one).

A missing or default secret stops the start with a sentence that says which, unless PORTAL_DEMO is on: the demo
and the tests make secrets up. docs/settings.md lists every variable for installers.
"""

import sys
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from portal.embedded import broker

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# Where the portal keeps files: embedded PostgreSQL, the file broker, collected static files.
VAR_DIR = Path(env.str("PORTAL_VAR", default=str(BASE_DIR / "var"))).resolve()

# The demo and the tests: secrets are made up, and Offision and the controllers are pretend ones.
DEMO = env.bool("PORTAL_DEMO", default=False)
DEBUG = env.bool("PORTAL_DEBUG", default=False)

MADE_UP = "made-up-for-the-demo-"
MIN_SECRET_LENGTH = 20
# Commands that need no secret, so that an image can be built and a first look taken before any is made.
NEEDS_NO_SECRETS = {
    "collectstatic",
    "makemigrations",
    "makemessages",
    "compilemessages",
    "help",
    "demo",
    "test",
}


def secret(name: str, *, purpose: str) -> str:
    """Read a secret. Stops the start where it is missing, short, or one that stands in the documents."""
    return checked_secret(name, str(env.str(name, default="")), purpose=purpose)


def checked_secret(name: str, value: str, *, purpose: str) -> str:
    """The secret, if it can be used; else the start is stopped."""
    if DEMO or (len(sys.argv) > 1 and sys.argv[1] in NEEDS_NO_SECRETS):
        return value or MADE_UP + name.lower()
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. It is {purpose}. Set it in the environment or in .env.")
    if value.startswith(MADE_UP) or value.lower().startswith(("change-me", "changeme")):
        raise ImproperlyConfigured(f"{name} still has an example value. It is {purpose}. Make one of your own.")
    if len(value) < MIN_SECRET_LENGTH:
        raise ImproperlyConfigured(
            f"{name} has {len(value)} characters; it is {purpose} and needs at least {MIN_SECRET_LENGTH}. "
            'One can be made with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return value


SECRET_KEY = secret("PORTAL_SECRET_KEY", purpose="the key that signs sessions and encrypts what is stored encrypted")
SALT_KEY = "offision-access-portal"  # a salt need not be secret: what is encrypted is so by SECRET_KEY
ALLOWED_HOSTS = env.list("PORTAL_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
# Where Offision and browsers reach this portal, without a slash at the end.
PORTAL_PUBLIC_URL = env.str("PORTAL_PUBLIC_URL", default="http://localhost:8000").rstrip("/")
CSRF_TRUSTED_ORIGINS = [PORTAL_PUBLIC_URL] if PORTAL_PUBLIC_URL.startswith("https://") else []

# What a monitor shows to read /metrics; without it there is no such page.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# --- Offision ---------------------------------------------------------------------------------------------------
OFFISION_URL = env.str("OFFISION_URL", default="").rstrip("/")
OFFISION_TOKEN = env.str("OFFISION_TOKEN", default="")
if OFFISION_URL and not OFFISION_TOKEN and not DEMO:
    raise ImproperlyConfigured(
        "OFFISION_TOKEN is not set. It is the access token from Offision's Management console -> Settings -> API "
        "authentication. Set it in the environment or in .env."
    )
OFFISION_CONTRACT = Path(env.str("OFFISION_CONTRACT", default=str(BASE_DIR / "portal/offision/contract.toml")))
OFFISION_CONNECT_TIMEOUT = env.float("OFFISION_CONNECT_TIMEOUT", default=3.0)  # seconds
OFFISION_READ_TIMEOUT = env.float("OFFISION_READ_TIMEOUT", default=10.0)  # seconds
# The secrets that may stand in the callURL's path. The first is used for new subscriptions; the others still work,
# so that a secret can be changed without missing a call.
CALLBACK_SECRETS = [
    checked_secret("OFFISION_CALLBACK_SECRET", part.strip(), purpose="the secret in the callURL's path")
    for part in secret("OFFISION_CALLBACK_SECRET", purpose="the secret in the callURL's path").split(",")
]
# The key of the callback's signature, where the contract says that callbacks are signed.
CALLBACK_SIGNING_KEY = env.str("OFFISION_CALLBACK_SIGNING_KEY", default="")
CALLBACK_MAX_BYTES = 64 * 1024

# The zone that the site's days and naive times are in, and that pages show times in.
SITE_TIME_ZONE = env.str("SITE_TIME_ZONE", default="Asia/Hong_Kong")
try:
    ZoneInfo(SITE_TIME_ZONE)
except (ZoneInfoNotFoundError, ValueError) as error:
    raise ImproperlyConfigured(
        f"SITE_TIME_ZONE is {SITE_TIME_ZONE!r}, which is no IANA time zone. An example is Asia/Hong_Kong."
    ) from error

# --- Doors ------------------------------------------------------------------------------------------------------
# Every resource is fetched and every controller compared this often, whatever callbacks came or did not.
FULL_RESYNC_SECONDS = env.int("FULL_RESYNC_SECONDS", default=900)
# A fetch or a plan that would take away more than so many bookings or cards at once, and more than half of what
# there was, waits for a person.
HOLD_REVOCATIONS_OVER = env.int("HOLD_REVOCATIONS_OVER", default=10)
# So many hours without a call of Offision's, while full passes find changes, and staff are told.
NOTICE_NO_CALLBACK_HOURS = env.int("NOTICE_NO_CALLBACK_HOURS", default=24)
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
    vars().update(env.email_url_config(EMAIL_URL))
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

if not env.str("DATABASE_URL", default=""):
    from portal.embedded import postgres

    env.ENVIRON["DATABASE_URL"] = postgres.database_url(VAR_DIR / "postgres")
DATABASES = {"default": env.db("DATABASE_URL")}
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
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
TIME_ZONE = SITE_TIME_ZONE  # what pages show; the database keeps UTC

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

# --- Celery: the broker is only a doorbell; what is to be done stands in the database ------------------------------
REDIS_URL = env.str("REDIS_URL", default="")
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object]
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_POOL = "threads"  # the work is waiting for controllers and Offision, not computing
CELERY_WORKER_CONCURRENCY = env.int("WORKER_THREADS", default=16)
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
    # A broker that is down must not make Offision wait for its answer: the tick rings again.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 1, "socket_timeout": 5}
else:
    CELERY_BROKER_URL = f"{broker.SCHEME}://localhost"
    BROKER_DIR = VAR_DIR / "broker"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_DIR / "queue"),
        "data_folder_out": str(BROKER_DIR / "queue"),
        "control_folder": str(BROKER_DIR / "control"),
        "polling_interval": 0.02,  # seconds; the default of a second would be most of a callback's way to the door
    }
    for folder in ("queue", "control"):
        (BROKER_DIR / folder).mkdir(parents=True, exist_ok=True)
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
# A tick that could not run in its own second is worth nothing: the next one does the same.
CELERY_BEAT_SCHEDULE = {
    "tick": {"task": "doorsync.tasks.tick", "schedule": 1.0, "options": {"expires": 2}},
    "events": {"task": "doorsync.tasks.enqueue_event_reads", "schedule": 10.0, "options": {"expires": 10}},
    "notices": {"task": "doorsync.tasks.send_notices", "schedule": 30.0, "options": {"expires": 30}},
    "status_updates": {"task": "visitors.tasks.send_status_updates", "schedule": 10.0, "options": {"expires": 10}},
    "answers": {"task": "accessmap.api.tasks.forget_old_answers", "schedule": 3600.0, "options": {"expires": 3600}},
    "visits": {"task": "visitors.tasks.prefetch_visits", "schedule": 300.0, "options": {"expires": 300}},
    "seal": {"task": "portal.audit.tasks.seal", "schedule": 60.0, "options": {"expires": 60}},
    "check_seals": {"task": "portal.audit.tasks.check_seals", "schedule": 3600.0, "options": {"expires": 3600}},
}

LOGGING_CONFIG = None
from portal.core.logging import configure_logging  # noqa: E402 (it needs nothing of the above, and the above may log)

configure_logging(json_lines=env.bool("PORTAL_LOG_JSON", default=not sys.stderr.isatty()))
