"""Whether a database is up to date is answered without Alembic, and right."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from app.core.errors import ConfigurationError, Unavailable
from app.db import revisions


def test_a_copy_of_the_template_is_at_head(database_url: str) -> None:
    assert revisions.current(database_url) == revisions.head()


def test_an_empty_database_was_never_migrated(empty_database_url: str) -> None:
    assert revisions.current(empty_database_url) is None


def test_a_database_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        revisions.current("postgresql://x@127.0.0.1:1/x")


def test_two_newest_revisions_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, down in (("a", "None"), ("b", '"a"'), ("c", '"a"')):
        text = f'revision: str = "{name}"\ndown_revision: str | None = {down}\n'
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(revisions, "versions_folder", lambda: tmp_path)
    with pytest.raises(ConfigurationError, match="2 newest migrations: b, c"):
        revisions.head()


def asked(url: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "app.db.revisions"],
        env={"DATABASE_URL": url},
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


def at_revision(url: str, revision: str) -> str:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE alembic_version SET version_num = %s", (revision,))
    return url


def test_the_exit_code_says_it(database_url: str, empty_database_url: str) -> None:
    assert asked(database_url) == (0, "")
    assert asked(empty_database_url) == (5, "")
    assert asked(at_revision(database_url, "0001")) == (3, "")
    code, said = asked(at_revision(database_url, "9999"))
    assert (code, "does not know: a newer one made it" in said) == (4, True)
    code, said = asked("postgresql://x@127.0.0.1:1/x")
    assert (code, "does not answer" in said) == (4, True)


def test_no_heavy_library_is_needed() -> None:
    script = "import sys, app.db.revisions, app.supervisor\n"
    script += "heavy = ('alembic', 'sqlalchemy', 'pydantic', 'asyncpg', 'asyncio')\n"
    script += "print([m for m in heavy if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
