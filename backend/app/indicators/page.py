"""The page docs/indicators.md, made from the catalogue: `python -m app.indicators.page`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from app.indicators import catalog, pandas_ta
from app.indicators.memory import RESIDUAL

MANY: Final = 12
PAGE: Final = Path(__file__).parents[3] / "docs" / "indicators.md"
INTRODUCTION: Final = f"""\
# Indicators

This page is made from the catalogue by `python -m app.indicators.page`; a test keeps it true.

Every indicator is a function from columns to columns of the same length. Row *i* is built from rows
up to *i* only, so appending bars never changes an earlier row, bit for bit. Rows are `NaN` until
there are enough; a row with a hole in its input is left out of the calculation and stays `NaN`.

```python
from tradewright import ta

average = ta.sma(bars["close"], 20)                     # ours: typed functions
bands = ta.bollinger(bars["close"], length=20)          # several columns: bands.upper, bands.lower
kama = ta.kama(bars["close"], length=10)                # every name of the catalogue
bars_needed = ta.ema.lookback(length=20)                # or ta.lookback("ema", length=20)
```

**Memory** says how much of the past a value knows, and the lookback of a strategy follows from it:

- *finite*: the last rows and no other.
- *decaying*: older rows fade; after `lookback` rows what came before weighs {RESIDUAL:g} at most.
- *cumulative*: everything since the session began. These need the column `session` and start anew
  when it changes, so they are for bars shorter than a session. What averages one over rows of the
  session before needs a lookback of a session's bars more.

**Pane** says where a chart draws it: over the prices, or in a pane of its own.
"""
FAMILY: Final = """\
## The pandas-ta family

From pandas-ta-classic; where the original `pandas-ta` is installed (Python 3.12 or newer, extra
`pandas-ta`), from that, as far as it has proved to be interchangeable. Their lookback was measured,
not derived: on made-up markets (usual, calm, wild, falling, rising) it no longer mattered what came
before. Parameters not listed here keep the library's defaults.
"""


def page() -> str:
    """The whole page."""
    found = catalog.describe_all()
    own = [one for one in found if one["source"] == "ta-lib"]
    family = [one for one in found if one["source"] == "pandas-ta"]
    return "\n".join(
        [
            INTRODUCTION,
            "## Over TA-Lib\n",
            *(section(one) for one in own),
            FAMILY,
            *family_table(family),
            "\n## Not offered\n",
            *excluded(),
            "",
        ]
    )


def section(found: dict[str, Any]) -> str:
    """One of ours, in full."""
    call = ", ".join([*found["inputs"], *(f"{k}={v!r}" for k, v in found["defaults"].items())])
    lines = [
        f"### {found['name']}: {found['title'].lower()}\n",
        f"`ta.{found['name']}({call})` → `{', '.join(found['outputs'])}`\n",
        f"{found['description']}\n",
    ]
    for name, schema in found["parameters_schema"]["properties"].items():
        bounds = f"{schema['minimum']:g} to {schema['maximum']:g} {schema.get('unit', '')}".strip()
        lines.append(f"- `{name}`: {schema['description'].rstrip('.').lower()}; {bounds}")
    summary = f"{found['group']}, {found['pane']} pane, {found['memory']}"
    lines.append(f"\nGroup {summary}; lookback with the defaults {found['lookback']}.\n")
    return "\n".join(lines)


def family_table(family: list[dict[str, Any]]) -> Iterator[str]:
    yield "| name | title | group | pane | from | parameters | gives | memory | lookback |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for found in family:
        parameters = ", ".join(f"{name} {value}" for name, value in found["defaults"].items())
        outputs = found["outputs"]
        gives = ", ".join(outputs) if len(outputs) <= MANY else f"{len(outputs)} columns"
        cells = (
            *(f"`{found['name']}`", found["title"], found["group"], found["pane"]),
            *(", ".join(found["inputs"]), parameters, gives, found["memory"], found["lookback"]),
        )
        yield f"| {' | '.join(str(cell) for cell in cells)} |"


def excluded() -> Iterator[str]:
    """Why the rest of the family is missing."""
    for name, reason in sorted(pandas_ta.table().excluded.items()):
        yield f"- `{name}`: {reason}."


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
