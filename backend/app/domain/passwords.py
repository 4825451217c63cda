"""Which passwords are refused: short ones, common ones, and plays on the person's own address."""

import re
from typing import Final

from app.core.frequent_passwords import frequent_passwords

SHORTEST: Final = 12

_RUNS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertyuiop[]",
    "asdfghjkl;'",
    "zxcvbnm,./",
)


def weakness(password: str, email: str) -> str | None:
    """Why `password` is refused, as a sentence; None when it is good enough."""
    if len(password) < SHORTEST:
        return f"The password has {len(password)} characters; {SHORTEST} are the least."
    plain = password.casefold()
    if frequent_passwords() & {plain, re.sub(r"[\W_]", "", plain)}:
        return "The password is on the list of common ones that everybody tries first."
    if len(set(plain)) < 5:
        return "The password repeats a few characters."
    if any(plain in run * 2 or plain in run[::-1] * 2 for run in _RUNS):
        return "The password is a run of neighbouring keys or letters."
    if _repeats(plain):
        return "The password repeats a short piece."
    name = email.casefold().partition("@")[0]
    if len(name) >= 4 and re.sub(r"[\d\W_]", "", plain.replace(name, "")) == "":
        return "The password is the address with a few digits."
    return None


def _repeats(text: str) -> bool:
    """True for `abcabcabcabc`: at most five characters, again and again."""
    return any(
        len(text) % size == 0 and text == text[:size] * (len(text) // size) for size in range(1, 6)
    )
