"""Logs: JSON lines in one file a component, a readable console, no secrets."""

import fcntl
import functools
import inspect
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path
from typing import Any, Final, ParamSpec, TextIO, TypeVar, cast

import orjson
import structlog
from structlog.contextvars import bound_contextvars, get_contextvars
from structlog.typing import EventDict, Processor, WrappedLogger

from app.core import clock
from app.core.config import LogLevel, Settings, get_settings
from app.core.errors import ConfigurationError
from app.core.redaction import redact, redact_named

P = ParamSpec("P")
T = TypeVar("T")

COMPONENTS: Final = ("agents", "api", "jobs", "trading", "performance")
"Each has its own file. What names none goes to the file of the process's component."
NAMESPACE: Final = "tradewright"
CHATTY: Final = (
    "asyncio",
    "httpcore",
    "redis",
    "sqlalchemy",
    "urllib3",
    "uvicorn",  # at DEBUG it writes the headers of a WebSocket, cookie and all
    "websockets",
)
"Libraries whose DEBUG lines would drown ours."
SILENT: Final = ("httpx",)
"Libraries that say at INFO what nobody asked for: every request, with its whole address."
_SAFE_KEYS: Final = frozenset({"event", "level", "logger", "timestamp", "component"})


def get_logger(component: str = "") -> structlog.stdlib.BoundLogger:
    """A logger that writes to the component's file: `get_logger("trading").info("filled", n=1)`."""
    name = f"{NAMESPACE}.{component}" if component else NAMESPACE
    return structlog.stdlib.get_logger(name)


def configure_logging(
    component: str, settings: Settings | None = None, console: TextIO | None = None
) -> None:
    """Set up this process: files in LOG_DIR, the console as the profile says.

    `component` is where lines go that name no component of their own. Raises ConfigurationError
    when the folder cannot be written.
    """
    settings = settings or get_settings()
    stream = console or sys.stderr
    reset_logging()
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    screen = logging.StreamHandler(stream)
    readable = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    screen.setFormatter(_formatter(_json if settings.profile.console_is_json else readable))
    if settings.log.level is None and not settings.profile.console_is_json:
        screen.addFilter(_for_people)
    files = ComponentFiles(settings.log_dir, component, settings.log.retention_days)
    files.setFormatter(_formatter(_json))
    root = logging.getLogger()
    root.handlers = [screen, files]
    set_level(settings.log_level)
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.WARNING)


def set_level(level: LogLevel) -> None:
    """What is less than this is not logged from now on."""
    logging.getLogger().setLevel(level.value)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.getLevelName(level.value), logging.INFO))


def _for_people(record: logging.LogRecord) -> bool:
    """On a developer's console: no DEBUG and no line for each good request; the files have both."""
    if record.levelno >= logging.WARNING:
        return True
    what = record.msg.get("event") if isinstance(record.msg, dict) else None
    return record.levelno >= logging.INFO and what != "request"


def reset_logging() -> None:
    """Close the files and forget the set-up."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, ComponentFiles):
            handler.close()
            root.removeHandler(handler)
    structlog.reset_defaults()


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _without_markup,
        redact_secrets,
    ]


def _without_markup(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Processor: uvicorn says every line twice, once with colours."""
    event.pop("color_message", None)
    return event


def _formatter(renderer: Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def redact_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Processor: no secret passes, by the name of its key, by its looks, or because it is known."""
    return {
        key: item
        if key.startswith("_")
        else redact(item)
        if key in _SAFE_KEYS
        else redact_named(key, item)
        for key, item in event.items()
    }


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class ComponentFiles(logging.Handler):
    """Sends each record to the file of its component; files are opened when first written."""

    def __init__(self, folder: Path, component: str, retention_days: int) -> None:
        super().__init__()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / f"{component}.log").touch()
        except OSError as error:
            raise ConfigurationError(
                f"Logs cannot be written to {folder}: {error.strerror}.",
                remedy="Set LOG_DIR to a writable folder.",
            ) from None
        self._folder = folder
        self._component = component
        self._retention_days = retention_days
        self._files: dict[str, DailyFile] = {}

    def emit(self, record: logging.LogRecord) -> None:
        space, _, name = record.name.partition(".")
        own = space == NAMESPACE and name in COMPONENTS
        self._file(name if own else self._component).handle(record)

    def _file(self, component: str) -> "DailyFile":
        if component not in self._files:
            file = DailyFile(self._folder / f"{component}.log", self._retention_days)
            file.setFormatter(self.formatter)
            self._files[component] = file
        return self._files[component]

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        super().close()


class DailyFile(TimedRotatingFileHandler):
    """A file a UTC day, shared by processes: the first to notice midnight rotates it."""

    def __init__(self, path: Path, retention_days: int) -> None:
        super().__init__(
            path, when="midnight", backupCount=retention_days, utc=True, encoding="utf-8"
        )

    def doRollover(self) -> None:  # noqa: N802 - the base class's name
        with Path(f"{self.baseFilename}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._is_ours():
                super().doRollover()
                return
        # Another process has rotated: follow it, and keep what it moved away.
        if self.stream:
            self.stream.close()
        self.stream = self._open()
        self.rolloverAt = self.computeRollover(int(clock.now().timestamp()))

    def _is_ours(self) -> bool:
        """Whether the file we write is still the one that bears the name."""
        with suppress(OSError):
            here = Path(self.baseFilename).stat()
            written = os.fstat(self.stream.fileno()) if self.stream else here
            return (here.st_ino, here.st_dev) == (written.st_ino, written.st_dev)
        return True


@contextmanager
def correlated(correlation_id: str, **more: Any) -> Iterator[str]:  # noqa: ANN401 - logged values
    """Every line logged in this block, also by tasks started in it, carries the correlation id."""
    with bound_contextvars(correlation_id=correlation_id, **more):
        yield correlation_id


def current_correlation_id() -> str | None:
    found = get_contextvars().get("correlation_id")
    return None if found is None else str(found)


@contextmanager
def timing(name: str, **more: Any) -> Iterator[None]:  # noqa: ANN401 - logged values
    """Log to `performance` how long the block took, in seconds, and whether it succeeded."""
    begin = clock.system.monotonic()
    succeeded = False
    try:
        yield
        succeeded = True
    finally:
        get_logger("performance").info(
            "timed",
            name=name,
            seconds=round(clock.system.monotonic() - begin, 6),
            succeeded=succeeded,
            **more,
        )


def timed(name: str | None = None) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a function or a coroutine function so that each call is logged by `timing`."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        label = name or f"{function.__module__}.{function.__qualname__}"
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 - T, awaited
                with timing(label):
                    return await cast(Awaitable[Any], function(*args, **kwargs))

            return cast(Callable[P, T], awaited)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> T:
            with timing(label):
                return function(*args, **kwargs)

        return called

    return decorate
