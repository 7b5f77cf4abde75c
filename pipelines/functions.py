"""The Python functions that SQL files may call, by the name they have in SQL.

Belongs here: registration only. What the functions do stands in `identity`; what SQL can say by itself stays
in SQL. A model that calls one of these is not part of the portable SQL that also runs on Spark.
"""

from __future__ import annotations

from pipelines.identity.handles import normalise_account
from pipelines.identity.names import compare_names, is_vacancy, surname_key
from pipelines.warehouse import Function

ACCOUNT = "STRUCT(platform VARCHAR, handle VARCHAR, account_id VARCHAR, fault VARCHAR)"
COMPARISON = "STRUCT(surname VARCHAR, given VARCHAR, score DOUBLE)"


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


FUNCTIONS = {
    "normalise_account": Function(_account, ("VARCHAR", "VARCHAR"), ACCOUNT),
    "compare_names": Function(_comparison, ("VARCHAR", "VARCHAR"), COMPARISON),
    "surname_key": Function(lambda text: surname_key(text or ""), ("VARCHAR",), "VARCHAR"),
    "is_vacancy": Function(lambda text: is_vacancy(text or ""), ("VARCHAR",), "BOOLEAN"),
}
