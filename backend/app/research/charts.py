"""Charts as SVG text: a curve, a filled drawdown, bars; colours come from the page's style."""

from collections.abc import Sequence

import numpy as np

from app.research.performance import Floats

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 1040, 260, 76, 12, 24, 24


def line_chart(series: str, values: Floats, labels: Sequence[str], base: float) -> str:
    """A curve over evenly spaced points; a drawdown is filled from zero down."""
    low, high = min(float(values.min()), base), max(float(values.max()), base)
    room = (high - low or max(abs(high), 1.0)) * 0.04
    low, high = low - room, high + (0.0 if series == "drawdown" else room)
    xs = np.linspace(LEFT, WIDTH - RIGHT, len(values)) if len(values) > 1 else np.array([LEFT])
    ys = _heights(values, low, high)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs.tolist(), ys.tolist(), strict=True))
    if series == "drawdown":
        zero = float(_heights(np.zeros(1), low, high)[0])
        shape = f'<polygon class="fall" points="{LEFT},{zero:.1f} {path} {xs[-1]:.1f},{zero:.1f}"/>'
    else:
        shape = f'<polyline class="equity" points="{path}"/>'
    ticks = _x_ticks(labels)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{series}"'
        f' data-series="{series}" data-left="{LEFT}" data-width="{WIDTH - LEFT - RIGHT}">'
        f"{_y_grid(low, high, is_share=series == 'drawdown')}{ticks}{shape}"
        f'<line class="cursor" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/></svg>'
    )


def bar_chart(results: Sequence[float]) -> str:
    """A bar a round trip, in order of exit; neighbours are added up where there are too many."""
    if not results:
        return "<p>There was no round trip.</p>"
    groups = [float(part.sum()) for part in np.array_split(results, min(len(results), 240))]
    values = np.array(groups)
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    zero = float(_heights(np.zeros(1), low, high)[0])
    step = (WIDTH - LEFT - RIGHT) / len(values)
    bars = []
    for index, y in enumerate(_heights(values, low, high).tolist()):
        kind = "bar-up" if groups[index] >= 0 else "bar-down"
        bars.append(
            f'<rect class="{kind}" x="{LEFT + index * step:.1f}" y="{min(y, zero):.1f}"'
            f' width="{max(step - 1, 0.6):.1f}" height="{max(abs(y - zero), 0.5):.1f}"/>'
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="results">'
        f"{_y_grid(low, high, is_share=False)}{''.join(bars)}</svg>"
    )


def _heights(values: Floats, low: float, high: float) -> Floats:
    span = high - low or 1.0
    heights: Floats = HEIGHT - BOTTOM - (values - low) / span * (HEIGHT - TOP - BOTTOM)
    return heights


def _y_grid(low: float, high: float, *, is_share: bool) -> str:
    lines = []
    for value in _round_steps(low, high):
        y = float(_heights(np.array([value]), low, high)[0])
        text = f"{value:.2%}" if is_share else compact(value)
        lines.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        )
    return "".join(lines)


def _round_steps(low: float, high: float) -> list[float]:
    """About five round numbers between low and high."""
    span = high - low
    if span <= 0:
        return [low]
    power = 10.0 ** np.floor(np.log10(span / 5))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 5)
    return [float(n * step) for n in range(int(np.ceil(low / step)), int(high // step) + 1)]


def _x_ticks(labels: Sequence[str]) -> str:
    spots = np.linspace(0, len(labels) - 1, min(6, len(labels))).astype(int).tolist()
    y = HEIGHT - 6
    texts = []
    for spot in dict.fromkeys(spots):
        x = LEFT + (WIDTH - LEFT - RIGHT) * spot / max(len(labels) - 1, 1)
        anchor = "start" if spot == 0 else "end" if spot == len(labels) - 1 else "middle"
        texts.append(f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{labels[spot]}</text>')
    return "".join(texts)


def compact(value: float) -> str:
    """A number as an axis shows it."""
    return f"{value:,.2f}" if abs(value) < 10_000 else f"{value:,.0f}"
