"""The home page: find a council, what the evidence says of each claim, and what there is to download.

Belongs here: choosing rows of the newest release and putting them into sentences and charts. Does not belong here:
any number of its own; what a sentence says stands in the table under its chart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from pipelines.site.charts import Line, Mark, lines, marks, percent
from pipelines.site.page import Page
from pipelines.site.released import Released, Row

ACCOUNTS = "accounts"  # in findings.evidence; anything else there is the name of a study
GROUPS = {
    (True, "council"): "councils’ accounts",
    (True, "councillor"): "councillors’ accounts",
    (False, "councillor"): "interviews with councillors",
    (False, "officer"): "interviews with officers",
    (False, "other_or_not_stated"): "other interviews",
    (False, "all"): "all interviews",
}
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Claim:
    """A claim of the research with the newest evidence: sentences, a chart, all rows, and the limits."""

    id: str
    text: str
    sentences: tuple[str, ...]
    chart: Markup | None
    rows: tuple[Row, ...]
    cannot_say: tuple[str, ...]
    is_synthetic: bool


def home_page(released: Released) -> Page:
    """The page `index.html`."""
    return Page(
        "index.html",
        released.manifest.title,
        "home.html",
        {
            "claims": claims(released),
            "councils": councils(released),
            "hours": hours_chart(released),
            "releases": list(reversed(released.manifests)),
            "next_expected": released.next_expected,
        },
    )


# --- the claims of the research -----------------------------------------------------------------------------


def claims(released: Released) -> list[Claim]:
    """Every claim with what interviews and accounts say of it for England and for whole studies."""
    if not released.has("findings"):
        return []
    rows = released.rows(
        "select * from findings where area_kind in ('nation', 'study') "
        "order by claim_id, evidence <> ?, evidence, measure, subject_group",
        [ACCOUNTS],
    )
    told = {name: _claim(name, list(found)) for name, found in groupby(rows, key=lambda row: str(row["claim_id"]))}
    # The contract lists the claims in the order of the research.
    listed = [name for rule in released.contracts["findings"].column("claim_id").rules for name in rule.allowed]
    return [told[name] for name in dict.fromkeys([*listed, *told]) if name in told]


def _claim(name: str, rows: list[Row]) -> Claim:
    shown = [row for row in rows if row["unit"] == "share" and row["value"] is not None and not _is_total(row)]
    chart = marks([_mark(row) for row in shown], _chart_name(rows[0], shown)) if shown else None
    return Claim(
        id=name,
        text=str(rows[0]["claim"]),
        sentences=tuple(_sentences(rows)),
        chart=chart,
        rows=tuple({**row, "group": group_words(row), "words": value_words(row)} for row in rows),
        cannot_say=tuple(sorted({str(row["cannot_say"]) for row in rows})),
        is_synthetic=any(row["is_synthetic"] for row in rows),
    )


def _is_total(row: Row) -> bool:
    """Whether a row sums up groups that stand beside it."""
    return bool(row["evidence"] != ACCOUNTS and row["subject_group"] == "all")


def _mark(row: Row) -> Mark:
    return Mark(
        label=_capital(group_words(row)),
        value=row["value"],
        low=row["value_low"],
        high=row["value_high"],
        kind="account" if row["evidence"] == ACCOUNTS else "interview",
        heading=_capital(str(row["measure"]).removeprefix("mentions: ")),
    )


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _chart_name(row: Row, shown: Sequence[Row]) -> str:
    return f"Chart for the claim: {row['claim']} {len(shown)} shares from 0 to 100%; the table below has them all."


def group_words(row: Row) -> str:
    """Whom a row of the findings is about, in words."""
    return GROUPS.get((row["evidence"] == ACCOUNTS, str(row["subject_group"])), str(row["subject_group"]))


def value_words(row: Row) -> str | None:
    """The value of a row of the findings with its unit; None where it is withheld."""
    if row["value"] is None:
        return None
    if row["unit"] == "share":
        return percent(row["value"])
    return f"{row['value']:.1f} hours" if row["unit"] == "hours" else f"{row['value']:.2f}"


def _sentences(rows: Sequence[Row]) -> Iterator[str]:
    """A sentence for every measure that is a share or a time and is not withheld."""
    told = [row for row in rows if row["unit"] in ("share", "hours") and row["value"] is not None]
    for (evidence, measure), found in groupby(told, key=lambda row: (row["evidence"], str(row["measure"]))):
        parts = [f"{value_words(row)} of {group_words(row)}" for row in found if not _is_total(row)]
        if evidence == ACCOUNTS:
            yield f"{_capital(measure)}: {_listed(_without_of(parts, measure))}."
        elif parts:
            yield f"“{measure.removeprefix('mentions: ')}” was mentioned in {_listed(parts)}."


def _without_of(parts: Iterable[str], measure: str) -> list[str]:
    """Parts of a sentence about accounts: a share of posts belongs to accounts, it is not a share of accounts."""
    return list(parts) if measure.startswith("accounts") else [part.replace(" of ", " for ", 1) for part in parts]


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


# --- hours of the week --------------------------------------------------------------------------------------


def hours_chart(released: Released) -> Markup | None:
    """The share of posts in each hour of the week in England, by kind of owner; None where there is none."""
    if not released.has("hourly_profile"):
        return None
    rows = released.rows(
        "select owner_kind, hour_of_week, share_by_account from hourly_profile "
        "where area_kind = 'nation' and area = 'England' order by owner_kind desc, hour_of_week"
    )
    series = [
        Line(GROUPS[True, str(kind)], [row["share_by_account"] for row in found])
        for kind, found in groupby(rows, key=lambda row: row["owner_kind"])
    ]
    series = [line for line in series if any(value is not None for value in line.values)]
    if not series:
        return None
    ticks = [(24 * n, day) for n, day in enumerate(DAYS)]
    name = "Share of posts in each hour of the week, London time; the dataset hourly_profile has all numbers."
    return lines(series, ticks, name, lambda share: f"{share * 100:g}%")


# --- councils -----------------------------------------------------------------------------------------------


def councils(released: Released) -> list[tuple[str, list[Row]]]:
    """All authorities by nation or English region, those that exist before those that do not, by name."""
    rows = released.rows(
        "select authority_code, nice_name, official_name, nation, valid_to, "
        "coalesce(case when nation = 'England' then region else nation end, nation, 'Elsewhere') as area "
        "from authorities order by area, valid_to is not null, nice_name, authority_code"
    )
    return [(str(area), list(found)) for area, found in groupby(rows, key=lambda row: row["area"])]
