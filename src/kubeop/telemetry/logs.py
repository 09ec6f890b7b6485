"""Structured logs: one JSON object a line on standard error, without secrets.

Every line has `timestamp` (UTC), `level`, `component`, `logger`, `event` and, while one is bound, `request_id`. Lines
of other libraries, through the standard `logging`, take the same path. An exception is its traceback without the values
of local variables, and is redacted like every other text.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from kubeop.errors import InputError
from kubeop.settings import LOG_LEVELS
from kubeop.telemetry.redact import redact

# These libraries log every request or event at "info"; what is worth knowing of it, our own lines say.
_CHATTY = ("alembic", "urllib3", "kubernetes", "kopf", "asyncio", "websocket")


def configure(component: str, level: str = "info") -> None:
    """Send all logs of this process to standard error from now on. `component` names the service, such as "manager".

    May be called again, to change either. Raises InputError for an unknown level.
    """
    level = level.lower()
    if level not in LOG_LEVELS:
        raise InputError(f"The log level is {level!r}.", hint=f"Use one of {', '.join(LOG_LEVELS)}.")

    def add_component(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("component", component)
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        add_component,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _render_exception,
                _redact,  # last but for the rendering, so that nothing is added after it
                structlog.processors.JSONRenderer(serializer=_to_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger: `log.info("cluster registered", cluster="west")`. The event is fixed; what varies goes in fields."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


@contextmanager
def bound(**fields: str) -> Iterator[None]:
    """Add fields, such as `request_id`, to every line that this task or thread logs inside the block."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield


def _render_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` with the traceback as text, which holds no local values."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if isinstance(info, tuple) and info[1] is not None:
        event["exception"] = "".join(traceback.format_exception(*info)).rstrip()
    return event


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    safe: EventDict = redact(dict(event))
    return safe


def _to_json(event: Any, **_options: Any) -> str:
    # An own serializer: NaN is no JSON, and a lone surrogate is no UTF-8.
    return json.dumps(event, ensure_ascii=True, separators=(",", ":"), default=str)
