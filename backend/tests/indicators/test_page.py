"""The page about the indicators."""

import pytest

from app.indicators import pandas_ta
from app.indicators.catalog import names
from app.indicators.page import PAGE, page


@pytest.mark.skipif(pandas_ta.has_original(), reason="the page is that of pandas-ta-classic")
def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_page_names_every_indicator() -> None:
    text = page()
    assert all(f"ta.{name}(" in text or f"`{name}`" in text for name in names())
