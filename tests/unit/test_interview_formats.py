"""Study descriptions, codebooks, projects and databases of other programs: what is read of them, and no more."""

from __future__ import annotations

import json
import sqlite3
import traceback
from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.contract import Licence
from pipelines.interviews import terms
from pipelines.interviews.code_tree import FoundCode, FoundUse, build_coding
from pipelines.interviews.coding_databases import read_qualcoder, read_taguette
from pipelines.interviews.dataverse import read_dataverse
from pipelines.interviews.ddi import read_ddi
from pipelines.interviews.oai import read_oai
from pipelines.interviews.refi_qda import read_qdc, read_qdpx
from pipelines.interviews.study import Coding, Described, InterviewError
from tests import interview_files as files

Reader = Callable[[bytes], Coding | Described]

OAI = '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">{}</OAI-PMH>'


def get_record(metadata: bytes) -> bytes:
    inner = metadata.decode().partition("?>")[2]
    record = f"<record><header><identifier>oai:1</identifier></header><metadata>{inner}</metadata></record>"
    return OAI.format(f"<GetRecord>{record}</GetRecord>").encode()


READERS: dict[str, tuple[Reader, bytes]] = {
    "ddi": (read_ddi, files.codebook()),
    "oai": (read_oai, get_record(files.codebook())),
    "dataverse": (read_dataverse, json.dumps(files.dataset()).encode()),
    "qdpx": (read_qdpx, files.qdpx()),
    "qdc": (read_qdc, files.qdc()),
    "qualcoder": (read_qualcoder, files.qualcoder()),
    "taguette": (read_taguette, files.taguette()),
}


def refusal(read: Reader, content: bytes) -> str:
    with pytest.raises(InterviewError) as error:
        read(content)
    message = str(error.value)
    assert message.startswith(("codes: ", "description: "))
    assert files.CANARY not in "".join(traceback.format_exception(error.value)) + error.value.for_researcher
    return message


def outcome(read: Reader, content: bytes) -> list[str]:
    """Every text that comes out of reading a file, be it what was read or why not."""
    try:
        return list(files.everything(read(content)))
    except InterviewError as error:
        return [str(error), error.for_researcher]


def paths(coding: Coding) -> list[str]:
    for place, code in enumerate(coding.codes, start=1):
        assert code.position == place
        assert code.parent is None or code.parent < place
    return [code.name for code in coding.codes]


def uses(coding: Coding) -> dict[tuple[str, str], int]:
    names = {code.position: code.name for code in coding.codes}
    found = {(use.label, names[use.code]): use.references for use in coding.uses}
    assert len(found) == len(coding.uses)
    return found


# --- nothing but what is allowed ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", READERS)
def test_no_canary_comes_out_of_any_format(name: str) -> None:
    read, content = READERS[name]
    assert files.CANARY in content.decode("latin-1") or name == "qdpx"  # there it is packed
    found = list(everything := files.everything(read(content)))
    assert len(found) > 5
    assert next(everything, None) is None
    assert not [text for text in found if files.CANARY in text]


@pytest.mark.parametrize("name", READERS)
def test_codes_and_labels_are_not_in_the_repr(name: str) -> None:
    read, content = READERS[name]
    shown = repr(read(content))
    assert not [text for text in ("Abuse", "Interview 1", "P01", "abuse.online") if text in shown]


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(name: str, data: st.DataObject) -> None:
    """Cut anywhere, or with any bytes written over any place."""
    read, content = READERS[name]
    cut = data.draw(st.integers(0, len(content)))
    place = data.draw(st.integers(0, len(content) - 1))
    patch = data.draw(st.binary(max_size=8))
    for damaged in (content[:cut], content[:place] + patch + content[place + len(patch) :]):
        said = outcome(read, damaged)
        assert not [text for text in said if files.CANARY in text]


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300))
@example(content=b"PK\x03\x04")
@example(content=b"SQLite format 3\x00" + bytes(200))
@example(content=b"{}")
@example(content=b"[]")
@example(content=b'{"status": "ERROR", "data": null}')
@example(content=b"<a/>")
@example(content=b"\xff\xfe<\x00a\x00/\x00>\x00")
def test_any_other_bytes_are_refused(name: str, content: bytes) -> None:
    refusal(READERS[name][0], content)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("other", READERS)
