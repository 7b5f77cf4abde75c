"""The Python functions that SQL files may call, by the name they have in SQL.

Belongs here: registration only. What the functions do stands in `identity` and `measures`; what SQL can say by
itself stays in SQL. A model that calls one of these is not part of the portable SQL that also runs on Spark.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pipelines.identity.handles import normalise_account
from pipelines.identity.names import compare_names, is_vacancy, surname_key
from pipelines.warehouse import Function

ACCOUNT = "STRUCT(platform VARCHAR, handle VARCHAR, account_id VARCHAR, fault VARCHAR)"
COMPARISON = "STRUCT(surname VARCHAR, given VARCHAR, score DOUBLE)"
SHARES = ("zero_share", "low_share", "middle_share", "heavy_share", "gini", "agreement")
DISTRIBUTION = ", ".join(
    [
        "accounts BIGINT, clusters BIGINT",
        *(f"{name} DOUBLE, {name}_low DOUBLE, {name}_high DOUBLE" for name in SHARES),
        "dip DOUBLE, dip_p_value DOUBLE, shares_reason VARCHAR, gini_reason VARCHAR",
        "agreement_reason VARCHAR, dip_reason VARCHAR, interval_reason VARCHAR",
    ]
)
LATENCY = (
    "replies BIGINT, answered BIGINT, answered_share DOUBLE, median_hours DOUBLE, median_hours_low DOUBLE, "
    "median_hours_high DOUBLE, reason VARCHAR"
)


def _account(platform: str | None, text: str | None) -> dict[str, str | None] | None:
    if platform is None or text is None:
        return None
    account = normalise_account(platform, text)
    return {
        "platform": account.platform,
        "handle": account.handle,
        "account_id": account.account_id,
        "fault": account.fault,
    }


def _comparison(candidate: str | None, councillor: str | None) -> dict[str, str | float] | None:
    if candidate is None or councillor is None:
        return None
    compared = compare_names(candidate, councillor)
    return {"surname": compared.surname, "given": compared.given, "score": compared.score}


# Measures are imported when they are called: they bring numpy, which nothing else of a definition needs.


def _distribution(codes: Sequence[str] | None, posts: Sequence[int] | None, days: float) -> dict[str, Any] | None:
    return None if codes is None or posts is None else _measured(tuple(codes), tuple(posts), days)


@lru_cache(maxsize=64)
def _measured(codes: tuple[str, ...], posts: tuple[int, ...], days: float) -> dict[str, Any]:
    """Areas may hold the same accounts, as Wales and its one type of authority do: those are measured once."""
    from pipelines.measures import distribution_measures

    return dataclasses.asdict(distribution_measures(codes, posts, days))


def _latency(hours: Sequence[float] | None, answered: Sequence[bool] | None) -> dict[str, Any] | None:
    from pipelines.measures import reply_latency

    if hours is None or answered is None:
        return None
    return dataclasses.asdict(reply_latency(hours, answered))


FUNCTIONS = {
    "normalise_account": Function(_account, ("VARCHAR", "VARCHAR"), ACCOUNT),
    "compare_names": Function(_comparison, ("VARCHAR", "VARCHAR"), COMPARISON),
    "surname_key": Function(lambda text: surname_key(text or ""), ("VARCHAR",), "VARCHAR"),
    "is_vacancy": Function(lambda text: is_vacancy(text or ""), ("VARCHAR",), "BOOLEAN"),
    "distribution_measures": Function(
        _distribution, ("VARCHAR[]", "BIGINT[]", "DOUBLE"), f"STRUCT({DISTRIBUTION})"
    ),
    "reply_latency": Function(_latency, ("DOUBLE[]", "BOOLEAN[]"), f"STRUCT({LATENCY})"),
}
