"""Whether a database is at the newest migration: answered in milliseconds, without Alembic.

`python -m app.db.revisions` does it for DATABASE_URL: exit code 0 at head, 3 behind, 4 of no use
(unreachable, or of a newer program), 5 never migrated.
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
UNUSABLE: Final = 4
NEW: Final = 5
_REVISION: Final = re.compile(r'^revision\b[^=]*= "(\w+)"', re.MULTILINE)
_BUILT_ON: Final = re.compile(r'^down_revision\b[^=]*= "(\w+)"', re.MULTILINE)


def versions_folder() -> Path:
    return project_root() / "backend" / "alembic" / "versions"


def known() -> set[str]:
    """Every revision that this program can migrate from."""
    return {one for text in _texts() for one in _REVISION.findall(text)}


def _texts() -> list[str]:
    return [file.read_text() for file in versions_folder().glob("*.py")]


def head() -> str | None:
    """The revision that no other one builds on; None while there are no migrations."""
    heads = known() - {one for text in _texts() for one in _BUILT_ON.findall(text)}
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
        found = current(variable("DATABASE_URL"))
    except Unavailable as error:
        sys.stderr.write(f"{error}\n")
        return UNUSABLE
    if found is None:
        return NEW
    if found not in known():
        sys.stderr.write(
            f"The database has revision {found}, which this program does not know: a newer one"
            " made it. Start that one, or restore a backup of before.\n"
        )
        return UNUSABLE
    return AT_HEAD if found == head() else BEHIND


if __name__ == "__main__":
    sys.exit(main())
