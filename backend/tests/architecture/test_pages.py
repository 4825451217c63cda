"""The pages of docs/ that are made from the code say what the code says."""

from pathlib import Path

import psycopg2
import pytest
from typer.main import get_command

from app.cli import COMMANDS, app
from app.console.reference import MAKERS, Page
from app.domain.denials import MEANING, Denial
from app.domain.limits import EXPLANATIONS, Limits
from app.risk import page as limits_page
from app.risk.rules import ADDITIONS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("page", Page)
def test_a_page_is_what_the_code_makes_of_it(page: Page) -> None:
    made = MAKERS[page](get_command(app))
    written = (ROOT / "docs" / f"{page}.md").read_text()
    assert written == made, f"run: tradewright reference {page} > docs/{page}.md"


def test_the_command_line_page_has_every_command() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    assert [name for name in COMMANDS if f"\n## {name}\n" not in page] == []


def test_every_limit_and_every_code_is_explained() -> None:
    assert tuple(EXPLANATIONS) == Limits.__struct_fields__
    assert list(MEANING) == list(Denial)


def test_every_limit_behind_a_denial_exists() -> None:
    assert set(limits_page.LIMIT_OF.values()) <= set(Limits.__struct_fields__)


def test_codes_stand_in_the_order_in_which_rules_are_asked() -> None:
    """The page says so; a rule's name and its code differ, so each is found in its source."""
    asked = [
        next(code for code in Denial if f"Denial.{code.name}" in _source_of(rule.__name__))
        for rule in ADDITIONS
    ]
    assert asked == [code for code in Denial if code in asked]


def _source_of(rule: str) -> str:
    text = (ROOT / "backend" / "app" / "risk" / "rules.py").read_text()
    return text.split(f"def {rule}(")[1].split("\ndef ")[0]


def test_the_table_of_settings_explains_limits_in_the_same_words(database_url: str) -> None:
    with psycopg2.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT key, description FROM system_config WHERE scope = 'all'")
        assert dict(cursor.fetchall()) == EXPLANATIONS