def test_each_format_refuses_the_others(name: str, other: str) -> None:
    if name != other:
        refusal(READERS[name][0], READERS[other][1])


# --- DDI ----------------------------------------------------------------------------------------------------


def test_a_ddi_record() -> None:
    assert read_ddi(files.codebook()) == Described(
        title="Councillors online",
        year_from=2015,
        year_to=2016,
        sampling="purposive",
        mode_of_collection="Interview.FaceToFace",
        persistent_id="https://doi.org/10.5255/UKDA-SN-1-1",
        licence="CC-BY-4.0",
        issues=read_ddi(files.codebook()).issues,
    )
    assert [(i.place, i.severity) for i in read_ddi(files.codebook()).issues] == [("licence", "note")]


@pytest.mark.parametrize("namespace", ["ddi:codebook:2_5", "http://www.icpsr.umich.edu/DDI", ""])
def test_the_namespaces_of_ddi_codebook(namespace: str) -> None:
    assert read_ddi(files.codebook(namespace=namespace)).title == "Councillors online"


def test_another_namespace_is_refused() -> None:
    assert "not a study description" in refusal(read_ddi, files.codebook(namespace="ddi:instance:3_2"))


@pytest.mark.parametrize(
    ("titles", "title"),
    [
        ('<titl xml:lang="fi">A</titl><titl xml:lang="en-GB">B</titl>', "B"),
        ('<titl xml:lang="fi">A</titl><titl xml:lang="sv">B</titl>', "A"),
        ('<titl xml:lang="en"/><titl xml:lang="sv">  B\n  C </titl>', "B C"),
        ("<titl/>", None),
        ("", None),
        ("<titl>A<ExtLink>hidden</ExtLink> B</titl>", "A B"),
    ],
)
def test_the_title_is_the_english_one_else_the_first(titles: str, title: str | None) -> None:
    assert read_ddi(files.codebook(titles=titles)).title == title


def test_a_title_that_would_run_or_deceive_is_left_out_or_cleaned() -> None:
    run = read_ddi(files.codebook(titles="<titl>=HYPERLINK(1)</titl>"))
    assert (run.title, run.issues[0].place, run.issues[0].severity) == (None, "title", "left_out")
    hidden = read_ddi(files.codebook(titles="<titl>Coun\u202ecillors\u200b</titl>"))
    assert (hidden.title, hidden.issues[0].severity) == ("Councillors", "note")


@pytest.mark.parametrize(
    ("dates", "years"),
    [
        ('<collDate date="2016-03-31T00:00:00Z" event="end"/><collDate date="2015"/>', (2015, 2016)),
        ('<collDate date="2009-01-01 00:00:00.000">01 January 2009</collDate>', (2009, 2009)),
        ("<collDate>2009 - 2014</collDate>", (2009, 2014)),
        ("<collDate>Spring 2018</collDate>", (2018, 2018)),
        ("<collDate>P20160412X</collDate>", (None, None)),
        ('<timePrd date="1951-01-01">1951</timePrd><collDate>2014</collDate>', (2014, 2014)),
        ('<timePrd date="2011"/><timePrd date="2012"/>', (2011, 2012)),
        ("", (None, None)),
    ],
)
def test_years(dates: str, years: tuple[int | None, int | None]) -> None:
    found = read_ddi(files.codebook(dates=dates))
    assert (found.year_from, found.year_to) == years
    assert any(issue.place == "years" for issue in found.issues) is (
        "timePrd" in dates and "collDate" not in dates
    )


@pytest.mark.parametrize(
    ("collection", "mode"),
    [
        ("<collMode>Free text<concept>Interview.Telephone.CATI</concept></collMode>", "Interview.Telephone"),
        ("<collMode>Puhelin<concept>Interview.Telephone</concept></collMode>", "Interview.Telephone"),
        ("<collMode>Telephone interview<concept/></collMode>", "Interview.Telephone"),
        ("<collMode>Face-to-face interview: Paper-and-pencil (PAPI)</collMode>", "Interview.FaceToFace"),
        ("<collMode>Focus group: Online</collMode>", "FocusGroup"),
        ("<collMode>Face-to-face interview; Compilation of material</collMode>", "Interview.FaceToFace"),
        ("<collMode>Focus group</collMode><collMode>Telephone interview</collMode>", None),
        ("<collMode>Transcription</collMode>", None),
        ("<collMode>We met them face to face and by telephone</collMode>", None),
        ("", None),
    ],
)
def test_modes_of_collection(collection: str, mode: str | None) -> None:
    found = read_ddi(files.codebook(collection=collection))
    assert found.mode_of_collection == mode
    noted = [issue for issue in found.issues if issue.place == "mode of collection"]
    assert bool(noted) is (bool(collection) and mode is None)
    assert all("Transcription" not in str(issue) for issue in noted)


