"""Charts as inline SVG: marks on one scale, columns over time, and lines over the hours of a week.

Belongs here: turning numbers into shapes. Does not belong here: which numbers, and the table that stands under
every chart. Shapes have classes and no colours: those are the stylesheet's, so that a chart prints and keeps its
contrast; what matters is told by form and words as well. Text is sized for a narrow telephone, where the whole
drawing shrinks with the page. Coordinates have one decimal, so that the same numbers give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from markupsafe import Markup

WIDTH = 420.0
ROW = 38.0  # a label, and its mark under it
HEADING = 26.0
AXIS = 26.0
PLOT = 150.0  # the height of columns and lines
LEFT = 44.0  # where columns and lines begin, after the numbers of their scale
Kind = Literal["account", "interview", "own", "peer"]


@dataclass(frozen=True)
class Mark:
    """One row of a chart of marks: a value, an interval or range around it, and what kind of evidence it is.

    Rows of the same `heading` that follow each other stand under it.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    kind: Kind = "account"
    heading: str | None = None


@dataclass(frozen=True)
class Line:
    """One line of a chart; a gap where there is no value."""

    label: str
    values: Sequence[float | None]


def percent(value: float) -> str:
    """A share as people read it: 0.0814 is 8 %, and what rounds to nothing or all says that it is not."""
    if 0 < value < 0.005:
        return "under 1%"
    if 0.995 <= value < 1:
        return "over 99%"
    return f"{math.floor(value * 100 + 0.5)}%"


def plain(value: float) -> str:
    """A count or a mean with thousands set apart, and one decimal where it is small and not whole."""
    return f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:,.1f}"


# --- marks on one scale -------------------------------------------------------------------------------------


def marks(rows: Sequence[Mark], name: str, top: float = 1.0, words: Callable[[float], str] = percent) -> Markup:
    """Marks below each other on a scale from 0 to `top`, with intervals where there are any.

    `name` is what a screen reader says of the whole; the numbers themselves stand in the table under the chart.
    """
    scale, y, drawn = WIDTH / (top or 1.0), 0.0, []
    for before, row in zip([None, *rows], rows, strict=False):
        if row.heading and (before is None or before.heading != row.heading):
            drawn.append(_text(0, y + 18, row.heading, "label heading"))
            y += HEADING
        drawn += _mark(row, y, scale, words)
        y += ROW
    return _drawing([*_grid(top, words, y + AXIS), *drawn], y + AXIS, name)


def _grid(top: float, words: Callable[[float], str], height: float) -> Iterator[Markup]:
    for n in range(5):
        x = WIDTH * n / 4
        yield _rule(x, 0, x, height - AXIS, "grid")
        yield _text(x, height - 8, words(top * n / 4), "tick", ("start", "middle", "middle", "middle", "end")[n])


def _mark(row: Mark, line: float, scale: float, words: Callable[[float], str]) -> Iterator[Markup]:
    y, x = line + 27, min(row.value * scale, WIDTH)
    yield _text(0, line + 14, row.label, "label")
    yield _text(WIDTH, line + 14, words(row.value), "value", "end")
    yield _rule(0, y, WIDTH, y, "track")
    if row.low is not None and row.high is not None:
        yield _rule(row.low * scale, y, min(row.high * scale, WIDTH), y, f"range {row.kind}")
    at = min(max(x, 5), WIDTH - 5)
    if row.kind in ("interview", "peer"):  # a square, so that colour is not needed to tell the two apart
        yield Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="10" height="10"/>').format(
            f"mark {row.kind}", at - 5, y - 5
        )
    else:
        yield Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="5.5"/>').format(f"mark {row.kind}", at, y)


# --- over time ----------------------------------------------------------------------------------------------


def columns(values: Sequence[float | None], ticks: Sequence[tuple[int, str]], name: str) -> Markup:
    """A column per value; where there is none, a dash on the base says so. `ticks` are positions and words."""
    top = round_top(values)
    step = (WIDTH - LEFT) / max(len(values), 1)
    parts = [*_scale(top)]
    for n, value in enumerate(values):
        x = LEFT + n * step
        if value is None:
            parts.append(_text(x + step / 2, PLOT - 3, "–", "missing", "middle"))
        elif value:
            tall = value / top * (PLOT - 12)
            parts.append(
                Markup('<rect class="column" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                    x + step * 0.1, PLOT - tall, step * 0.8, tall
                )
            )
    parts += _time_ticks(ticks, step)
    return _drawing(parts, PLOT + AXIS, name)


def lines(
    series: Sequence[Line], ticks: Sequence[tuple[int, str]], name: str, words: Callable[[float], str]
) -> Markup:
    """Lines over the same positions, each named at the top, the second dashed so that colour is not needed."""
    top = round_top(value for line in series for value in line.values)
    step = (WIDTH - LEFT) / max(max((len(line.values) for line in series), default=1) - 1, 1)
    parts = [*_scale(top, words)]
    for number, line in enumerate(series):
        kind = f"line line-{number}"
        points = list(enumerate(line.values))
        for is_gap, run in groupby(points, key=lambda point: point[1] is None):
            if not is_gap:
                parts.append(
                    _path([(LEFT + n * step, PLOT - (value or 0) / top * (PLOT - 12)) for n, value in run], kind)
                )
        x = LEFT + number * (WIDTH - LEFT) / max(len(series), 1)
        parts += [_rule(x + 4, -8, x + 26, -8, kind), _text(x + 32, -4, line.label, "tick")]
    parts += _time_ticks(ticks, step)
    return _drawing(parts, PLOT + AXIS, name, above=20)


def _scale(top: float, words: Callable[[float], str] = plain) -> Iterator[Markup]:
    for part in (0.0, 0.5, 1.0):
        y = PLOT - part * (PLOT - 12)
        yield _rule(LEFT, y, WIDTH, y, "grid")
        yield _text(LEFT - 6, y + 4, words(top * part), "tick", "end")


def _time_ticks(ticks: Sequence[tuple[int, str]], step: float) -> list[Markup]:
    return [_text(LEFT + n * step, PLOT + 18, words, "tick") for n, words in ticks]


def round_top(values: Iterable[float | None]) -> float:
    """The least 1, 2 or 5 times a power of ten that no value exceeds; 1 where all are as good as nothing."""
    highest = max((value for value in values if value), default=0.0)
    if highest < 1e-9:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= highest * 0.999999)


# --- shapes -------------------------------------------------------------------------------------------------


def _drawing(parts: Sequence[Markup], height: float, name: str, above: float = 0) -> Markup:
    frame = Markup('<svg class="chart" viewBox="0 {:.0f} {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg>')
    return frame.format(-above, WIDTH, height + above, name, Markup("").join(parts))


def _text(x: float, y: float, words: str, style: str, anchor: str = "start") -> Markup:
    end = Markup(' text-anchor="{}"').format(anchor) if anchor != "start" else ""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}"{}>{}</text>').format(style, x, y, end, words)


def _rule(x: float, y: float, to_x: float, to_y: float, style: str) -> Markup:
    shape = Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>')
    return shape.format(style, x, y, to_x, to_y)


def _path(points: Sequence[tuple[float, float]], style: str) -> Markup:
    steps = " ".join(f"{'M' if n == 0 else 'L'}{x:.1f} {y:.1f}" for n, (x, y) in enumerate(points))
    return Markup('<path class="{}" d="{}"/>').format(style, steps)
