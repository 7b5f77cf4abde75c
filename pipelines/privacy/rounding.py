"""Additive controlled rounding of all cells of a study at once (rule D3), under a secret that cannot be guessed.

Belongs here: which multiple of the base each cell is told as. Does not belong here: which cells are told
(`tables`), and whether several of them together tell too much (`attacks`).

Every cell becomes one of the two multiples of the base around its true count, so that all sums of all tables
still add up; a count that is a multiple itself stays what it is. That is L. H. Cox, A Constructive Procedure for
Unbiased Controlled Rounding, JASA 82 (1987) 520-524, here for linked tables as a mixed-integer programme, as in
J.-J. Salazar-González, Controlled Rounding and Cell Perturbation, Mathematical Programming 105 (2006) 583-603.
What a number r says is then what it promises, a truth within base - 1 of r, and knowing the method rules out no
truth in that range:

- Rounding to the nearest multiple would say more: within half a base. So each cell has a dither d between -b/2
  and b/2, drawn evenly by a keyed hash of its name, and the programme minimises the sum of (r - x - d)². A cell
  alone goes up with probability (x mod b) / b: each side is possible for every x between two multiples, and the
  mean over secrets is the truth, as in I. P. Fellegi, Controlled Random Rounding, Survey Methodology 1 (1975)
  123-133. Given r, the nine truths that base 5 allows have likelihoods of 1 2 3 4 5 4 3 2 1 fifths.
- The dither depends on the secret and on the cell's name alone, never on the data or the release. Asking again
  gives the same numbers, so nothing can be averaged away; a truth meets the same threshold in each release.
- A number that was told stays as long as it is within base - 1 of the truth and the sums allow it, whether or
  not the truth behind it has changed: a cell that moves for the sums does not say whether its truth moved.

A multiple of the base is not told as another one: that would lie a whole base away, and every number would have
to promise less. It shortens no range, since r is told for all of its nine truths.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.privacy.cells import Cell
from pipelines.privacy.rules import DisclosureError

# The dither has this many steps, and costs are whole numbers of them: two roundings practically never cost the
# same, so the optimum is one, and neither the order of search nor the number of threads can show in it. By the
# isolation lemma (K. Mulmuley, U. V. Vazirani and V. V. Vazirani, Combinatorica 7 (1987) 105-113) the chance of a
# tie among n cells is below n / STEPS.
STEPS: Final = 1 << 16
# Moving a number that could have stayed costs as much as this many numbers on their wrong side.
HOLD: Final = 32
TIME_LIMIT: Final = 60.0  # seconds; a study takes hundredths of one
_OPTIMAL, _OUT_OF_TIME = 0, 1

Equation = tuple[Cell, Sequence[Cell]]
Floats = NDArray[np.float64]


def canonical(cell: Cell) -> str:
    """A cell as text, the same for the same cell whatever its order in memory."""
    return json.dumps(sorted(cell), ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Dither:
    """The secret thresholds of a study: below which remainder a cell is told as the multiple underneath.

    `salt` is empty, so that a cell has one threshold for ever; another salt gives other thresholds.
    """

    secret: bytes = field(repr=False)
    study_id: str
    salt: str = ""

    def step(self, cell: Cell) -> int:
        """A whole number from 0 to STEPS - 1, even over secrets: HMAC-SHA256 of the study and the cell's name."""
        text = json.dumps(["rounding", self.study_id, self.salt, canonical(cell)], ensure_ascii=False)
        drawn = hmac.digest(self.secret, text.encode("utf-8"), hashlib.sha256)
        return int.from_bytes(drawn[:8], "big") % STEPS

    def cost_of_up(self, cell: Cell, count: int, base: int) -> int:
        """What the upper multiple costs more than the lower one, in steps.

        Half of ((hi - x - d)² - (lo - x - d)²) / b with lo = x - f, hi = lo + b and d = b ((s + ½) / STEPS - ½),
        which is b - f - b (s + ½) / STEPS, here in units of 1 / (2 STEPS): negative for a share f / b of all s.
        """
        return 2 * STEPS * (base - count % base) - base * (2 * self.step(cell) + 1)


