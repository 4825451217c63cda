"""Whether a database is at the newest migration: answered in milliseconds, without Alembic.

`python -m app.db.revisions` does it for DATABASE_URL: exit code 0 at head, 3 behind, 4 unreachable.
"""

import re
import sys
from pathlib import Path
from typing import Final

import psycopg2

from app.core.environment import project_root, variable
from app.core.errors import ConfigurationError, Unavailable

AT_HEAD: Final = 0
BEHIND: Final = 3
UNREACHABLE: Final = 4


def versions_folder() -> Path:
    return project_root() / "backend" / "alembic" / "versions"


def head() -> str | None:
    """The revision that no other one builds on; None while there are no migrations."""
    known: set[str] = set()
    built_on: set[str] = set()
    for file in versions_folder().glob("*.py"):
        text = file.read_text()
        known |= set(re.findall(r'^revision\b[^=]*= "(\w+)"', text, re.MULTILINE))
        built_on |= set(re.findall(r'^down_revision\b[^=]*= "(\w+)"', text, re.MULTILINE))
    heads = known - built_on
    if len(heads) > 1:
        raise ConfigurationError(
            f"There are {len(heads)} newest migrations: {', '.join(sorted(heads))}.",
            remedy="Join them with `alembic merge heads`.",
        )
    return heads.pop() if heads else None


def current(url: str) -> str | None:
    """The revision a database is at; None when it was never migrated.

    Raises Unavailable when it does not answer.
    """
    try:
        connection = psycopg2.connect(url, connect_timeout=5)
    except psycopg2.OperationalError as error:
        raise Unavailable(f"The database does not answer: {str(error).strip()}") from None
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
            if not (cursor.fetchone() or (False,))[0]:
                return None
            cursor.execute("SELECT version_num FROM alembic_version")
            row = cursor.fetchone()
            return str(row[0]) if row else None
    finally:
        connection.close()


def main() -> int:
    try:
        return AT_HEAD if current(variable("DATABASE_URL")) == head() else BEHIND
    except Unavailable as error:
        sys.stderr.write(f"{error}\n")
        return UNREACHABLE


if __name__ == "__main__":
    sys.exit(main())
