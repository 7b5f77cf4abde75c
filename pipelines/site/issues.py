"""The page of known issues: what is wrong or missing in the newest release, by gravity and by who mends it.

Belongs here: words for the rules of `data_issues`, and the order of the list. Does not belong here: counting
issues, which the dataset does, and rows that show them, which nobody publishes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from pipelines.release.manifest import Manifest
from pipelines.site.page import Page

DATASET = "data_issues"
SHOWN = 60  # issues of a group on the page; all are in the dataset

# What the rows are that a rule of sql/model/issue.sql counts. A test finds rules without words.
_LISTED_ACCOUNT = "accounts that a list gives for a candidate"
RULES: Mapping[str, str] = {
    "account_failed": "accounts that gave no usable answer when they were last asked",
    "account_moved": "accounts that name another account as their successor",
    "account_never_answered": "accounts that never gave a usable answer",
    "account_of_unknown_authority": "accounts listed for a body that the register of authorities does not know",
    "account_on_dissolved_authority": "accounts still listed for an authority that has been abolished",
    "account_on_split_authority": "accounts of an abolished authority with more than one successor",
    "account_opted_out": "accounts that ask not to be indexed or shown to the public, so they are not read",
    "account_repaired": "accounts whose address was misspelt in the source in a way that leaves one reading",
    "account_restricted": "accounts shown only to those signed in, so they cannot be read",
    "account_shared_by_authorities": "accounts that are listed for several authorities at once",
    "account_unavailable": "accounts that the platform no longer shows",
    "account_unusable": "entries that should name an account and from which none can be read",
    "authority_unknown_to_register": "authorities in the list of meeting systems that the register does not know",
    "ballot_for_unknown_council": "elections for a council that could not be found in the register",
    "ballot_not_for_council": "elections in the list of candidates that are not for a council; they are left out",
    "candidate_account_bad_characters": f"{_LISTED_ACCOUNT}, with characters that no account can have",
    "candidate_account_broken_host": f"{_LISTED_ACCOUNT}, with a misspelt address that leaves one reading",
    "candidate_account_email_address": f"{_LISTED_ACCOUNT} and that are e-mail addresses; they are not stored",
    "candidate_account_empty_cell": f"{_LISTED_ACCOUNT} and that say nothing",
    "candidate_account_empty_profile": f"{_LISTED_ACCOUNT}, with the platform’s address and no name",
    "candidate_account_incomplete_handle": f"{_LISTED_ACCOUNT}, with a name that lacks its server",
    "candidate_account_not_a_profile": f"{_LISTED_ACCOUNT} and that lead to a post, a group or a search",
    "candidate_account_other_platform": f"{_LISTED_ACCOUNT}, in the column of another platform",
    "candidate_account_several_accounts": f"{_LISTED_ACCOUNT}, several in one cell",
    "candidate_account_shared": "accounts that candidates of different surnames give as theirs; not counted",
    "candidate_account_too_long": f"{_LISTED_ACCOUNT}, longer than any account’s name can be",
    "candidate_account_unknown_host": f"{_LISTED_ACCOUNT}, at a server that could not be recognised",
    "candidate_match_ambiguous": "councillors whose name fits more than one candidate; they are not counted",
    "gss_code_out_of_date": "authorities whose statistical code in the register has been replaced",
    "post_dated_implausibly": "posts with a date that cannot be right",
    "roster_of_unknown_council": "lists of councillors whose council could not be told from its name",
    "seats_differ_from_control": "councils whose number of seats differs between two files of one source",
    "seats_known": "authorities for which the number of seats is not known",
}
# Followed by the name of a field.
FIELD_RULES: Mapping[str, str] = {
    "missing_field": "the source no longer has the field",
    "new_field": "the source has a new field, which is not read: the field",
}
# Rules of contracts are named after their column, with one of these at the end.
ENDINGS: Mapping[str, str] = {
    "_allowed": "rows with a value that is not on the list in",
    "_length": "rows with a text that is too long or too short in",
    "_pattern": "rows with a value that has not the expected form in",
    "_range": "rows with a number outside of the expected range in",
    "_required": "rows without a value in",
    "_type": "rows with something other than the expected type in",
    "_unique": "rows that repeat a value in",
}


@dataclass(frozen=True)
class Issue:
    """One row of `data_issues`."""

    dataset: str
    rule: str
    source: str
    severity: str
    responsibility: str
    rows_affected: int
    first_seen_on: dt.date


@dataclass(frozen=True)
class Group:
    """Issues of one severity that the same side has to mend; `rest` is how many more there are than shown."""

    id: str
    title: str
    meaning: str
    issues: tuple[Issue, ...]
    rest: int

    @property
    def total(self) -> int:
        """All issues of the group."""
        return len(self.issues) + self.rest


# Severity and responsibility as the dataset has them, the gravest first, with a heading and what it means.
GROUPS = (
    (
        "critical",
        "us",
        "Left out, and ours to mend",
        "These rows broke a rule and are not published until we mend them.",
    ),
    (
        "critical",
        "source",
        "Left out, and the source’s to mend",
        "These rows broke a rule and are not published until their source mends them.",
    ),
    ("warning", "us", "Published as it is, and ours to mend", "Know this before you rely on them."),
    (
        "warning",
        "source",
        "Published as it is, and the source’s to mend",
        "We read these as the source gives them, or leave out what cannot be read.",
    ),
)


def read_issues(folder: Path) -> list[Issue]:
    """The issues that a release publishes; empty where it has no dataset of them."""
    path = folder / f"{DATASET}.parquet"
    if not path.exists():
        return []
    names = list(Issue.__dataclass_fields__)
    return [Issue(**row) for row in pq.read_table(path, columns=names).to_pylist()]


def issues_page(manifest: Manifest, issues: Sequence[Issue]) -> Page:
    """The page `issues.html`; of a long group the issues with the most rows are shown."""
    return Page(
        "issues.html",
        "Known issues",
        "issues.html",
        {
            "groups": groups(issues),
            "count": len(issues),
            "has_dataset": any(entry.name == DATASET for entry in manifest.datasets),
            "titles": {f"public.{entry.name}": entry for entry in manifest.datasets},
            "words": rule_words,
        },
    )


def groups(issues: Sequence[Issue]) -> list[Group]:
    """Issues by severity and responsibility, the gravest first; groups without any are left out."""
    found = []
    for severity, responsibility, title, meaning in GROUPS:
        members = [i for i in issues if (i.severity, i.responsibility) == (severity, responsibility)]
        members.sort(key=lambda i: (-i.rows_affected, i.dataset, i.rule, i.source))
        if members:
            rest = max(len(members) - SHOWN, 0)
            shown = tuple(members[:SHOWN])
            found.append(Group(f"{severity}-{responsibility}", title, meaning, shown, rest))
    return found


def rule_words(rule: str) -> str:
    """What an issue of a rule is, in words; a rule without any is told by its name."""
    name, _, detail = rule.partition(" ")
    if name in RULES:
        return RULES[name]
    if name in FIELD_RULES and detail:
        return f"{FIELD_RULES[name]} {detail}"
    for ending, words in ENDINGS.items():
        if name.endswith(ending):
            return f"{words} {name.removesuffix(ending)}"
    return f"rows that break the rule “{rule.replace('_', ' ')}”"
