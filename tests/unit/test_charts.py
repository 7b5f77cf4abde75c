"""Charts: everything is inside the drawing, the same numbers give the same bytes, and words are escaped."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from markupsafe import Markup

from pipelines.site.charts import WIDTH, Line, Mark, columns, lines, marks, percent, plain, round_top

VALUES = st.floats(min_value=0, max_value=1e9, allow_nan=False)
SHARES = st.floats(min_value=0, max_value=1, allow_nan=False)


def shapes(drawing: Markup) -> list[etree._Element]:
    """The elements of a drawing, which must be well-formed XML."""
    return list(etree.fromstring(str(drawing)).iter())


def assert_inside(drawing: Markup) -> None:
    root = shapes(drawing)[0]
    _, above, width, height = (float(number) for number in root.get("viewBox").split())
    for shape in shapes(drawing)[1:]:
        for name in ("x", "x1", "x2", "cx"):
            assert 0 <= float(shape.get(name, 0)) <= width
        for name in ("y", "y1", "y2", "cy"):
            assert above <= float(shape.get(name, above)) <= above + height
        for x, y in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", shape.get("d", "")):
            assert 0 <= float(x) <= width
            assert above <= float(y) <= above + height


@given(st.lists(st.tuples(SHARES, SHARES, SHARES), min_size=1, max_size=8))
def test_marks_and_their_intervals_stay_inside(rows: list[tuple[float, float, float]]) -> None:
    ordered = [sorted(row) for row in rows]
    drawing = marks(
        [Mark("a", value, low, high, heading=str(n % 2)) for n, (low, value, high) in enumerate(ordered)], "n"
    )
    assert_inside(drawing)
    for shape, (low, _, high) in zip(
        [s for s in shapes(drawing) if "range" in s.get("class", "")], ordered, strict=True
    ):
        assert float(shape.get("x1")) == pytest.approx(low * WIDTH, abs=0.06)
        assert float(shape.get("x2")) == pytest.approx(high * WIDTH, abs=0.06)


@given(st.lists(st.one_of(st.none(), VALUES), max_size=60))
def test_columns_are_as_tall_as_their_values_and_gaps_are_told(values: list[float | None]) -> None:
    drawing = columns(values, [(0, "start")], "n")
    assert_inside(drawing)
    drawn = [float(s.get("height")) for s in shapes(drawing) if s.get("class") == "column"]
    told = [value for value in values if value]
    assert len(drawn) == len(told)
    for tall, value in zip(drawn, told, strict=True):
        assert tall == pytest.approx(value / max(told) * max(drawn), abs=0.11)
    assert sum(s.get("class") == "missing" for s in shapes(drawing)) == values.count(None)


@given(st.lists(st.lists(st.one_of(st.none(), VALUES), min_size=2, max_size=30), min_size=1, max_size=2))
def test_lines_stay_inside_and_break_where_nothing_is_known(series: list[list[float | None]]) -> None:
    longest = max(len(values) for values in series)
    padded = [Line(f"line {n}", [*values, *[None] * (longest - len(values))]) for n, values in enumerate(series)]
    drawing = lines(padded, [], "n", plain)
    assert_inside(drawing)
    runs = sum(
        value is not None and (n == 0 or line.values[n - 1] is None)
        for line in padded
        for n, value in enumerate(line.values)
    )
    assert sum(s.tag.endswith("path") for s in shapes(drawing)) == runs


@given(st.lists(VALUES, max_size=20))
def test_the_top_of_a_scale_is_round_and_not_exceeded(values: list[float]) -> None:
    top = round_top(values)
    assert all(value <= top * 1.000001 for value in values)
    factor = top / 10.0 ** math.floor(math.log10(top) + 1e-9)
    assert min(abs(factor - nice) for nice in (1, 2, 5)) < 1e-6


def test_words_are_shown_and_not_obeyed() -> None:
    attack = '"><script>alert(1)</script>'
    drawing = marks([Mark(attack, 0.5, heading=attack)], attack)
    assert [s.tag for s in shapes(drawing) if "script" in s.tag] == []
    assert shapes(drawing)[0].get("aria-label") == attack
    assert attack in [s.text for s in shapes(drawing)]


def test_the_kind_of_evidence_is_told_by_shape() -> None:
    tags = {
        kind: [s.tag for s in shapes(marks([Mark("a", 0.5, kind=kind)], "n")) if "mark" in s.get("class", "")]
        for kind in ("account", "own", "interview", "peer")
    }
    assert tags == {"account": ["circle"], "own": ["circle"], "interview": ["rect"], "peer": ["rect"]}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0%"),
        (0.001, "under 1%"),
        (0.005, "1%"),
        (0.0814, "8%"),
        (0.125, "13%"),
        (0.994, "99%"),
        (0.999, "over 99%"),
        (1.0, "100%"),
    ],
)
def test_shares_in_words_never_round_to_none_or_all(value: float, words: str) -> None:
    assert percent(value) == words


@pytest.mark.parametrize(("value", "words"), [(0.0, "0"), (2.25, "2.2"), (3.0, "3"), (1234.5, "1,234")])
def test_counts_in_words(value: float, words: str) -> None:
    assert plain(value) == words