@pytest.mark.parametrize(
    ("said", "sampling"),
    [
        ("text<concept>Nonprobability.Purposive</concept>", "purposive"),
        ("text<concept>Probability.Stratified.Proportional</concept>", "probability"),
        ("<concept>TotalUniverseCompleteEnumeration</concept>", "census"),
        ("No sampling (total universe)", "census"),
        ("Purposive selection/case studies", "purposive"),
        ("Probability: Simple random", "probability"),
        ("<concept>Nonprobability.Quota</concept>", None),
        ("<concept>Nonprobability</concept>", None),
        ("Quota sample, clustered; not purposive", None),
        ("This is no probability sample", None),
    ],
)
def test_ways_of_sampling(said: str, sampling: str | None) -> None:
    found = read_ddi(files.codebook(collection=f"<sampProc>{said}</sampProc>"))
    assert found.sampling == sampling
    assert any(issue.place == "sampling" for issue in found.issues) is (sampling is None)


@pytest.mark.parametrize(
    ("identifiers", "found"),
    [
        ("<IDNo>1</IDNo><IDNo>doi:10.1234/A-b.c</IDNo>", "https://doi.org/10.1234/A-b.c"),
        ("<IDNo>https://dx.doi.org/10.1234/5</IDNo>", "https://doi.org/10.1234/5"),
        ("<IDNo>hdl:1902.1/08517</IDNo>", "https://hdl.handle.net/1902.1/08517"),
        ("<IDNo>urn:nbn:fi:fsd:T-FSD3307</IDNo>", "urn:nbn:fi:fsd:T-FSD3307"),
        ("<IDNo>urn:nbn:fi:x</IDNo><IDNo>10.1234/5</IDNo>", "https://doi.org/10.1234/5"),
        ("<IDNo>10.1234/5 jane@example.org</IDNo>", None),
        ("<IDNo>SN 7481</IDNo>", None),
    ],
)
def test_persistent_identifiers(identifiers: str, found: str | None) -> None:
    assert read_ddi(files.codebook(identifiers=identifiers)).persistent_id == found


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("CC BY 4.0", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by/4.0/legalcode", "CC-BY-4.0"),
        ("Creative Commons Attribution (CC BY 4.0), https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("CC-BY-SA-4.0", "CC-BY-SA-4.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0", "CC0-1.0"),
        ("CC0", "CC0-1.0"),
        ("CC0 1.0", "CC0-1.0"),
        ("Open Government Licence v3.0", "OGL-UK-3.0"),
        ("CC BY-NC 4.0", None),
        ("CC BY-NC-SA 4.0", None),
        ("CC BY 3.0", None),
        ("CC BY", None),
        ("CC BY 4.0, but CC BY-NC 4.0 for the recordings", None),
        ("CC BY 4.0 for the data, CC0 for the metadata", None),
        ("http://creativecommons.org/licenses/by-nc/4.0/", None),
        ("Open Government Licence v2.0", None),
        ("free to use", None),
    ],
)
def test_licences(text: str, licence: str | None) -> None:
    found = read_ddi(files.codebook(use=f"<restrctn>none</restrctn><conditions>{text}</conditions>"))
    assert found.licence == licence
    assert licence is None or licence in get_args(Licence)
    assert [issue.place for issue in found.issues] == ["licence"]
    assert "recordings" not in str(found.issues[0])


def test_every_term_leads_to_a_category() -> None:
    for term in terms._MODES:
        assert terms.known_mode(term) in terms.vocabulary().attributes["mode_of_collection"].categories


# --- Dataverse ----------------------------------------------------------------------------------------------


