"""Which passwords are refused: short ones, common ones, and plays on the person's own address."""

import re
from typing import Final

SHORTEST: Final = 12

_LIST: Final = """
    123456789012 1234567890123 12345678901234 123456789abc 123123123123 012345678910 098765432109
    111111111111 000000000000 121212121212 112233445566 123321123321 147258369000 159357456852
    1q2w3e4r5t6y 1q2w3e4r5t6y7u 1qaz2wsx3edc 1qaz2wsx3edc4rfv qazwsxedcrfv zaq12wsxcde3
    qwertyuiop12 qwertyuiop123 qwertyuiop1234 qwertyuiopasdfgh qwerty123456 qwerty1234567
    qwerty12345678 qwerty123456789 qwertyqwerty asdfghjkl123 asdfghjklasdf zxcvbnm12345
    asdfghjkl1234 abcdefghijkl abcdefghijklm abcdefgh1234 abcd1234abcd abc123abc123 abcdefg12345
    password1234 password12345 password123456 password1234567 passwordpassword password1password
    password!234 p@ssw0rd1234 p@ssword1234 passw0rd1234 mypassword123 mypassword1234 newpassword1
    newpassword123 yourpassword thepassword1 changemechangeme changeme1234 changeme12345
    letmeinletmein letmein12345 letmein123456 welcome12345 welcome123456 welcomewelcome
    administrator administrator1 administrator123 adminadminadmin admin1234567 admin12345678
    rootrootroot iloveyou1234 iloveyou12345 iloveyouiloveyou iloveyou123456 ilovemyself1
    monkey123456 dragon123456 football1234 baseball1234 basketball12 basketball123 superman1234
    superman12345 princess1234 princess12345 sunshine1234 sunshine12345 michael12345 jordan232323
    liverpoolfc1 manchester123 manchesterunited chelseafc1234 pokemonpokemon starwars1234
    starwarsstarwars trustno1trustno1 internet1234 computer1234 computer12345 samsung12345
    blink182blink182 correcthorsebatterystaple tradewright12 tradewright123 tradewright1234
    tradingtrading trading12345 trading123456 moneymoneymoney stockmarket1 stockmarket123
    summer202320 winter202320 spring202420 january12345 february1234 september123 november1234
    december1234 christmas123 christmas1234 whatever1234 whateverwhatever nothing12345 secret123456
    secretsecret topsecret123 topsecret1234 testtesttest test12345678 test1234test1234 testing12345
    testing123456 temporary123 temporary1234 default12345 guestguest12 masterkey1234 qweasdzxc123
    qweasdzxcqwe q1w2e3r4t5y6 q1w2e3r4t5y6u7 a1b2c3d4e5f6 a1s2d3f4g5h6 aa1234567890 a12345678901
    zxcvbnmasdfghjkl poiuytrewq12 lkjhgfdsa123 mnbvcxz12345 987654321098 9876543210987
"""
_COMMON: Final = frozenset(_LIST.split())
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
    if plain in _COMMON or re.sub(r"[\W_]", "", plain) in _COMMON:
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
