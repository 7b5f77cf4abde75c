"""Corrections of sources: read strictly, applied where the source still errs, refused where it no longer does."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from pipelines.contract import Contract, load_contracts
from pipelines.corrections import Correction, CorrectionError, corrections_of, load_corrections, public_list
from pipelines.settings import project_folder
from pipelines.warehouse import (
    Incoming,
    WarehouseError,
    load_source,
    note_corrections,
    note_findings,
    open_warehouse,
)
from tests.helpers import column, document, load

CONTRACTS = load_contracts(project_folder("data_contracts"))
COLUMNS = ("code", "nation", "seats")


def written(**changes: Any) -> dict[str, Any]:
    """A correction as the file has it."""
    return {
        "table": "source.authority_register",
        "key": {"authority_code": "ABC"},
        "column": "nation",
        "expect": "Wales",
        "becomes": "England",
        "reason": "The council stands on the English side of the border.",
        "reported_by": "council_officer",
        "decided_on": dt.date(2026, 11, 1),
        "evidence": "https://www.example.org/border",
        **changes,
    }


def read(folder: Path, *corrections: dict[str, Any]) -> tuple[Correction, ...]:
    path = folder / "corrections.yml"
    path.write_text(yaml.safe_dump({"corrections": list(corrections)}), encoding="utf-8")
    return load_corrections(path, CONTRACTS)


def things(folder: Path) -> Contract:
    """A source of three columns, one of them a number."""
    columns = [column("code", required=True), column("nation"), column("seats", "integer")]
    return load(folder, document("source.things", columns))


def mend(contract: Contract, *batches: list[list[str]], **changes: Any) -> list[tuple[Any, ...]]:
    """What the table holds after one correction: code, nation, seats, day."""
    given = {"table": "source.things", "key": {"code": "A"}, **changes}
    correction = Correction.model_validate(written(**given))
    incoming = [
        Incoming(str(day), dt.date(2026, 1, day), COLUMNS, rows, range(2, 2 + len(rows)))
        for day, rows in enumerate(batches, start=1)
    ]
    with open_warehouse(Path(":memory:")) as con:
        load_source(con, contract, incoming, [correction])
        return con.execute(
            "select code, nation, seats, cast(date_part('day', snapshot_on) as integer) "
            "from source.things order by all"
        ).fetchall()


def test_the_projects_own_corrections_can_be_read() -> None:
    load_corrections(project_folder("data_contracts") / "corrections.yml", CONTRACTS)


def test_a_cell_is_mended_in_every_snapshot_that_errs_and_in_no_other_row(tmp_path: Path) -> None:
    older, newer = [["A", "Wales", "1"], ["B", "Wales", "2"]], [["A", "Wales", "1"]]
    assert mend(things(tmp_path), older, newer) == [
        ("A", "England", 1, 1),
        ("A", "England", 1, 2),
        ("B", "Wales", 2, 1),
    ]


def test_an_older_snapshot_that_said_something_else_keeps_it(tmp_path: Path) -> None:
    assert mend(things(tmp_path), [["A", "Scotland", "1"]], [["A", "Wales", "1"]]) == [
        ("A", "England", 1, 2),
        ("A", "Scotland", 1, 1),
    ]


def test_a_row_that_would_be_refused_is_mended_first(tmp_path: Path) -> None:
    rows = [["A", "Wales", "twelve"], *([f"Z{n}", "Wales", "1"] for n in range(3))]
    found = mend(things(tmp_path), rows, column="seats", expect="twelve", becomes="12")
    assert found[0] == ("A", "Wales", 12, 1)
    assert len(found) == 4


@pytest.mark.parametrize(
    ("cell", "expect", "becomes", "held"), [("", None, "Wales", "Wales"), ("X", "X", None, None)]
)
def test_a_cell_is_filled_or_emptied(
    tmp_path: Path, cell: str, expect: str | None, becomes: str | None, held: str | None
) -> None:
    assert mend(things(tmp_path), [["A", cell, "1"]], expect=expect, becomes=becomes) == [("A", held, 1, 1)]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("England", "the source has repaired itself: the source now says 'England' where the correction expected"),
        ("Scotland", "nation of code A: the source now says 'Scotland' where the correction expected 'Wales'"),
        ("", "the source now says nothing where"),
    ],
)
def test_a_source_that_says_something_else_stops_the_run(tmp_path: Path, cell: str, said: str) -> None:
    with pytest.raises(WarehouseError, match=said) as refusal:
        mend(things(tmp_path), [["A", "Wales", "1"]], [["A", cell, "1"]])
    assert str(refusal.value).endswith("remove the correction or look again")


def test_a_row_that_no_snapshot_has_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="code A: no snapshot has this row: remove the correction"):
        mend(things(tmp_path), [["B", "Wales", "1"]])


def test_a_source_that_is_off_is_not_held_against_its_corrections(tmp_path: Path) -> None:
    assert mend(things(tmp_path)) == []


def test_corrections_are_counted_among_the_issues_by_column(tmp_path: Path) -> None:
    contract = things(tmp_path)
    both = [
        Correction.model_validate(written(table="source.things", key={"code": code}, decided_on=day))
        for code, day in (("A", "2026-11-02"), ("B", "2026-11-01"))
    ]
    with open_warehouse(Path(":memory:")) as con:
        for _ in range(2):  # a second run counts no more than the first
            note_findings(con, contract, [])
            note_corrections(con, contract, both)
        rows = con.execute("select dataset, source, rule, detail, row_count, first_seen_on from quarantine.issues")
        assert rows.fetchall() == [("source.things", "things", "corrected", "nation", 2, dt.date(2026, 11, 1))]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"table": "source.nothing"}, "source.nothing is no table of a source"),
        ({"table": "public.authorities"}, "public.authorities is no table of a source"),
        ({"column": "colour"}, "has no column colour; it has authority_code"),
        ({"key": {"kode": "A"}}, "has no column kode"),
        ({"column": "authority_code"}, "a key that is corrected would name another row"),
        ({"column": "official_name", "becomes": None}, "may not be empty, says its contract"),
        ({"becomes": "Wales"}, "becomes what it is expected to be"),
        ({"reported_by": "Ada Kettle"}, "reported_by: input should be 'council_officer'"),
        ({"evidence": "I know it"}, "evidence: string should match pattern"),
        ({"reporter": "x"}, "extra inputs are not permitted"),
        (
            {
                "table": "source.democracy_club_candidates",
                "key": {"ballot_paper_id": "b"},
                "column": "person_name",
            },
            "person_name is about people and is not corrected in public",
        ),
    ],
)
def test_a_correction_that_cannot_be_used_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CorrectionError, match=said):
        read(tmp_path, written(**changes))


def test_two_corrections_of_one_cell_are_refused_and_of_two_worlds_are_not(tmp_path: Path) -> None:
    with pytest.raises(CorrectionError, match="nation of authority_code ABC is corrected twice: keep one"):
        read(tmp_path, written(), written(becomes="Scotland"))
    both = read(tmp_path, written(), written(world="sample"))
    assert [one.world for one in corrections_of(both, "source.authority_register", "sample")] == ["sample"]


def test_the_public_list_gives_reasons_and_evidence_and_only_its_world(tmp_path: Path) -> None:
    (told,) = json.loads(public_list(read(tmp_path, written(), written(world="sample")), "live"))["corrections"]
    assert told["reason"].startswith("The council stands")
    assert told["reported_by"] == "council_officer"
    assert set(told) == set(written())


def test_another_correction_is_another_project(tmp_path: Path) -> None:
    from dataclasses import replace

    from pipelines.assets import PROJECT

    assert replace(PROJECT, corrections=read(tmp_path, written())).digest != PROJECT.digest


def test_a_mended_source_is_a_changed_source(tmp_path: Path) -> None:
    """What follows from the table is built again, since its content is what decides."""
    from pipelines.warehouse import fingerprint

    contract = things(tmp_path)
    incoming = [Incoming("1", dt.date(2026, 1, 1), COLUMNS, [["A", "Wales", "1"]], [2])]
    prints = []
    correction = Correction.model_validate(written(table="source.things", key={"code": "A"}))
    con: duckdb.DuckDBPyConnection
    with open_warehouse(Path(":memory:")) as con:
        for corrections in ([], [correction]):
            load_source(con, contract, incoming, corrections)
            prints.append(fingerprint(con, "source.things"))
    assert prints[0] != prints[1]