def round_jointly(
    truth: Mapping[Cell, int],
    equations: Sequence[Equation],
    base: int,
    dither: Dither,
    held: Mapping[Cell, int] | None = None,
    time_limit: float = TIME_LIMIT,
) -> dict[Cell, int]:
    """Round all cells to multiples of `base` within base - 1 of the truth, so that every equation still holds.

    `equations` are margins and the cells that add up to them (`cells.additive_groups`), `held` the numbers told
    last. The cells come back in canonical order; the same input gives the same numbers on any number of threads.
    Raises `DisclosureError` (D13) where no such rounding exists, where none is found in `time_limit` seconds, and
    where what the solver returns does not pass a check in whole numbers.
    """
    cells = sorted(truth, key=canonical)
    free = [cell for cell in cells if truth[cell] % base]
    costs = [_cost(cell, truth[cell], base, dither, (held or {}).get(cell)) for cell in free]
    try:
        rises = _solve(costs, *_rows(cells, free, truth, equations, base), time_limit) if free else []
        goes_up = dict(zip(free, rises, strict=True))
        told = {cell: truth[cell] - truth[cell] % base + base * goes_up.get(cell, 0) for cell in cells}
        _check(told, truth, equations, base)
    except _NoRounding as error:
        raise DisclosureError(f"D13: study {dither.study_id}: {error}: nothing is told") from None
    return told


class _NoRounding(Exception):  # noqa: N818 - becomes an error where the study's name is known
    pass


def _cost(cell: Cell, count: int, base: int, dither: Dither, held: int | None) -> int:
    lower, stay = count - count % base, 2 * STEPS * base * HOLD
    cost = dither.cost_of_up(cell, count, base)
    if held == lower:
        return cost + stay
    return cost - stay if held == lower + base else cost


def _rows(
    cells: Sequence[Cell],
    free: Sequence[Cell],
    truth: Mapping[Cell, int],
    equations: Sequence[Equation],
    base: int,
) -> tuple[Floats, Floats]:
    """Each equation as a row over the free cells: what goes up makes good what was cut off the parts."""
    column = {cell: place for place, cell in enumerate(free)}
    lower = {cell: truth[cell] // base for cell in cells}
    matrix, needed = np.zeros((len(equations), len(free))), np.zeros(len(equations))
    ordered = sorted(equations, key=lambda equation: [canonical(cell) for cell in (equation[0], *equation[1])])
    for row, (margin, parts) in enumerate(ordered):
        for cell, sign in ((margin, -1), *((part, 1) for part in parts)):
            needed[row] -= sign * lower[cell]
            if cell in column:
                matrix[row, column[cell]] += sign
    return matrix, needed


def _solve(costs: Sequence[int], matrix: Floats, needed: Floats, time_limit: float) -> list[int]:
    """Which of the free cells go up: one binary variable each."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # type: ignore[import-untyped] # slow to load

    result = milp(
        c=np.array(costs, dtype=np.float64),
        integrality=np.ones(len(costs)),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(matrix, needed, needed),
        options={"mip_rel_gap": 0.0, "time_limit": time_limit},
    )
    if result.status == _OUT_OF_TIME:
        raise _NoRounding(f"no proven rounding within {time_limit:g} seconds")
    if result.status != _OPTIMAL:
        raise _NoRounding("there is no rounding that adds up")
    return [round(float(value)) for value in result.x]


def _check(told: Mapping[Cell, int], truth: Mapping[Cell, int], equations: Sequence[Equation], base: int) -> None:
    near = all(abs(told[cell] - truth[cell]) < base and told[cell] >= 0 for cell in truth)
    adds_up = all(told[margin] == sum(told[part] for part in parts) for margin, parts in equations)
    if not (near and adds_up):
        raise _NoRounding("the solver's rounding does not add up")
