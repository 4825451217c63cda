"""The passwords that everybody tries first: those that are long enough for our own rule.

The list holds the 10,000 most common of 12 characters and more of the SecLists project (its
10-million-password-list, MIT licence, in frequent_passwords.LICENSE.txt), in lower case, and some
of our own.
"""

import gzip
from functools import cache
from importlib.resources import files


@cache
def frequent_passwords() -> frozenset[str]:
    """All of them, case-folded; read at the first use, for it takes a MB."""
    packed = files("app.core").joinpath("frequent_passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().split())