def dataverse(**changes: Any) -> Described:
    return read_dataverse(json.dumps(files.dataset() | changes).encode())


def test_a_dataverse_dataset() -> None:
    expected = Described(
        title="Councillors online",
        year_from=2015,
        year_to=2016,
        persistent_id="https://doi.org/10.5072/FK2/ABC",
        licence="CC-BY-4.0",
    )
    assert dataverse() == expected
    answer = {"status": "OK", "data": files.dataset()}
    assert read_dataverse(json.dumps(answer).encode()) == expected
    latest = files.dataset()
    latest["latestVersion"] = latest.pop("datasetVersion")
    assert read_dataverse(json.dumps(latest).encode()) == expected


@pytest.mark.parametrize(
    ("licence", "known"),
    [
        ("CC0", "CC0-1.0"),
        ({"name": "CC0 1.0"}, "CC0-1.0"),
        ({"name": "Custom", "uri": "https://example.org"}, None),
        ("NONE", None),
    ],
)
def test_licences_of_older_and_newer_versions(licence: object, known: str | None) -> None:
    document = files.dataset()
    document["datasetVersion"]["license"] = licence
    found = read_dataverse(json.dumps(document).encode())
    assert found.licence == known
    assert len(found.issues) == (known is None)


def test_a_deaccessioned_dataset_is_deleted() -> None:
    document = files.dataset()
    document["datasetVersion"]["versionState"] = "DEACCESSIONED"
    assert read_dataverse(json.dumps(document).encode()).is_deleted


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"status": "ERROR", "data": "zzcanary4c1d"}', "an error"),
        (b'{"datasetVersion": {"metadataBlocks": {"citation": {"fields": "x"}}}}', "citation"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not JSON"),
        (b'{"a": "\x00"}', "NUL"),
        (b" " * 8_000_001, "larger than 8 MB"),
    ],
)
def test_what_is_no_dataset_is_refused(content: bytes, reason: str) -> None:
    assert reason in refusal(read_dataverse, content)


@pytest.mark.parametrize(
    "fields",
    [[None, 1, "x", []], [{"typeName": ["title"], "value": "a"}], [{"typeName": "title", "value": {"a": 1}}]],
)
def test_fields_of_unexpected_kinds_are_passed_over(fields: list[object]) -> None:
    document = {"datasetVersion": {"metadataBlocks": {"citation": {"fields": fields}}, "license": [1]}}
    assert read_dataverse(json.dumps(document).encode()) == Described()


# --- REFI-QDA -----------------------------------------------------------------------------------------------


def test_a_project() -> None:
    coding = read_qdpx(files.qdpx())
    assert paths(coding) == ["Abuse", "Abuse > from residents", "Abuse > none", "Always on"]
    assert uses(coding) == {
        ("Interview 1", "Abuse"): 1,  # the source is in exactly one case
        ("Interview 1", "Abuse > from residents"): 2,
        ("Interview 1", "Abuse > none"): 1,  # the whole source is coded
        ("P02", "Abuse"): 2,  # twice on the page; one of the two again in the text
        ("P02", "Abuse > from residents"): 1,  # in the text alone
        ("P03", "Abuse > from residents"): 2,  # the recording and its transcript
        ("P04", "Abuse > none"): 1,
        ("P05", "Abuse"): 1,  # two cases hold it
    }
    assert coding.issues == ()


@pytest.mark.parametrize("member", ["project.qde", "Project.qde", "PROJECT.QDE"])
def test_the_member_is_found_however_it_is_capitalised(member: str) -> None:
    assert read_qdpx(files.qdpx(member=member)) == read_qdpx(files.qdpx())


@pytest.mark.parametrize(
    "members",
    [
        {"other.qde": files.project()},
        {"inner/project.qde": files.project()},
        {"project.qde": files.project(), "Project.qde": files.project()},
        {"inner.qdpx": files.qdpx()},
    ],
)
def test_an_archive_without_exactly_one_project_is_refused(members: dict[str, str | bytes]) -> None:
    assert "members project.qde" in refusal(read_qdpx, files.archive(members))


