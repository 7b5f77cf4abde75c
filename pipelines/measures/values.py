"""Numbers as the measures take them in, and as they hand them out.

Belongs here: the check at the door and the rounding at the edge, the same for every measure. Does not belong
here: any measure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

DIGITS: Final = 6
NORMAL_95: Final = 1.959964  # as in sql/macros.sql: both ways to the same interval must agree to the last digit


def read_numbers(values: ArrayLike, name: str) -> Floats:
    """One row of numbers as an array; raises `ValueError`, which shows none of them, unless all are finite.

    `name` says in the message what was given.
    """
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: only numbers can be measured") from None
    if numbers.ndim != 1:
        raise ValueError(f"{name}: one row of numbers is needed, not {numbers.ndim} dimensions")
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name}: a number is missing or infinite; leave it out before measuring")
    return numbers


def read_amounts(values: ArrayLike, name: str) -> Floats:
    """One row of numbers of which none is negative, as `read_numbers`."""
    amounts = read_numbers(values, name)
    if (amounts < 0).any():
        raise ValueError(f"{name}: a negative number cannot be an amount")
    return amounts


def check_same_length(name: str, *rows: Sequence[object] | NDArray[np.generic]) -> None:
    """Raise `ValueError` unless rows that belong together are equally long."""
    lengths = [len(row) for row in rows]
    if len(set(lengths)) > 1:
        raise ValueError(f"{name}: lists that belong together have lengths {lengths}")


def publish(value: float | None) -> float | None:
    """A number as it leaves the package: six digits after the point; None for what is not a number."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), DIGITS) + 0.0  # no minus zero
