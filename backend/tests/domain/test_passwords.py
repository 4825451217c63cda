"""A password is refused with the reason, or not at all."""

import pytest

from app.core.frequent_passwords import frequent_passwords
from app.domain.passwords import SHORTEST, weakness

EMAIL = "adalovelace@example.com"


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "12 are the least"),
        ("PasswordPassword", "list of common ones"),
        ("1qaz-2wsx_3edc", "list of common ones"),
        ("Administrator123", "list of common ones"),
        ("leavemealone", "list of common ones"),
        ("xyxzzyxyzxyzzx", "repeats a few characters"),
        ("asdfghjkl;'a", "run of neighbouring keys"),
        ("hxkqzhxkqzhxkqz", "repeats a short piece"),
        ("adalovelace-1815", "address with a few digits"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(password: str, reason: str) -> None:
    assert reason in (weakness(password, EMAIL) or "")


def test_the_list_holds_the_3000_most_common_that_are_long_enough_and_more() -> None:
    assert len(frequent_passwords()) > 10_000
    assert min(map(len, frequent_passwords())) == SHORTEST
    assert all(one == one.casefold() for one in frequent_passwords())


def test_several_words_are_fine() -> None:
    assert weakness("seven blue herons at dawn", EMAIL) is None
    assert weakness("seven blue herons at dawn", "al@example.com") is None
