"""Tokens in every field of every format of a study pass through a whole run, and stay nowhere.

Each field of what is handed in that is not meant for the public holds a token of its own. They are searched for in
the home, in Dagster's storage, in what was logged and shown, and in the temporary folder. What the researchers
themselves say to the public (id, title, persistent identifier) holds tokens too, which have to arrive.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
import yaml

from pipelines.assets import PROJECT
from pipelines.privacy.cells import Population
from pipelines.restricted import RestrictedStore
from pipelines.run import RunOutcome
from pipelines.sample.interviews import STUDY
from pipelines.settings import Home
from pipelines.studies import REPORT_NAME
from tests import interview_files
from tests.canaries import in_bytes, sightings, unpacked
from tests.conftest import ROOT, publish
from tests.interview_files import CANARY, archive, codebook, dataset, project, qdc
from tests.pipeline.test_interviews import hand_in, released, written_world

# Letters only, so that no cleaning, folding or banding of a field changes a token.
ALL = "zzcanaryq"
PUBLIC = {
    "study_id": "zzpublic-id",
    "title": "Zzpublictitle",
    "persistent_id": "https://doi.org/10.5072/zzpublicdoi",
}
INTERVIEWS = 40
TOKEN = re.compile(rb"zzcanaryq[a-j]{3,4}q[a-z]+")
RECORD_ID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


class Tokens:
    """Tokens that differ, and are remembered."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def __call__(self, field: str) -> str:
        letters = "".join(letter for letter in field.lower() if letter.isalpha())
        number = "".join("abcdefghij"[int(digit)] for digit in f"{len(self.given):03}")
        self.given.append(f"{ALL}{number}q{letters}")
        return self.given[-1]

    def in_text(self, text: str, file: str) -> str:
        """A text with another token in place of each of the tests' one canary."""
        return re.sub(CANARY, lambda _: self(file), text)

    def in_rows(self, rows: Mapping[str, Sequence[Sequence[Any]]]) -> dict[str, list[tuple[Any, ...]]]:
        return {
            name: [
                tuple(self.in_text(cell, name) if isinstance(cell, str) else cell for cell in line)
                for line in lines
            ]
            for name, lines in rows.items()
        }


HEADINGS = ("Who", "State", "Person", "Held", "Length", "Role", "Gender", "Age", "Since", "Party", "Notes", "Ward")


def declared(token: Tokens, study_id: str, file: str, form: str, **parts: Any) -> dict[str, Any]:
    """A `study.yml` in which every heading and every word of the data list is a token."""
    heads = {name: token(f"heading {name}") for name in HEADINGS}
    words = {
        "officer": token("word officer"),
        "councillor": token("word councillor"),
        "female": token("word female"),
        "male": token("word male"),
        "labour": token("word labour"),
        "green": token("word green"),
    }

    def meaning(*names: str) -> dict[str, str]:
        return {words[name]: name for name in names}

    return {
        "study_id": study_id,
        "title": f"{PUBLIC['title']} {study_id}",
        "synthetic": True,
        "years": [2023, 2024],
        "sampling": "purposive",
        "lawful_basis": "consent",
        "persistent_id": PUBLIC["persistent_id"],
        "data_list": {
            "file": file,
            "format": form,
            "label": heads["Who"],
            "participant": heads["Person"],
            "status": heads["State"],
            "date": heads["Held"],
            "minutes": heads["Length"],
            "attributes": {
                "role_group": {"column": heads["Role"], "values": meaning("councillor", "officer")},
                "gender": {"column": heads["Gender"], "values": meaning("female", "male")},
                "age_band": {"column": heads["Age"], "band": "age"},
                "tenure_band": {"column": heads["Since"], "band": "tenure"},
                "party": {"column": heads["Party"], "values": meaning("labour", "green")},
            },
            "dropped": [heads["Notes"], heads["Ward"]],
        },
        **parts,
    }


def listed(token: Tokens, study: Mapping[str, Any], labels: Sequence[str]) -> list[list[str]]:
    """The rows of a data list with its header; every cell that is text is a token."""
    parts = study["data_list"]
    said = {name: [*parts["attributes"][name]["values"]] for name in ("role_group", "gender", "party")}
    notes, ward = parts["dropped"]
    given = parts["attributes"]
    header = [
        parts["label"], parts["status"], parts["participant"], parts["date"], parts["minutes"],
        given["role_group"]["column"], given["gender"]["column"], given["age_band"]["column"],
        given["tenure_band"]["column"], given["party"]["column"], notes, ward,
    ]  # fmt: skip
    rows = [
        [
            label,
            "withdrawn" if place == 3 else "completed",
            token("participant"),
            f"{1 + place % 28:02}/03/2024",
            f"{40 + place % 7}:17",
            said["role_group"][0],
            said["gender"][place % 2],
            str(31 + place),
            str(1990 + place % 30),
            said["party"][place % 2],
            token("note"),
            token("ward"),
        ]
        for place, label in enumerate(labels)
    ]
    return [header, *rows]


