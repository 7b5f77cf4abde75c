"""Measures of the risk that a record-level table carries: how small, how alike and how findable its classes are.

Belongs here: figures about classes of records that agree on some columns. Does not belong here: what is told about
interviews (never a record) and attacks on it (`attacks`).

A missing value is a value: records that lack it form a class of their own. Leaving them out would report the risk
of the others and miss those who stand out by what they did not say.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def class_sizes(records: pd.DataFrame, columns: Sequence[str]) -> pd.Series[int]:
    """How many records each class has: those that agree on all columns, a missing value being one like any other.

    Errors: `ValueError` where there are no records or no columns.
    """
    if records.empty or not columns:
        raise ValueError("risk: there must be records, and columns to compare them on")
    return records.groupby(list(columns), dropna=False, observed=True, sort=True).size()


def k_anonymity(records: pd.DataFrame, columns: Sequence[str]) -> int:
    """The size of the smallest class (L. Sweeney, k-Anonymity, IJUFKS 10 (2002) 557-570)."""
    return int(class_sizes(records, columns).min())


def prosecutor_risk(records: pd.DataFrame, columns: Sequence[str]) -> float:
    """The mean over records of 1 / f, with f the size of the record's class: an attacker knows who took part.

    That is the number of classes over the number of records (F. K. Dankar and K. El Emam, A Method for Evaluating
    Marketer Re-identification Risk, 2010), which is also the one order of operations without rounding error.
    """
    sizes = class_sizes(records, columns)
    return len(sizes) / int(sizes.sum())


def highest_prosecutor_risk(records: pd.DataFrame, columns: Sequence[str]) -> float:
    """1 / f of the smallest class."""
    return 1 / k_anonymity(records, columns)


def sample_uniqueness(records: pd.DataFrame, columns: Sequence[str]) -> float:
    """The share of records that are alone in their class."""
    sizes = class_sizes(records, columns)
    return int((sizes == 1).sum()) / int(sizes.sum())


def delta_presence(records: pd.DataFrame, frame: pd.DataFrame, columns: Sequence[str]) -> float:
    """The highest f / F over classes: how sure it is that somebody of the frame took part.

    M. E. Nergiz, M. Atzori and C. Clifton, Hiding the Presence of Individuals from Shared Databases, SIGMOD 2007.
    Errors: `ValueError` for a class that the frame has fewer of than the records: one of the two is wrong.
    """
    sample, whole = _beside(records, frame, columns)
    return float((sample / whole).max())


def journalist_risk(records: pd.DataFrame, frame: pd.DataFrame, columns: Sequence[str]) -> float:
    """The highest 1 / F over the classes of the records, with F the size of the class in the frame.

    The attacker does not know who took part. Errors: as `delta_presence`.
    """
    _, whole = _beside(records, frame, columns)
    return float((1 / whole).max())


def marketer_risk(records: pd.DataFrame, frame: pd.DataFrame, columns: Sequence[str]) -> float:
    """The mean over records of 1 / F: the share expected to be matched rightly when all of them are matched.

    Errors: as `delta_presence`.
    """
    sample, whole = _beside(records, frame, columns)
    return float((sample / whole).sum() / sample.sum())


def l_diversity(records: pd.DataFrame, columns: Sequence[str], sensitive: str) -> int:
    """The fewest distinct sensitive values in a class, a missing one counting as a value.

    A. Machanavajjhala et al., l-Diversity: Privacy beyond k-Anonymity, ICDE 2006, in its distinct form.
    """
    pairs = class_sizes(records, [*columns, sensitive])
    return int(pairs.groupby(level=list(range(len(columns))), dropna=False).size().min())


def largest_share(records: pd.DataFrame, columns: Sequence[str], sensitive: str) -> float:
    """The largest share that one sensitive value has of a class."""
    pairs = class_sizes(records, [*columns, sensitive])
    by_class = pairs.groupby(level=list(range(len(columns))), dropna=False)
    return float((by_class.max() / by_class.sum()).max())


def t_closeness(records: pd.DataFrame, columns: Sequence[str], sensitive: str) -> float:
    """How far at most the sensitive values of a class are spread otherwise than those of all records.

    The earth mover's distance where all values are equally far apart, which is half the sum of the differences of
    shares (N. Li, T. Li and S. Venkatasubramanian, t-Closeness, ICDE 2007, section 4.2).
    """
    overall = class_sizes(records, [sensitive]) / len(records)
    values = records[sensitive].map(repr)  # so that a missing value keeps its place as a column
    overall = values.value_counts(normalize=True)
    keys = records.groupby(list(columns), dropna=False, observed=True).ngroup()
    shares = pd.crosstab(keys, values, normalize="index")
    return float((shares - overall[shares.columns]).abs().sum(axis=1).max() / 2)


def _beside(
    records: pd.DataFrame, frame: pd.DataFrame, columns: Sequence[str]
) -> tuple[pd.Series[int], pd.Series[int]]:
    """The sizes of the records' classes and of the same classes in the frame, in one order."""
    names = list(columns)
    sample = class_sizes(records, names).rename("sample").reset_index()
    whole = class_sizes(frame, names).rename("whole").reset_index()
    both = sample.merge(whole, on=names, how="left")  # a missing value matches a missing value
    if (both["whole"].fillna(0) < both["sample"]).any():
        raise ValueError("risk: the frame has fewer of a class than the records, so one of the two is wrong")
    return both["sample"], both["whole"]
