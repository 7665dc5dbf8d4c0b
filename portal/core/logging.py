"""Logging: structured lines on standard error, with the secrets that stand in addresses taken out."""

import logging.config
import re
from collections.abc import Mapping
from typing import Any

import structlog
from django.http import HttpRequest
from django_structlog.middlewares import RequestMiddleware

# What follows these in a path is a secret that a device or Offision cannot send in a header.
_SECRET_PATHS = re.compile(r"(/api/offision/callbacks/|/api/visitors/devices/)[^/\s?'\"\\]+")
# And after a device's path may stand the visitor's code.
_DEVICE_QUERIES = re.compile(r"(/api/visitors/devices/[^\s?'\"\\]*)\?[^\s'\"\\]*")


def redact(text: str) -> str:
    """The text with the secret parts of the portal's own addresses replaced by ***."""
    return _DEVICE_QUERIES.sub(r"\1?***", _SECRET_PATHS.sub(r"\1***", text))


class RequestLogMiddleware(RequestMiddleware):
    """django-structlog's request log, which would otherwise show the callURL's secret."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return redact(RequestMiddleware.format_request(request))

    @staticmethod
    def bind_ip(request: HttpRequest) -> None:
        """The address that the connection comes from. Proxies' headers are not searched: anybody can send them."""
        structlog.contextvars.bind_contextvars(ip=request.META.get("REMOTE_ADDR", ""))


class RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """Takes the secrets out of the finished line: they may come by way of any object that is shown in it."""

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
                # A line a task from Celery, a line a request from django-structlog: more than anybody reads.
                "celery.app.trace": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.beat": {"level": "WARNING"},
                "axes": {"level": "WARNING"},
                # Each retry; what came of them all is said by whoever asked.
                "stamina": {"level": "ERROR"},
                # Each board that does not answer, with its last frames; the controller's trouble says so.
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