def as_csv(rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def as_xlsx(token: Tokens, rows: Sequence[Sequence[str]]) -> bytes:
    """A workbook with tokens in its properties, its sheets' names, a comment and a sheet that is not read."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Interviews"
    for row in rows:
        sheet.append(list(row))
    sheet["A1"].comment = openpyxl.comments.Comment(token("comment"), token("author of comment"))
    book.create_sheet(token("sheet")).append([token("cell of another sheet")])
    book.properties.creator = token("creator")
    book.properties.title = token("title of workbook")
    book.properties.lastModifiedBy = token("modified by")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def theme_map(token: Tokens, codes: Mapping[str, str]) -> bytes:
    rows = [[code, theme, "2025-01-01", token("reviewer")] for code, theme in codes.items()]
    return as_csv([["code", "theme", "reviewed_on", "reviewed_by"], *rows])


def refi_codes(token: Tokens) -> tuple[str, dict[str, str]]:
    """Codes with tokens as names, one of them without a theme, and what the others stand for."""
    names = [token(f"code {number}") for number in range(4)]
    inner = interview_files.code(2, names[1]) + interview_files.code(3, names[2])
    codes = interview_files.code(1, names[0], inner) + interview_files.code(4, names[3])
    return token.in_text(codes, "description of code"), {names[1]: "abuse", names[3]: "always_on"}


def with_qdpx(token: Tokens) -> dict[str, bytes]:
    """CSV, DDI, a REFI-QDA project, a theme map and a frame; large enough to be published."""
    files = {name: f"{token(f'file {name}')}" for name in ("list", "ddi", "codes", "themes", "frame", "unread")}
    labels = [token("label") for _ in range(INTERVIEWS)]
    codes, themes = refi_codes(token)
    sources = "".join(
        f'<TextSource guid="{interview_files.guid(10 + n)}" name="{label}.docx" '
        f'plainTextPath="internal://{CANARY}.txt"><Description>{CANARY}</Description>'
        f"<PlainTextContent>{CANARY}</PlainTextContent>"
        f"{interview_files.selection('PlainTextSelection', 1000 + n, [2, 4] if n % 2 else [3])}</TextSource>"
        for n, label in enumerate(labels)
    )
    sources += f'<TextSource guid="{interview_files.guid(9)}" name="{CANARY}"/>'
    content = token.in_text(project(codes, sources, cases=""), "project")
    study = declared(
        token,
        PUBLIC["study_id"],
        f"{files['list']}.csv",
        "csv",
        description={"file": f"{files['ddi']}.xml", "format": "ddi"},
        codes={"file": f"{files['codes']}.qdpx", "format": "refi-qda"},
        themes=f"{files['themes']}.csv",
        frame=f"{files['frame']}.csv",
    )
    del study["years"], study["persistent_id"]
    described = codebook(
        titles=f"<titl>{study['title']}</titl>",
        dates='<collDate date="2023-09-01" event="start"/><collDate date="2024-08-31" event="end"/>',
        identifiers=f'<IDNo agency="datacite">{PUBLIC["persistent_id"]}</IDNo>',
    )
    packed = {
        "project.qde": content,
        f"Sources/{token('member')}.txt": token("text of a member"),
        "Sources/a.docx": token("source"),
    }
    return {
        "study.yml": yaml.safe_dump(study).encode() + f"# {token('comment in study.yml')}\n".encode(),
        f"{files['list']}.csv": as_csv(listed(token, study, labels)),
        f"{files['ddi']}.xml": token.in_text(described.decode(), "ddi").encode(),
        f"{files['codes']}.qdpx": archive(packed),
        f"{files['themes']}.csv": theme_map(token, themes),
        f"{files['frame']}.csv": as_csv([["attribute", "category", "holders"], ["party", "green", "900"]]),
        f"{files['unread']}.docx": token("file that is not read").encode(),
    }


def small(
    token: Tokens, name: str, form: str, labels: Sequence[str], **parts: Any
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A study that is too small to be told, with a data list of one kind."""
    file = f"{token(f'list of {name}')}.{form}"
    study = declared(token, f"zzpublic-{name}", file, form, **parts)
    if form == "xlsx":
        study["data_list"]["sheet"] = "Interviews"
    rows = listed(token, study, labels)
    return study, {file: as_xlsx(token, rows) if form == "xlsx" else as_csv(rows)}


def with_qualcoder(token: Tokens) -> dict[str, bytes]:
    """XLSX, Dataverse and QualCoder."""
    names = [token("qualcoder code") for _ in range(2)]
    labels = ["Interview 1", "Group", "Town", token("label"), token("label")]
    rows = {
        **interview_files.QUALCODER_ROWS,
        **interview_files.QUALCODER_CASE_ROWS,
        **interview_files.QUALCODER_MEDIA_ROWS,
        "coder_names": [(CANARY, 1)],
        "code_name": [
            (1, names[0], CANARY, 2, CANARY, CANARY, CANARY, None),
            (2, names[1], CANARY, None, CANARY, CANARY, CANARY, None),
        ],
    }
    script = (
        interview_files.QUALCODER_FIRST
        + interview_files.QUALCODER_CASES
        + interview_files.QUALCODER_MEDIA
        + interview_files.QUALCODER_SUBCODES
    )
    coding, described, themes = token("codes.qda"), token("dataverse.json"), token("themes.csv")
    study, files = small(
        token,
        "qualcoder",
        "xlsx",
        labels,
        codes={"file": coding, "format": "qualcoder"},
        description={"file": described, "format": "dataverse"},
        themes=themes,
    )
    del study["title"], study["years"], study["persistent_id"]
    said = json.dumps(dataset(title=f"{PUBLIC['title']} in Dataverse"))
    said = said.replace("2015-09-01", "2023-09-01").replace("2016-03-31", "2024-08-31")
    return {
        "study.yml": yaml.safe_dump(study).encode(),
        coding: interview_files.database(script, token.in_rows(rows)),
        described: token.in_text(said, "dataverse").encode(),
        themes: theme_map(token, {names[0]: "abuse"}),
        **files,
    }


def with_taguette(token: Tokens) -> dict[str, bytes]:
    """CSV, OAI-PMH and Taguette."""
    tags = [token("taguette tag") for _ in range(2)]
    rows = {**interview_files.TAGUETTE_ROWS, "tags": [(n, 1, tag, CANARY) for n, tag in enumerate(tags, 1)]}
    coding, described, themes = token("codes.sqlite"), token("oai.xml"), token("themes.csv")
    study, files = small(
        token,
        "taguette",
        "csv",
        ["P01", "P02", token("label"), token("label")],
        codes={"file": coding, "format": "taguette"},
        description={"file": described, "format": "oai"},
        themes=themes,
    )
    del study["years"]
    record = codebook(titles=f"<titl>{study['title']}</titl>", identifiers="").decode().partition("?>")[2]
    answer = (
        f'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><request>{CANARY}</request><GetRecord><record>'
        f"<header><identifier>{CANARY}</identifier><setSpec>{CANARY}</setSpec></header>"
        f"<metadata>{record}</metadata><about>{CANARY}</about></record></GetRecord></OAI-PMH>"
    )
    dates = answer.replace("2015-09-01", "2023-09-01").replace("2016-03-31", "2024-08-31")
    return {
        "study.yml": yaml.safe_dump(study).encode(),
        coding: interview_files.database(interview_files.TAGUETTE, token.in_rows(rows)),
        described: token.in_text(dates, "oai").encode(),
        themes: theme_map(token, {tags[0]: "impatience"}),
        **files,
    }


def with_codebook(token: Tokens) -> dict[str, bytes]:
    """CSV and a codebook of REFI-QDA, which has codes and no uses of them."""
    codes, meant = refi_codes(token)
    coding, themes = token("codes.qdc"), token("themes.csv")
    study, files = small(
        token,
        "codebook",
        "csv",
        [token("label") for _ in range(4)],
        codes={"file": coding, "format": "refi-qda"},
        themes=themes,
    )
    return {
        "study.yml": yaml.safe_dump(study).encode(),
        coding: token.in_text(qdc(codes).decode(), "qdc").encode(),
        themes: theme_map(token, meant),
        **files,
    }


def refused(token: Tokens) -> dict[str, dict[str, bytes]]:
    """Studies with tokens where they are wrong: what stands there is quoted to the researcher and nobody else."""

    def wrong(change: Any = None, **files: bytes) -> dict[str, bytes]:
        study, content = small(token, "refused", "csv", [token("label") for _ in range(4)])
        (name,) = content
        if change is not None:
            content[name] = change(study, content[name])
        return {"study.yml": yaml.safe_dump(study).encode(), **content, **files}

    def undeclared(_: Any, text: bytes) -> bytes:
        header, *lines = text.decode().splitlines()
        more = [f"{header},{token('new heading')}", *(f"{line},{token('new cell')}" for line in lines)]
        return "\n".join(more).encode()

    def unexplained(study: Any, text: bytes) -> bytes:
        word = next(iter(study["data_list"]["attributes"]["gender"]["values"]))
        return text.replace(word.encode(), token("new word").encode())

    def unreadable(_: Any, text: bytes) -> bytes:
        return text.replace(b"/03/2024", token("day").encode(), 2).replace(b":17", token("length").encode(), 2)

    def formula(_: Any, text: bytes) -> bytes:
        return text.replace(b"completed", f'"=HYPERLINK(""{token("formula")}"")"'.encode(), 1)

    broken = wrong()
    key = token("unknown key")
    (listing,) = [name for name in broken if name != "study.yml"]
    entity = f'<!DOCTYPE x [<!ENTITY {token("entity")} "{token("entity text")}">]><codeBook/>'

    def described(content: bytes, form: str) -> dict[str, bytes]:
        study, files = small(token, "refused", "csv", [token("label") for _ in range(4)])
        name = token("description")
        study["description"] = {"file": name, "format": form}
        return {"study.yml": yaml.safe_dump(study).encode(), name: content, **files}

    def coded(content: bytes, form: str) -> dict[str, bytes]:
        study, files = small(token, "refused", "csv", [token("label") for _ in range(4)])
        name, themes = token("codes"), token("themes")
        study |= {"codes": {"file": name, "format": form}, "themes": themes}
        lines = theme_map(token, {token("unknown code"): token("unknown theme")})
        return {"study.yml": yaml.safe_dump(study).encode(), name: content, themes: lines, **files}

    torn = b"SQLite format 3\0" + f"{token('torn database')} ".encode() * 99
    member = archive({f"../{token('escaping member')}": token("escaping"), "project.qde": token("not xml")})
    return {
        "column": wrong(undeclared),
        "word": wrong(unexplained),
        "cells": wrong(unreadable),
        "formula": wrong(formula),
        "encoding": wrong(lambda _, text: text + f"\xff{token('not utf-8')}".encode("latin-1")),
        "key": broken | {"study.yml": broken["study.yml"] + f"{key}: {token('unknown value')}\n".encode()},
        "yaml": broken | {"study.yml": f"study_id: [{token('broken yaml')}\n{token('more')}: }}".encode()},
        "id": {"study.yml": f"study_id: {token('id')} {token('spaced')}\n".encode(), listing: b""},
        "missing": {"study.yml": broken["study.yml"]},
        "ddi": described(f"<codeBook><{token('tag')}>{token('text')}".encode(), "ddi"),
        "entity": described(entity.encode(), "ddi"),
        "dataverse": described(json.dumps({token("key"): token("value")}).encode()[:-1], "dataverse"),
        "oai": described(f'<OAI-PMH><error code="{token("no")}">{token("so")}</error></OAI-PMH>'.encode(), "oai"),
        "qdpx": coded(member, "refi-qda"),
        "qdc": coded(token.in_text(qdc(refi_codes(token)[0]).decode(), "qdc").encode(), "refi-qda"),
        "qualcoder": coded(torn, "qualcoder") | {"torn.txt": torn[16:]},
        "taguette": coded(
            interview_files.database(f"CREATE TABLE {token('table')} (a);", {}), "taguette"
        ),
    }  # fmt: skip


def under(folder: Path) -> Iterator[tuple[Path, Iterator[bytes]]]:
    """Everything under a folder with what it holds: its name and, of a file, all that is packed in it."""
    for path in sorted(folder.rglob("*")):
        yield path, chain([path.name.encode()], unpacked(path) if path.is_file() else [])


def each(pattern: re.Pattern[bytes], contents: Iterable[bytes]) -> set[str]:
    """All that some contents hold of a kind; a thousand tokens are found in one pass."""
    return {found.decode() for content in contents for found in pattern.findall(content.lower())}


@pytest.fixture
def watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[tuple[Home, Path]]:
    """A home with Dagster's storage beside it, a temporary folder of its own, and everything logged."""
    storage, passing = tmp_path / "seen" / "dagster", tmp_path / "seen" / "tmp"
    storage.mkdir(parents=True)
    passing.mkdir()
    (storage / "dagster.yaml").write_bytes((ROOT / "dagster.yaml").read_bytes())
    monkeypatch.setenv("DAGSTER_HOME", str(storage))
    monkeypatch.setenv("TMPDIR", str(passing))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with caplog.at_level(logging.DEBUG):
        yield Home(tmp_path / "seen" / "home"), tmp_path
    monkeypatch.setattr(tempfile, "tempdir", None)


def heard(
    outcomes: Sequence[RunOutcome], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> str:
    """All that was said: messages, their arguments, tracebacks, and both streams."""
    records = [
        repr((record.getMessage(), record.args, record.exc_text, vars(record))) for record in caplog.records
    ]
    shown = capfd.readouterr()
    return "\n".join([caplog.text, *records, shown.out, shown.err, *map(repr, outcomes)])


def test_no_field_of_any_format_stays_anywhere(
    watched: tuple[Home, Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    home, folder = watched
    token = Tokens()
    world = written_world(folder / "world")
    inbox = world / "interviews"
    good = {
        "qdpx": with_qdpx(token),
        "qualcoder": with_qualcoder(token),
        "taguette": with_taguette(token),
        "codebook": with_codebook(token),
    }
    bad = refused(token)
    places = {
        name: hand_in(inbox, token(f"folder {name}"), files)
        for name, files in [*good.items(), *((f"bad {name}", files) for name, files in bad.items())]
    }
    first = publish(home.root, world / "sources.yml")
    assert first.success, first.problems

    # The run did what it is searched for: read the good ones, refused the others, and told their keepers why.
    for name in good:
        told = (places[name] / REPORT_NAME).read_text(encoding="utf-8")
        assert "was read" in told, (name, told)
    for name in bad:
        told = (places[f"bad {name}"] / REPORT_NAME).read_text(encoding="utf-8")
        assert "refused" in told, name
    with RestrictedStore(home.restricted, PROJECT.contracts) as store:
        held = {known.description.study_id for known in store.studies()}
        ids = store.ids()
    assert held == {STUDY, PUBLIC["study_id"], "zzpublic-qualcoder", "zzpublic-taguette", "zzpublic-codebook"}
    assert len(ids) > 2 * INTERVIEWS

    # What is meant for the public arrived, and the study was large enough to be told.
    shown = pd.read_parquet(released(home) / "interview_coverage.parquet").set_index("study_id")
    assert shown.loc[PUBLIC["study_id"], "interviews"].notna().all()
    assert set(shown.loc[PUBLIC["study_id"], "study_title"]) == {f"{PUBLIC['title']} {PUBLIC['study_id']}"}
    assert set(shown.loc[PUBLIC["study_id"], "persistent_id"]) == {PUBLIC["persistent_id"]}

    # A second run, in which the gate breaks off with all that it holds in the message of the error.
    def torn(population: Population, *_: object) -> None:
        raise KeyError(population.records.to_csv())

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.privacy.protection.plan_tables", torn)
        # As if nothing had been told yet: what only repeats the last publication plans no tables.
        shutil.rmtree(home.restricted)
        shutil.rmtree(home.public / "v")
        (home.public / "latest.json").unlink()
        second = publish(home.root, world / "sources.yml")
    assert not second.success
    failed = f"disclosure_gate: D13: study {STUDY}: the gate failed (KeyError): nothing is told"
    assert second.problems == (failed,)
    with RestrictedStore(home.restricted, PROJECT.contracts) as store:
        ids |= store.ids()

    # Every token stands in what was handed in, so that one which is not found was looked for.
    assert len(token.given) > 1000
    for path in places["bad qualcoder"].iterdir():
        if path.read_bytes().startswith(b"SQLite"):
            path.unlink()  # it cannot be searched; its token stands beside it too
    planted = {found for _, contents in under(inbox) for found in each(TOKEN, contents)}
    assert set(token.given) - planted == set()
    said = heard([first, second], caplog, capfd).encode()
    assert in_bytes(said, [ALL, CANARY]) == []
    assert sightings(folder / "seen", [ALL, CANARY]) == set()
    assert ids & each(RECORD_ID, [said]) == set()
    seen = [path for path, contents in under(folder / "seen") if ids & each(RECORD_ID, contents)]
    assert {path.parent for path in seen} == {home.restricted}
    storage = {
        path.relative_to(folder / "seen").parts[0] for path in (folder / "seen").rglob("*") if path.is_file()
    }
    assert storage >= {"dagster", "home"}
