"""Real study files of other institutions and programs: each is read, or refused for the right stated reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from lxml import etree

from pipelines.interviews.dataverse import read_dataverse
from pipelines.interviews.ddi import read_ddi
from pipelines.interviews.oai import Harvested, harvest, read_oai
from pipelines.interviews.refi_qda import read_qdc, read_qdpx
from pipelines.interviews.study import Coding, Described, InterviewError
from tests.conftest import REAL
from tests.interview_files import archive, everything, project

FOLDER = REAL / "interviews"
READERS: dict[str, Callable[[bytes], Coding | Described]] = {
    "ddi": read_ddi,
    "oai": read_oai,
    "dataverse": read_dataverse,
    "qdpx": read_qdpx,
    "qdc": read_qdc,
}
# The reader that each file is for, and why it refuses the file where it does.
EXPECTED: dict[str, tuple[str, str | None]] = {
    "ddi/ukds-2000.xml": ("ddi", None),
    "ddi/ukds-7481.xml": ("ddi", None),
    "ddi/fsd-3307-oaipmh.xml": ("oai", None),
    "ddi/ddi_record_1031_deleted.xml": ("oai", None),
    "ddi/ddi_record_WithError.xml": ("oai", "the repository answered cannotDisseminateFormat"),
    "ddi/synthetic_list_records_response.xml": ("oai", "holds 4 records"),
    "dataverse/dataset-finch1.json": ("dataverse", None),
    "refi_qda/TestProject.qdpx": ("qdpx", None),
    "refi_qda/Project.xsd": ("qdc", "not a REFI-QDA codebook"),
}

pytestmark = pytest.mark.real


def content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def test_every_file_is_accounted_for() -> None:
    folders = ("ddi", "dataverse", "refi_qda")
    found = {f"{folder}/{path.name}" for folder in folders for path in (FOLDER / folder).iterdir()}
    assert found == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_each_file_is_read_or_refused_for_the_stated_reason(name: str) -> None:
    reader, reason = EXPECTED[name]
    if reason is None:
        READERS[reader](content(name))
        return
    with pytest.raises(InterviewError, match=reason):
        READERS[reader](content(name))


@pytest.mark.parametrize("name", EXPECTED)
def test_every_other_reader_refuses_the_file(name: str) -> None:
    for reader, read in READERS.items():
        if reader != EXPECTED[name][0]:
            with pytest.raises(InterviewError):
                read(content(name))


# --- what is read -------------------------------------------------------------------------------------------


def noted(found: Described) -> list[tuple[str, str]]:
    return [(issue.place, issue.severity) for issue in found.issues]


def test_an_oral_history_of_the_uk_data_service() -> None:
    found = read_ddi(content("ddi/ukds-2000.xml"))
    assert found.title == "Family Life and Work Experience Before 1918, 1870-1973"
    assert (found.year_from, found.year_to) == (1969, 1973), "when it was collected, not the years it is about"
    assert found.mode_of_collection == "Interview.FaceToFace"
    assert found.sampling is None, "a quota sample is none of the three"
    assert found.persistent_id == "https://doi.org/10.5255/UKDA-SN-2000-1"
    assert found.licence == "CC-BY-4.0"
    assert noted(found) == [("sampling", "note"), ("licence", "note")]


def test_a_census_of_the_uk_data_service() -> None:
    found = read_ddi(content("ddi/ukds-7481.xml"))
    assert found.title == "Integrated Census Microdata (I-CeM), 1851-1911"
    assert (found.year_from, found.year_to, found.sampling) == (2009, 2014, "census")
    assert found.persistent_id == "https://doi.org/10.5255/UKDA-SN-7481-1"
    assert (found.mode_of_collection, found.licence) == (None, None)
    assert noted(found) == [("mode of collection", "note"), ("licence", "note")]


def test_a_finnish_answer_is_read_in_english() -> None:
    found = read_oai(content("ddi/fsd-3307-oaipmh.xml"))
    assert (found.title, found.year_from, found.year_to) == ("Child Barometer 2018", 2018, 2018)
    assert found.persistent_id == "urn:nbn:fi:fsd:T-FSD3307"
    assert found.mode_of_collection is None, "it names two ways"
    assert ("mode of collection", "note") in noted(found)


def test_a_deleted_record() -> None:
    assert read_oai(content("ddi/ddi_record_1031_deleted.xml")) == Described(is_deleted=True)


def test_a_list_of_records_is_harvested_with_those_that_cannot_be_read() -> None:
    def records() -> Iterator[Harvested]:
        return harvest(lambda _: content("ddi/synthetic_list_records_response.xml"), "https://example.org/oai")

    first, second, *unsupported = records()
    assert (first.identifier, first.described.mode_of_collection) == ("2305", "Interview.FaceToFace")
    assert first.described.title is not None
    assert first.described.title.endswith("Interviews of 14-Year-Olds 1974: Text Data.")
    assert (first.described.year_from, first.described.year_to) == (2010, 2018)
    assert first.described.persistent_id == "https://doi.org/10.5255/UKDA-FAKE-2305-1"
    assert (second.described.title, second.described.year_from) == ("Development Cooperation Survey 2017", 2017)
    assert [record.identifier for record in unsupported] == ["unsupported-namespace", "unsupported-namespace-2"]
    for record in unsupported:
        assert [issue.severity for issue in record.described.issues] == ["refused"]


def test_a_dataverse_dataset() -> None:
    assert read_dataverse(content("dataverse/dataset-finch1.json")) == Described(
        title="Darwin's Finches",
        year_from=2007,
        year_to=2013,
        persistent_id="https://doi.org/10.5072/FK2/PCA2E3",
        licence="CC0-1.0",
    )


def test_nobody_who_is_named_in_a_description_comes_out() -> None:
    people = ("Thompson", "Lummis", "Schurer", "Higgs", "Finch, Fiona", "mailinator", "Hawk", "Raven", "Depositor")
    for name, (reader, reason) in EXPECTED.items():
        if reason is None and reader != "qdpx":
            said = "\n".join(everything(READERS[reader](content(name))))
            assert not [person for person in people if person in said], name


# --- the project of another program -------------------------------------------------------------------------


def test_a_project_of_atlas_ti() -> None:
    coding = read_qdpx(content("refi_qda/TestProject.qdpx"))
    names = {code.position: code.name for code in coding.codes}
    assert len(names) == 14
    assert names[5] == "Coke::full-fat Coke"
    assert all(code.parent is None for code in coding.codes)
    assert coding.issues == ()
    found: dict[str, dict[str, int]] = {}
    for use in coding.uses:
        found.setdefault(use.label, {})[names[use.code]] = use.references
    assert len(found) == 6
    assert found["Simon.docx"] == {"happiness": 1, "Feelings": 1, "bacon and eggs": 1}
    assert found["Mabel.txt"] == {"happiness": 1, "bacon and eggs": 1, "cornflakes": 1}
    assert found["cornflakes-n-milk.jpg"] == {"cornflakes": 1, "milk": 1}
    assert found["1994 Diet Coke-Diet Coke Break.mp4"] == {'"rushed"': 1}
    # Three of its codings stand on the page, and two of these again in the text.
    (pdf,) = (codes for label, codes in found.items() if label.startswith("Pay de"))
    assert pdf == {"cornflakes": 2, "serene": 1, "waste of time": 1}


def test_no_canary_of_the_project_comes_out() -> None:
    """User names and the home folder, which the project's file has in its attributes."""
    raw = content("refi_qda/TestProject.qdpx")
    said = [*everything(read_qdpx(raw))]
    damaged = raw[: len(raw) // 2]
    for given in (raw, damaged):
        for read in READERS.values():
            try:
                read(given)
            except InterviewError as error:
                said += [str(error), error.for_researcher, repr(error)]
    assert len(said) > 30
    assert not [text for text in said if "CANARY" in text]


def schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(content("refi_qda/Project.xsd")))


def test_the_projects_that_other_tests_write_are_valid() -> None:
    """So what those tests show holds for the format, and not only for files of our own making."""
    judge = schema()
    assert judge.validate(etree.fromstring(project().encode())), judge.error_log
    assert not judge.validate(etree.fromstring(project().replace("targetGUID", "target").encode()))


def test_a_valid_project_in_another_order_of_attributes_reads_the_same() -> None:
    """Canonical XML orders attributes by name and writes empty elements in full."""
    canonical = etree.tostring(etree.fromstring(project().encode()), method="c14n").decode()
    assert canonical != project()
    assert read_qdpx(archive({"project.qde": canonical})) == read_qdpx(archive({"project.qde": project()}))
