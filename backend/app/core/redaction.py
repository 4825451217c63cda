"""Take secrets out of whatever is about to be written where people read it."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

HIDDEN: Final = "[redacted]"
SHORTEST: Final = 6
"Characters. Shorter values are no secrets worth the name, and hiding them would garble the text."
_SECRET_NAMES: Final = re.compile(
    r"passw(or)?d|secret|token|api_?key|authorization|cookie|credential|private_key",
    re.IGNORECASE,
)
_SECRET_TEXT: Final = re.compile(
    r"(?P<url>(?<=://)[^/\s:@]*:[^/\s@]+(?=@))"
    r"|(?P<bearer>(?<=bearer )[\w.~+/=-]{8,})"
    r"|(?P<key>\btw_\w+_[\w-]{8,})"
    r"|(?P<jwt>\beyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*)"
    r"|(?P<pair>(?<=password=)[^\s&'\"]+|(?<=token=)[^\s&'\"]+|(?<=apikey=)[^\s&'\"]+)",
    re.IGNORECASE,
)
_known: set[str] = set()
_known_pattern: re.Pattern[str] | None = None


def remember(secret: str) -> None:
    """Hide this value from now on wherever it stands; of an address, also its password."""
    global _known_pattern  # one pattern for the process, rebuilt when a secret is learnt
    values = {secret}
    if "://" in secret:
        values = {urlsplit(secret).password or ""}
        values |= {unquote(value) for value in values}
    fresh = {value for value in values if len(value) >= SHORTEST} - _known
    if fresh:
        _known.update(fresh)
        longest_first = sorted(_known, key=len, reverse=True)
        _known_pattern = re.compile("|".join(map(re.escape, longest_first)))


def redact_text(text: str) -> str:
    """The text without known secrets and without what looks like one."""
    if _known_pattern:
        text = _known_pattern.sub(HIDDEN, text)
    return _SECRET_TEXT.sub(HIDDEN, text)


def redact(value: object) -> object:
    """The value without secrets, through mappings and lists; a secret's name hides its value."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes):
        return redact_text(value.decode(errors="replace"))
    if isinstance(value, Mapping):
        return {key: redact_named(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact_text(str(value))


def redact_named(name: str, value: object) -> object:
    """As `redact`, and hidden altogether when the name says that it is a secret."""
    if _SECRET_NAMES.search(name) and value not in (None, "", True, False):
        return HIDDEN
    return redact(value)