def test_sources_are_never_opened() -> None:
    """A member that cannot be unpacked does no harm, since it is not read."""
    content = bytearray(files.qdpx())
    start = content.index(b"Sources/") + len(f"Sources/{files.CANARY}.txt")
    content[start : start + 4] = b"\xff\xff\xff\xff"
    assert read_qdpx(bytes(content)) == read_qdpx(files.qdpx())


def test_uses_of_unknown_codes_and_nameless_interviews_are_left_out() -> None:
    coded, lost = (files.selection("PlainTextSelection", 81 + n, [code]) for n, code in enumerate((1, 99)))
    nameless = f'<TextSource guid="{files.guid(16)}">{coded}</TextSource>'
    unknown = f'<TextSource guid="{files.guid(17)}" name="P9">{lost}</TextSource>'
    coding = read_qdpx(files.qdpx(files.project(sources=nameless + unknown)))
    assert coding.uses == ()
    assert [issue.severity for issue in coding.issues] == ["left_out", "left_out"]
    assert all("left out 1 uses" in str(issue) for issue in coding.issues)


def test_a_codebook() -> None:
    coding = read_qdc(files.qdc())
    assert paths(coding) == ["Abuse", "Abuse > from residents", "Abuse > none", "Always on"]
    assert coding.uses == ()


def test_a_codebook_is_no_project_and_a_project_no_codebook() -> None:
    assert "not a REFI-QDA codebook" in refusal(read_qdc, files.project().encode())
    assert "not a REFI-QDA project" in refusal(read_qdpx, files.qdpx(files.qdc().decode()))
    assert "not a REFI-QDA codebook" in refusal(read_qdc, files.qdc(namespace="urn:other"))


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u00ad", "\U000e0041"])
def test_a_code_with_hidden_characters_is_matched_without_them_and_reported(hidden: str) -> None:
    coding = read_qdc(files.qdc(files.code(1, f"Ab{hidden}use{hidden}") + files.code(2, "Other")))
    assert paths(coding) == ["Abuse", "Other"]
    (issue,) = coding.issues
    assert (issue.place, issue.severity) == ("code 1", "note")
    assert hidden not in issue.for_researcher
    assert "Ab" not in str(issue)
    assert "Ab\\" in issue.for_researcher


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)"])
def test_a_code_that_begins_like_a_formula_is_a_name_like_any_other_and_shown_nowhere(name: str) -> None:
    coding = read_qdc(files.qdc(files.code(1, name)))
    assert paths(coding) == [name]
    assert name not in repr(coding)


def test_nul_is_refused() -> None:
    assert "not well-formed" in refusal(read_qdc, files.qdc(files.code(1, "a\x00b")))
    assert "not well-formed" in refusal(read_qdc, files.qdc(files.code(1, "a&#0;b")))


def test_two_codes_by_one_id_are_refused() -> None:
    assert "one id" in refusal(read_qdc, files.qdc(files.code(1, "a") + files.code(1, "b")))


# --- code trees ---------------------------------------------------------------------------------------------


def test_parents_come_before_children_whatever_the_order_of_the_file() -> None:
    found = [FoundCode(3, 2, "c"), FoundCode(2, 1, "b"), FoundCode(1, None, "a"), FoundCode(4, 77, "d")]
    assert paths(build_coding(found, [])) == ["a", "a > b", "a > b > c", "d"]


def test_a_nameless_code_and_circles_are_left_out_with_all_under_them() -> None:
    found = [
        FoundCode(1, None, " \u200b "),
        FoundCode(2, 1, "under the nameless"),
        FoundCode(3, 4, "circle"),
        FoundCode(4, 3, "circle"),
        FoundCode(5, 5, "itself"),
        FoundCode(6, None, "kept"),
    ]
    coding = build_coding(found, [FoundUse("P1", 2), FoundUse("P1", 6), FoundUse("P1", 6, 2)])
    assert uses(coding) == {("P1", "kept"): 3}
    assert [issue.place for issue in coding.issues] == ["code 1", "code tree", "uses"]
    assert "left out 5" in str(coding.issues[1])


def test_codes_too_deep_or_with_endless_names_are_refused() -> None:
    chain = [FoundCode(n, n - 1 if n else None, "x") for n in range(51)]
    assert len(build_coding(chain[:50], []).codes) == 50
    with pytest.raises(InterviewError, match="50 levels deep"):
        build_coding(chain, [])
    long = [FoundCode(n, n - 1 if 0 < n < 49 else 48 if n else None, "x" * 300) for n in range(20_000)]
    with pytest.raises(InterviewError, match="endless names"):
        build_coding(long, [])


