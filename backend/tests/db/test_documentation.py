"""docs/database.md is drawn from the models, and is up to date."""

from collections import Counter

from app.core.environment import project_root
from app.db import documentation
from app.db.base import Base


def test_the_page_is_up_to_date() -> None:
    page = (project_root() / documentation.DOCUMENT).read_text()
    assert documentation.rendered(page) == page, "Run `python -m app.db.documentation`."


def test_every_table_is_drawn_once() -> None:
    drawn = Counter(name for names in documentation.AREAS.values() for name in names)
    assert drawn == Counter(list(Base.metadata.tables))


def test_a_relation_shows_how_many() -> None:
    drawn = documentation.generated()
    assert 'accounts ||--o{ orders : "account_id"' in drawn
    assert 'orders |o--o{ executions : "order_id"' in drawn
    assert 'instruments ||--o| option_contracts : "id"' in drawn


def test_drawing_it_again_changes_nothing() -> None:
    path = project_root() / documentation.DOCUMENT
    before = path.read_text()
    documentation.main()
    assert path.read_text() == before
