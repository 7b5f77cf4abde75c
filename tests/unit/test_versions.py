"""Schema versions: what a change of a contract is called, which number it demands, and when a dataset may go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract import Contract, ContractError, official_faults
from pipelines.release.manifest import DatasetEntry, Deprecation, Level, Manifest, ManifestError, to_json
from pipelines.release.versions import (
    LEVELS,
    NOTICE_DAYS,
    Promise,
    SchemaChange,
    broken_promises,
    compare_promises,
    demanded_version,
    deprecation_of,
    highest,
    read_promise,
    standing,
    version_fault,
)
from tests.helpers import column, document, key, load, row_count, row_rule_quality

Document = dict[str, Any]
Edit = Callable[[Document], Any]
DAY = dt.date(2026, 11, 23)


def things() -> Document:
    """A contract with a column of each kind that can change."""
    states = {"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["open", "shut"]}}
    hints = {**states, "severity": "warning", "arguments": {"validValues": ["a", "b"]}}
    columns = [
        key("thing_code", 1, logicalTypeOptions={"pattern": "^[A-Z]{3}$"}),
        key("platform", 2),
        column("thing_count", "integer", required=True, logicalTypeOptions={"minimum": 0, "maximum": 10}),
        column("state", quality=[states]),
        column("hint", quality=[hints]),
        column("handle", unique=True),
        column("note"),
    ]
    return document("public.things", columns, quality=[row_rule_quality("sane", "thing_count < 5")])


def columns_of(contract: Document) -> list[Document]:
    found: list[Document] = contract["schema"][0]["properties"]
    return found


def at(contract: Document, name: str) -> Document:
    """The column of a contract by its name."""
    return next(c for c in columns_of(contract) if c["name"] == name)


def untouched(contract: Document) -> None:
    """The edit that changes nothing."""


def says(contract: Document, name: str, value: Any) -> list[Any]:
    """Set a custom property of the whole contract."""
    others = [said for said in contract["customProperties"] if said["property"] != name]
    contract["customProperties"] = [*others, {"property": name, "value": value}]
    return others


def promise(contract: Document) -> Promise:
    return read_promise(contract, "things.yml")


def changes_after(edit: Edit) -> list[SchemaChange]:
    """What comparing finds after one edit of the contract."""
    new = things()
    edit(new)
    return compare_promises(promise(things()), promise(new))


def allowed(*values: str) -> Edit:
    return lambda c: at(c, "state")["quality"][0].update(arguments={"validValues": list(values)})


def swap(contract: Document, one: int, other: int) -> None:
    listed = columns_of(contract)
    listed[one], listed[other] = listed[other], listed[one]


@pytest.mark.parametrize(
    ("edit", "level", "sentence"),
    [
        (lambda c: columns_of(c).pop(), "major", "column note was removed"),
        (lambda c: at(c, "note").update(name="remark"), "major", "column note was renamed to remark"),
        (
            lambda c: at(c, "note").update(logicalType="date"),
            "major",
            "column note has type date instead of string",
        ),
        (
            lambda c: at(c, "thing_count").update(customProperties=[{"property": "unit", "value": "dozens"}]),
            "major",
            "column thing_count has the unit dozens instead of things",
        ),
        (lambda c: at(c, "thing_count").pop("required"), "major", "column thing_count may now be empty"),
        (
            lambda c: at(c, "handle").update(unique=False),
            "major",
            "a value of column handle may now occur in several rows",
        ),
        (allowed("open"), "major", "column state no longer knows the value shut"),
        (lambda c: at(c, "state").update(quality=[]), "major", "column state no longer keeps to a list of values"),
        (lambda c: swap(c, 4, 5), "major", "the columns stand in another order"),
        (
            lambda c: columns_of(c).insert(2, column("new_one", "date")),
            "major",
            "column new_one is new and stands before thing_count; as the last it would be minor",
        ),
        (
            lambda c: [
                at(c, name).update(primaryKeyPosition=n) for n, name in ((2, "thing_code"), (1, "platform"))
            ],
            "major",
            "what names a row changed from thing_code, platform to platform, thing_code",
        ),
        (
            lambda c: says(c, "licence", "CC-BY-SA-4.0"),
            "major",
            "its licence is CC-BY-SA-4.0 instead of CC-BY-4.0",
        ),
        (lambda c: says(c, "licence", "CC0-1.0"), "minor", "its licence is CC0-1.0 instead of CC-BY-4.0"),
        (lambda c: columns_of(c).append(column("last_one")), "minor", "column last_one is new"),
        (allowed("open", "shut", "ajar"), "minor", "column state may now have the value ajar"),
        (
            lambda c: at(c, "note").update(quality=at(things(), "state")["quality"]),
            "minor",
            "column note now keeps to a list of values: open, shut",
        ),
        (lambda c: at(c, "note").update(required=True), "minor", "column note is no longer empty anywhere"),
        (
            lambda c: at(c, "note").update(unique=True),
            "minor",
            "a value of column note now occurs in one row only",
        ),
        (
            lambda c: at(c, "thing_count").update(logicalTypeOptions={"minimum": 0, "maximum": 20}),
            "minor",
            "the bounds or the pattern that values of column thing_count keep to changed",
        ),
        (lambda c: c["schema"][0].update(quality=[row_count(1)]), "minor", "rule sane is no longer promised"),
        (
            lambda c: c["schema"][0]["quality"].append(row_rule_quality("also", "true")),
            "minor",
            "rule also is promised now",
        ),
        (
            lambda c: c["schema"][0]["quality"][1].update(implementation="thing_count < 7"),
            "minor",
            "rule sane says something else",
        ),
        (
            lambda c: (c.update(status="deprecated"), says(c, "removeAfter", dt.date(2027, 6, 1))),
            "minor",
            "it is deprecated and may be removed after 2027-06-01; nothing replaces it",
        ),
        (
            lambda c: at(c, "note").update(description="Said better."),
            "patch",
            "column note is described in other words",
        ),
        (lambda c: c["description"].update(limitations="Said better."), "patch", "other words for: limitations"),
        (lambda c: says(c, "attribution", ["Somebody"]), "patch", "other names are to be given as its sources"),
        (
            lambda c: at(c, "hint")["quality"][0].update(arguments={"validValues": ["a"]}),
            "patch",
            "its checks of freshness, numbers of rows or warnings changed",
        ),
        (
            lambda c: c["schema"][0]["quality"][0].update(mustBeGreaterOrEqualTo=7),
            "patch",
            "its checks of freshness, numbers of rows or warnings changed",
        ),
    ],
)
def test_each_change_of_a_contract_has_its_level_and_its_sentence(edit: Edit, level: Level, sentence: str) -> None:
    found = changes_after(edit)
    assert [(change.level, change.sentence) for change in found] == [(level, sentence)]


@pytest.mark.parametrize(
    "edit",
    [
        untouched,
        lambda c: c.update(version="9.9.9"),
        lambda c: at(c, "note").update(dict(reversed(at(c, "note").items()))),
    ],
    ids=["nothing", "only the number", "the order of what is said"],
)
def test_what_promises_the_same_has_not_changed(edit: Edit) -> None:
    assert changes_after(edit) == []


def test_the_order_of_allowed_values_means_nothing_to_readers() -> None:
    assert highest(change.level for change in changes_after(allowed("shut", "open"))) == "patch"


def test_the_gravest_change_is_told_first() -> None:
    def edit(contract: Document) -> None:
        at(contract, "note")["description"] = "Said better than before."
        columns_of(contract).append(column("last_one"))
        columns_of(contract).pop(4)

    assert [change.level for change in changes_after(edit)] == ["major", "minor", "patch"]
    assert [change.column for change in changes_after(edit)] == ["hint", "last_one", "note"]


def test_two_columns_that_could_each_be_the_renamed_one_are_not_guessed_at() -> None:
    old, new = things(), things()
    for name, later in (("note", "one"), ("hint", "two")):
        at(old, name).update(description="What it says about a thing.", quality=[])
        at(new, name).update(description="What it says about a thing.", quality=[], name=later)
    sentences = {change.sentence for change in compare_promises(promise(old), promise(new))}
    assert {"column note was removed", "column hint was removed"} <= sentences
    assert not any("renamed" in sentence for sentence in sentences)


def test_a_renamed_column_that_changed_otherwise_too_is_told_of_both() -> None:
    def edit(contract: Document) -> None:
        at(contract, "thing_count").update(name="count_of_things", required=False)

    assert [change.sentence for change in changes_after(edit)] == [
        "column thing_count was renamed to count_of_things",
        "column count_of_things may now be empty",
    ]


def test_a_contract_that_was_kept_in_a_release_reads_like_todays(tmp_path: Path) -> None:
    """What is written and read again, days included, promises what it promised."""
    written = things()
    written["status"] = "deprecated"
    says(written, "removeAfter", dt.date(2027, 6, 1))
    contract = load(tmp_path, written)
    kept = tmp_path / "kept.json"
    kept.write_bytes(to_json(contract.document))
    document = orjson.loads(kept.read_bytes())
    assert compare_promises(read_promise(document, "kept"), read_promise(contract.document, "now")) == []
    assert official_faults(document) == []


def test_a_later_edition_of_the_standard_can_still_be_read() -> None:
    new = things() | {"apiVersion": "v4.0.0", "brandNew": {"a": 1}}
    columns_of(new)[0]["alsoNew"] = True
    assert compare_promises(promise(things()), promise(new))[0].level == "patch"


@pytest.mark.parametrize(
    "spoiled", [{}, {"version": "1.0.0"}, things() | {"version": "one"}, things() | {"schema": []}, {"schema": 7}]
)
def test_what_is_no_contract_is_named(spoiled: Document) -> None:
    with pytest.raises(ManifestError, match=r"contracts/things\.json: not a contract of this kind"):
        read_promise(spoiled, "contracts/things.json")


# --- numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "level", "expected"),
    [
        ("1.2.3", "none", "1.2.3"),
        ("1.2.3", "patch", "1.2.4"),
        ("1.2.3", "minor", "1.3.0"),
        ("1.2.3", "major", "2.0.0"),
        ("0.1.0", "major", "0.2.0"),
        ("0.1.5", "minor", "0.2.0"),
        ("0.1.5", "patch", "0.1.6"),
        ("9.9.9", "minor", "9.10.0"),
    ],
)
def test_a_level_demands_a_number(version: str, level: Level, expected: str) -> None:
    assert demanded_version(version, level) == expected


numbers = st.tuples(*[st.integers(0, 99)] * 3)


@given(numbers, st.sampled_from(LEVELS), st.sampled_from(LEVELS))
def test_a_graver_change_never_demands_a_lower_number(
    version: tuple[int, int, int], one: Level, other: Level
) -> None:
    lower, higher = sorted([one, other], key=LEVELS.index)
    text = ".".join(map(str, version))
    low, high = (tuple(map(int, demanded_version(text, level).split("."))) for level in (lower, higher))
    assert version <= low <= high


@pytest.mark.parametrize(
    ("stated", "edit", "fault"),
    [
        ("1.2.3", untouched, None),
        (
            "1.2.2",
            untouched,
            "states version 1.2.2 after 1.2.3, but nothing else changed: write 1.2.3 or higher",
        ),
        ("2.0.0", lambda c: columns_of(c).pop(), None),
        ("3.1.0", lambda c: columns_of(c).pop(), None),
        (
            "1.3.0",
            lambda c: columns_of(c).pop(),
            "states version 1.3.0 after 1.2.3, but column note was removed: write 2.0.0 or higher",
        ),
        (
            "1.2.4",
            lambda c: columns_of(c).append(column("last_one")),
            "states version 1.2.4 after 1.2.3, but column last_one is new: write 1.3.0 or higher",
        ),
        (
            "1.2.3",
            lambda c: c["description"].update(usage="Otherwise."),
            "states version 1.2.3 after 1.2.3, but other words for: usage: write 1.2.4 or higher",
        ),
    ],
)
def test_a_stated_version_that_is_too_low_is_told_which_to_write(
    stated: str, edit: Edit, fault: str | None
) -> None:
    new = things() | {"version": stated}
    edit(new)
    expected = f"things.yml: {fault}" if fault else None
    assert version_fault("things", promise(things()), promise(new)) == expected


# --- deprecation --------------------------------------------------------------------------------------------


def deprecated(after: dt.date, since: dt.date = DAY, replaced_by: str | None = None) -> Deprecation:
    return Deprecation(since_version="2026.11.0", since=since, replaced_by=replaced_by, remove_after=after)


def entry(name: str, said: Deprecation | None = None) -> DatasetEntry:
    return DatasetEntry(
        name=name,
        title=name,
        grain="one row per thing",
        schema_version="1.0.0",
        contract_sha256="",
        rows=1,
        licence="CC-BY-4.0",
        attribution=(),
        key=("thing_code",),
        files=(),
        status="deprecated" if said else "active",
        deprecation=said,
    )


def manifest(*datasets: DatasetEntry) -> Manifest:
    return Manifest(
        title="Things",
        version="2026.11.0",
        world="sample",
        released_on=DAY,
        code_version="1",
        datasets=datasets,
        inputs=(),
        files=(),
    )


def faults(before: Manifest, now: dict[str, Deprecation | None], day: dt.date = DAY) -> list[str]:
    return broken_promises(before, {}, {}, now, day)


LAST = DAY + dt.timedelta(days=NOTICE_DAYS)


def test_a_deprecation_leaves_at_least_ninety_days() -> None:
    before = manifest(entry("things"))
    assert NOTICE_DAYS == 90
    assert faults(before, {"things": deprecated(LAST)}) == []
    (fault,) = faults(before, {"things": deprecated(LAST - dt.timedelta(days=1))})
    assert "removeAfter is 2027-02-20, but release 2026.11.0 of 2026-11-23 said so first" in fault
    assert fault.endswith("write 2027-02-21")


def test_the_days_count_from_the_first_release_that_said_so(tmp_path: Path) -> None:
    written = things() | {"status": "deprecated"}
    says(written, "removeAfter", LAST)
    contract = load(tmp_path, written)
    first = deprecation_of(contract, None, "2026.11.0", DAY)
    assert first == deprecated(LAST)
    later = deprecation_of(contract, entry("things", first), "2027.1.0", dt.date(2027, 1, 5))
    assert later == first, "a later release does not start the days anew"
    again = deprecation_of(contract, entry("things"), "2027.1.0", dt.date(2027, 1, 5))
    assert again is not None
    assert again.since == dt.date(2027, 1, 5), "one that was taken back starts anew"


def test_a_promised_day_may_be_put_off_and_not_brought_forward() -> None:
    before = manifest(entry("things", deprecated(LAST + dt.timedelta(days=30))))
    assert faults(before, {"things": deprecated(LAST + dt.timedelta(days=31))}) == []
    (fault,) = faults(before, {"things": deprecated(LAST)})
    assert "2027-03-23 was promised: it may be put off, not brought forward" in fault


def test_a_replacement_is_a_dataset_that_is_there() -> None:
    before = manifest(entry("things"), entry("stuff"))
    said = deprecated(LAST, replaced_by="stuff")
    assert faults(before, {"things": said, "stuff": None}) == []
    assert faults(manifest(entry("things")), {"things": said}) == [
        "things.yml: replacedBy names stuff, which is no public dataset"
    ]


@pytest.mark.parametrize(
    ("said", "day", "sentence"),
    [
        (None, DAY, "release 2026.11.0 did not say that it would go"),
        (deprecated(LAST), LAST, "promised until 2027-02-21: bring it back"),
        (deprecated(LAST), LAST + dt.timedelta(days=1), None),
    ],
)
def test_a_dataset_goes_only_after_its_day(said: Deprecation | None, day: dt.date, sentence: str | None) -> None:
    found = faults(manifest(entry("things", said), entry("stuff")), {"stuff": None}, day)
    assert (sentence is None and found == []) or (sentence or "?") in "; ".join(found)
    assert all(fault.startswith("dataset things is gone, but ") for fault in found)


def test_a_draft_may_go_at_any_time() -> None:
    draft = {"things": promise(things() | {"status": "draft"})}
    assert broken_promises(manifest(entry("things")), draft, {}, {}, DAY) == []


def test_the_notice_says_since_when_until_when_and_what_instead() -> None:
    assert standing(entry("things")) is None
    assert standing(entry("things", deprecated(LAST, replaced_by="stuff"))) == (
        "This dataset is deprecated since 2026-11-23 and may be removed after 2027-02-21. Use stuff instead."
    )
    assert str(standing(entry("things", deprecated(LAST)))).endswith("Nothing replaces it.")
    assert "draft" in str(standing(entry("things").model_copy(update={"status": "draft"})))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c.update(status="deprecated"), "status deprecated needs removeAfter"),
        (lambda c: says(c, "removeAfter", LAST), "replacedBy and removeAfter go with status: deprecated"),
        (lambda c: says(c, "replacedBy", "stuff"), "replacedBy and removeAfter go with status: deprecated"),
        (
            lambda c: (
                c.update(status="deprecated"),
                says(c, "removeAfter", LAST),
                says(c, "replacedBy", "things"),
            ),
            "replacedBy names the dataset itself",
        ),
        (lambda c: (c.update(status="deprecated"), says(c, "removeAfter", "soon")), "removeAfter"),
        (lambda c: columns_of(c).append(column("change")), "leaves this name to the files of its changes"),
    ],
)
def test_a_contract_that_deprecates_by_halves_is_refused(tmp_path: Path, edit: Edit, message: str) -> None:
    written = things()
    edit(written)
    with pytest.raises(ContractError, match=message):
        load(tmp_path, written)


def test_a_deprecated_contract_says_until_when(tmp_path: Path) -> None:
    written = things() | {"status": "deprecated"}
    says(written, "removeAfter", LAST)
    says(written, "replacedBy", "stuff")
    contract: Contract = load(tmp_path, written)
    assert (contract.status, contract.remove_after, contract.replaced_by) == ("deprecated", LAST, "stuff")
