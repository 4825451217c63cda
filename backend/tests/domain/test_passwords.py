"""A password is refused with the reason, or not at all."""

import pytest

from app.domain.passwords import weakness

EMAIL = "adalovelace@example.com"


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "12 are the least"),
        ("PasswordPassword", "list of common ones"),
        ("aaaaaaaaaaaaaaaa", "repeats a few characters"),
        ("asdfghjkl;'a", "run of neighbouring keys"),
        ("hxkqzhxkqzhxkqz", "repeats a short piece"),
        ("adalovelace-1815", "address with a few digits"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(password: str, reason: str) -> None:
    assert reason in (weakness(password, EMAIL) or "")


def test_several_words_are_fine() -> None:
    assert weakness("seven blue herons at dawn", EMAIL) is None
    assert weakness("seven blue herons at dawn", "al@example.com") is None