def test_equal_looking_labels_are_one_interview() -> None:
    found = [FoundUse("Cafe\u0301  1", 1), FoundUse("Caf\u00e9 1\u200b", 1)]
    coding = build_coding([FoundCode(1, None, "a")], found)
    assert uses(coding) == {("Caf\u00e9 1", "a"): 2}
    assert [issue.place for issue in coding.issues] == ["uses"]


# --- QualCoder and Taguette ---------------------------------------------------------------------------------


def test_a_qualcoder_project() -> None:
    coding = read_qualcoder(files.qualcoder())
    assert paths(coding) == [
        "Risks",
        "Risks > Online",
        "Risks > Online > Abuse",
        "Always on",
        "Always on > at night",
    ]
    assert uses(coding) == {
        ("Interview 1", "Risks > Online > Abuse"): 2,  # two passages, one of them coded by two coders
        ("P02.txt", "Always on"): 2,  # in its text and in a recording; two cases hold it
        ("P02.txt", "Risks > Online > Abuse"): 2,  # the same rectangle on two pages
    }
    assert coding.issues == ()


def test_a_qualcoder_project_of_a_version_without_cases_recordings_and_images() -> None:
    coding = read_qualcoder(files.qualcoder_first())
    assert paths(coding) == ["Risks", "Risks > Online", "Risks > Online > Abuse", "Always on"]
    assert uses(coding) == {("P01.txt", "Risks > Online > Abuse"): 2, ("P02.txt", "Always on"): 1}


def test_a_qualcoder_database_that_lacks_a_column_is_refused() -> None:
    script = files.QUALCODER_FIRST.replace("supercatid integer", "other integer")
    assert "not a QualCoder project" in refusal(read_qualcoder, files.database(script, {}))


def test_a_taguette_project() -> None:
    coding = read_taguette(files.taguette())
    assert paths(coding) == ["abuse", "abuse.online", "unused"]
    assert uses(coding) == {("P01", "abuse"): 2, ("P01", "abuse.online"): 1, ("P02", "abuse.online"): 1}
    assert coding.issues == ()


@pytest.mark.parametrize("projects", [0, 2])
def test_a_taguette_database_with_another_number_of_projects_than_one_is_refused(projects: int) -> None:
    content = files.taguette(projects=[(n, files.CANARY, "", "") for n in range(1, projects + 1)])
    assert f"holds {projects} projects: export the one study" in refusal(read_taguette, content)


def test_ids_of_unexpected_kinds_do_no_harm() -> None:
    """SQLite keeps any kind of value in any column of a table without strict types."""
    script = files.TAGUETTE.replace("id integer primary key autoincrement", "id").replace(" not null", "")
    odd = [
        (b"\xff", 1, b"\xff", ""),
        (None, 1, None, ""),
        ("x", 1, "kept", ""),
        (1.5, 1, "\udc80".encode("utf-8", "surrogatepass"), ""),
    ]
    content = files.database(script, {**files.TAGUETTE_ROWS, "tags": odd, "highlight_tags": [(1, "x"), (2, 9)]})
    coding = read_taguette(content)
    assert paths(coding) == ["kept"]
    assert uses(coding) == {("P01", "kept"): 1}


def test_a_million_codes_in_a_database_are_refused() -> None:
    script = files.QUALCODER_FIRST + (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) "
        "INSERT INTO code_name (cid, name) SELECT i, 'c' || i FROM n;"
    )
    assert "more than 20,000 rows" in refusal(read_qualcoder, files.database(script, {}))


def test_a_view_in_the_place_of_a_table_is_not_run() -> None:
    """The view would never end; were it read, the work limit would stop it with another message."""
    connection = sqlite3.connect(":memory:")
    connection.deserialize(files.qualcoder())
    connection.executescript(
        "DROP TABLE code_text; CREATE VIEW code_text AS "
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT i AS fid, i AS cid, i AS pos0, i AS pos1 FROM n WHERE i < 0;"
    )
    assert "not a QualCoder project" in refusal(read_qualcoder, bytes(connection.serialize()))
