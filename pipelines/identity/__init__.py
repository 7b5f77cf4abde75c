"""Who is meant: one spelling for an account, one explained comparison for two names of a person.

Here belong pure functions over text that a source wrote down. Fetching, joining, history and the decision
what score counts as a match do not: those are the sources' and the SQL's business.
"""

from pipelines.identity.handles import Account, normalise_account, profile_url
from pipelines.identity.names import NameComparison, compare_names, given_key, is_vacancy, surname_key
from pipelines.identity.platforms import PLATFORMS, Fault, Platform

__all__ = [
    "PLATFORMS",
    "Account",
    "Fault",
    "NameComparison",
    "Platform",
    "compare_names",
    "given_key",
    "is_vacancy",
    "normalise_account",
    "profile_url",
    "surname_key",
]
