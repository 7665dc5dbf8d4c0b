"""Logging: structured lines on standard error, without the secrets that addresses contain."""

import logging.config
import re
from collections.abc import Mapping
from typing import Any

import structlog
from django.http import HttpRequest
from django_structlog.middlewares import RequestMiddleware

# The next part of these paths is a secret that a device or Offision cannot send in a header.
_SECRET_PATHS = re.compile(r"(/api/offision/callbacks/|/api/visitors/devices/)[^/\s?'\"\\]+")
# The query of a device's path may hold the visitor's code.
_DEVICE_QUERIES = re.compile(r"(/api/visitors/devices/[^\s?'\"\\]*)\?[^\s'\"\\]*")


def redact(text: str) -> str:
    """The text with the secret parts of the portal's own addresses replaced by ***."""
    return _DEVICE_QUERIES.sub(r"\1?***", _SECRET_PATHS.sub(r"\1***", text))


class RequestLogMiddleware(RequestMiddleware):
    """django-structlog's request log, without the callURL's secret."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return redact(RequestMiddleware.format_request(request))

    @staticmethod
    def bind_ip(request: HttpRequest) -> None:
        """Bind the address that the connection comes from. Proxies' headers are ignored: anybody can send them."""
        structlog.contextvars.bind_contextvars(ip=request.META.get("REMOTE_ADDR", ""))


class RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """Redacts the finished line: a secret may come from any object that the line shows."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure_logging(options: Mapping[str, bool]) -> None:
    """Send every log line, ours and the libraries', to standard error: JSON if `options["json_lines"]`, else colours.

    settings.LOGGING_CONFIG names this function, and settings.LOGGING are the options.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    renderers: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if options["json_lines"]
        # Plain tracebacks: the pretty ones print local variables, and some of those are secrets.
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": RedactingFormatter,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
            "root": {"handlers": ["stderr"], "level": "INFO"},
            "loggers": {
                # Django's own configuration, which ran before, gave it a handler beside the root's.
                "django": {"handlers": []},
                # Celery logs every task and django-structlog every request: more than anybody reads.
                "celery.app.trace": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.beat": {"level": "WARNING"},
                "axes": {"level": "WARNING"},
                # Each retry; the caller logs the result.
                "stamina": {"level": "ERROR"},
                # Each board that does not answer, with its last frames; the controller's last error says so.
                "pymodbus": {"level": "CRITICAL"},
                "django_structlog": {"level": "WARNING"},
                "django.request": {"level": "ERROR"},
            },
        }
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
