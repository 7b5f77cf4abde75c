"""Descriptions of a release for other systems, held against the validators of their own communities."""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlcroissant
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rdflib
import yaml

from pipelines.contract import Contract, to_arrow
from pipelines.release.manifest import (
    LICENCES,
    DatasetEntry,
    Deprecation,
    FileEntry,
    InputEntry,
    Manifest,
    to_json,
)
from pipelines.release.metadata.citation import citation_cff
from pipelines.release.metadata.croissant import croissant
from pipelines.release.metadata.datacite import datacite
from pipelines.release.metadata.dcat import dcat
from pipelines.release.metadata.documents import documents
from pipelines.release.metadata.publisher import Publisher, cite, publisher_from
from pipelines.release.metadata.schema_org import dataset_json_ld, json_ld, script_text
from pipelines.release.metadata.search_rules import GOOGLE_LENGTHS, jsonld_faults
from pipelines.release.metadata.shared import period
from pipelines.release.package import SAMPLE_NOTICE
from pipelines.release.verify import sha256_of
from pipelines.settings import SettingsError
from tests.helpers import column, document, key, load
from tests.metadata_judges import (
    cff_faults,
    croissant_rows,
    datacite_faults,
    dcat_faults,
    dcat_graph,
    unknown_terms,
)

BASE = "https://data.example/engagement"
HERE = Publisher(base_url=BASE, url="https://project.example/", contact="data@project.example")
NOWHERE = Publisher()
ADDRESSES = [pytest.param(NOWHERE, id="relative"), pytest.param(HERE, id="absolute")]
ENDINGS = ("parquet", "csv.gz", "xlsx")
DCT = rdflib.Namespace("http://purl.org/dc/terms/")
DCAT = rdflib.Namespace("http://www.w3.org/ns/dcat#")


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Contract]:
    """Two datasets under different licences, with every type of column."""
    folder = tmp_path_factory.mktemp("contracts")
    things = [
        key("name", 1),
        column("how_many", "integer"),
        column("share", "number"),
        column("is_open", "boolean"),
        column("opened_on", "date"),
        column("seen_at", "timestamp"),
    ]
    first = document("public.things", things, attribution=["Keepers of things", "Friends <of> & things"])
    second = document("public.others", [key("name", 1)], licence="CC-BY-SA-4.0", attribution=["Others"])
    return {contract.name: contract for contract in (load(folder, first), load(folder, second))}


def entry_of(contract: Contract) -> DatasetEntry:
    files = tuple(
        FileEntry(
            path=f"{contract.name}.{end}", sha256=f"{place:064x}", bytes=1000 + place, media_type="any/thing"
        )
        for place, end in enumerate(ENDINGS, start=1)
    )
    return DatasetEntry(
        name=contract.name,
        title=contract.title,
        grain=contract.grain,
        schema_version=contract.version,
        contract_sha256=contract.digest,
        rows=3,
        licence=contract.licence,
        attribution=contract.attribution,
        key=contract.key,
        files=files,
    )


@pytest.fixture(scope="module")
def live(contracts: dict[str, Contract]) -> Manifest:
    inputs = [
        InputEntry(
            source="register",
            location="register.csv",
            as_of=day,
            sha256="0" * 64,
            rows=1,
            licence="CC-BY-4.0",
            attribution=("Nobody",),
        )
        for day in (dt.date(2025, 1, 28), dt.date(2026, 10, 1), dt.date(2022, 5, 6))
    ]
    bundle = FileEntry(path="all.zip", sha256="f" * 64, bytes=5, media_type="application/zip")
    return Manifest(
        title="Councillors' digital engagement",
        version="2026.11.1",
        world="live",
        released_on=dt.date(2026, 11, 23),
        code_version="0.1.0+abc",
        previous="2026.11.0",
        datasets=tuple(entry_of(contract) for contract in contracts.values()),
        inputs=tuple(inputs),
        files=(bundle,),
    )


@pytest.fixture(scope="module")
def sample(live: Manifest) -> Manifest:
    told = {"world": "sample", "notice": SAMPLE_NOTICE, "title": f"{live.title} (sample)"}
    return live.model_copy(update=told)


@pytest.fixture(scope="module", params=["live", "sample"])
def manifest(request: pytest.FixtureRequest) -> Manifest:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Manifest)
    return found


def texts_of(node: object) -> list[str]:
    """Every text anywhere in a document."""
    if isinstance(node, dict):
        return [text for value in node.values() for text in texts_of(value)]
    if isinstance(node, list):
        return [text for value in node for text in texts_of(value)]
    return [node] if isinstance(node, str) else []


# --- who publishes ------------------------------------------------------------------------------------------


def test_the_environment_names_the_publisher() -> None:
    given = {
        "ENGAGEMENT_PUBLISHER": " A library ",
        "ENGAGEMENT_PUBLISHER_URL": "https://library.example",
        "ENGAGEMENT_CONTACT": "data@library.example",
        "ENGAGEMENT_BASE_URL": "https://data.library.example:8443/engagement/",
    }
    assert publisher_from(given) == Publisher(
        name="A library",
        url="https://library.example",
        contact="data@library.example",
        base_url="https://data.library.example:8443/engagement",
    )
    assert publisher_from({"ENGAGEMENT_BASE_URL": ""}) == Publisher()


def test_without_an_argument_the_real_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_BASE_URL", BASE)
    assert publisher_from().address("2026.11.0", "a.csv") == f"{BASE}/v/2026.11.0/a.csv"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ENGAGEMENT_BASE_URL", "mirror.example/data"),
        ("ENGAGEMENT_BASE_URL", "ftp://data.example"),
        ("ENGAGEMENT_BASE_URL", "https://user:secret@data.example"),
        ("ENGAGEMENT_BASE_URL", "https://data.example/?key=secret"),
        ("ENGAGEMENT_BASE_URL", "https://data.example/#top"),
        ("ENGAGEMENT_BASE_URL", "https://data.example/a b"),
        ("ENGAGEMENT_BASE_URL", "https://data.example:notaport"),
        ("ENGAGEMENT_BASE_URL", 'https://data.example/"><script>'),
        ("ENGAGEMENT_PUBLISHER_URL", "project"),
        ("ENGAGEMENT_CONTACT", "somebody"),
        ("ENGAGEMENT_PUBLISHER", "x" * 201),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_by_name_and_not_repeated(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"{variable}: expected ") as caught:
        publisher_from({variable: value})
    assert value not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_citation_names_who_when_what_and_where(live: Manifest, sample: Manifest) -> None:
    assert cite(live, HERE) == (
        "Councillor engagement data project (2026). Councillors' digital engagement, release 2026.11.1 "
        f"[Data set]. {BASE}/v/2026.11.1/index.html"
    )
    assert cite(live, NOWHERE).endswith("[Data set].")
    assert cite(sample, HERE) == f"Do not cite this. {SAMPLE_NOTICE}"


def test_the_period_is_that_of_the_sources(live: Manifest) -> None:
    assert period(live) == (dt.date(2022, 5, 6), dt.date(2026, 10, 1))
    assert period(live.model_copy(update={"inputs": ()})) is None


# --- every document -----------------------------------------------------------------------------------------

Make = Callable[[Manifest, Mapping[str, Contract], Publisher], object]
DOCUMENTS: dict[str, Make] = {
    "croissant": croissant,
    "dcat": dcat,
    "datacite": datacite,
    "json_ld": lambda manifest, contracts, publisher: json_ld(manifest, contracts, publisher=publisher),
    "cff": lambda manifest, _, publisher: yaml.safe_load(citation_cff(manifest, publisher)),
}
EVERY = pytest.mark.parametrize("name", list(DOCUMENTS))


@EVERY
def test_a_sample_says_that_it_is_fictional_and_credits_nobody(
    sample: Manifest, contracts: dict[str, Contract], name: str
) -> None:
    said = " ".join(texts_of(DOCUMENTS[name](sample, contracts, HERE)))
    assert SAMPLE_NOTICE in said
    assert f"{sample.title}" in said
    assert "Keepers of things" not in said
    assert "United Kingdom, council by council" in said, "what the publication is about may be said"
    assert "GBR" not in said
    assert "@misc" not in said


@EVERY
def test_a_live_release_credits_its_sources_and_holds_nothing_of_a_sample(
    live: Manifest, contracts: dict[str, Contract], name: str
) -> None:
    said = " ".join(texts_of(DOCUMENTS[name](live, contracts, HERE)))
    assert "fictional" not in said
    assert "sample" not in said.lower()
    if name != "croissant":  # it has no place for credits
        assert "Keepers of things" in said
        assert "Others" in said


@EVERY
def test_each_dataset_has_its_own_licence(live: Manifest, contracts: dict[str, Contract], name: str) -> None:
    text = json.dumps(DOCUMENTS[name](live, contracts, HERE), default=str)
    for code in ("CC-BY-4.0", "CC-BY-SA-4.0"):
        assert LICENCES[code][1] in text
    found = {
        "json_ld": lambda d: [(p["alternateName"], p["license"]) for p in d["hasPart"]],
        "dcat": lambda d: [
            (p["@id"].partition("#")[2], file["dct:license"]["@id"])
            for p in d["dcat:dataset"]
            for file in p["dcat:distribution"][:1]
        ],
        "cff": lambda d: [(r["notes"].partition(",")[0], r["license-url"]) for r in d["references"]],
        "datacite": lambda d: [(r["rights"].partition(": ")[2], r["rightsUri"]) for r in d["rightsList"]],
        "croissant": lambda d: [
            (r["@id"], LICENCES[r["description"].rpartition("Licence: ")[2].rstrip(".")][1])
            for r in d["recordSet"]
        ],
    }
    told = found[name](DOCUMENTS[name](live, contracts, HERE))  # type: ignore[no-untyped-call]
    assert dict(told) == {"things": LICENCES["CC-BY-4.0"][1], "others": LICENCES["CC-BY-SA-4.0"][1]}


@EVERY
def test_addresses_are_absolute_with_a_base_and_relative_without(
    live: Manifest, contracts: dict[str, Contract], name: str
) -> None:
    absolute = texts_of(DOCUMENTS[name](live, contracts, HERE))
    relative = texts_of(DOCUMENTS[name](live, contracts, NOWHERE))
    assert [text for text in absolute if text.startswith(f"{BASE}/v/2026.11.1/")]
    assert not [text for text in relative if "data.example" in text]
    if name in ("croissant", "dcat", "json_ld"):
        assert "things.parquet" in relative


@EVERY
def test_the_same_release_gives_the_same_bytes(
    manifest: Manifest, contracts: dict[str, Contract], name: str
) -> None:
    once, again = (json.dumps(DOCUMENTS[name](manifest, contracts, HERE), default=str) for _ in range(2))
    assert once == again
    assert documents(manifest, contracts, HERE) == documents(manifest, dict(reversed(contracts.items())), HERE)


@pytest.mark.parametrize("name", ["croissant", "dcat", "json_ld"])
def test_a_dataset_that_will_go_says_so(live: Manifest, contracts: dict[str, Contract], name: str) -> None:
    end = Deprecation(
        since_version="2026.11.1", since=live.released_on, replaced_by="others", remove_after=dt.date(2027, 3, 1)
    )
    first, *rest = live.datasets
    going = first.model_copy(update={"status": "deprecated", "deprecation": end})
    changed = live.model_copy(update={"datasets": (going, *rest)})
    assert "2027-03-01" in " ".join(texts_of(DOCUMENTS[name](changed, contracts, HERE)))


# --- Croissant ----------------------------------------------------------------------------------------------


def write_parquet(folder: Path, contract: Contract) -> Path:
    values: dict[str, list[Any]] = {
        "string": ["one", "two", "Ŵy"],
        "integer": [1, None, 2**53],
        "number": [0.5, None, 1e-9],
        "boolean": [True, None, False],
        "date": [dt.date(1889, 4, 1), None, dt.date(2026, 1, 1)],
        "timestamp": [
            dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            None,
            dt.datetime(2020, 1, 1, 1, 2, 3, tzinfo=dt.UTC),
        ],
    }
    schema = to_arrow(contract)
    arrays = [pa.array(values[c.type], schema.field(c.name).type) for c in contract.columns]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), folder / f"{contract.name}.parquet")
    return folder / f"{contract.name}.parquet"


def with_hashes(manifest: Manifest, folder: Path) -> Manifest:
    """A manifest that tells the truth about the Parquet files in a folder."""
    datasets = []
    for dataset in manifest.datasets:
        parquet, *others = dataset.files
        true = parquet.model_copy(update={"sha256": sha256_of(folder / parquet.path)})
        datasets.append(dataset.model_copy(update={"files": (true, *others)}))
    return manifest.model_copy(update={"datasets": tuple(datasets)})


@pytest.mark.parametrize("publisher", ADDRESSES)
def test_the_reference_reader_loads_rows_of_every_type_from_croissant(
    manifest: Manifest, contracts: dict[str, Contract], tmp_path: Path, publisher: Publisher
) -> None:
    files = {f"{name}.parquet": write_parquet(tmp_path, contract) for name, contract in contracts.items()}
    described = croissant(with_hashes(manifest, tmp_path), contracts, publisher)
    assert described["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    (tmp_path / "croissant.json").write_bytes(to_json(described))
    rows = croissant_rows(tmp_path / "croissant.json", 3, files if publisher.base_url else None)
    assert [row["others/name"].decode() for row in rows["others"]] == ["one", "two", "Ŵy"]
    first, second, third = rows["things"]
    assert set(first) == {f"things/{column.name}" for column in contracts["things"].columns}
    assert (first["things/how_many"], first["things/share"], first["things/is_open"]) == (1, 0.5, True)
    assert second["things/how_many"] is None
    assert str(first["things/opened_on"]).startswith("1889-04-01")
    assert str(third["things/seen_at"]).startswith("2020-01-01 01:02:03")


def test_the_reader_of_croissant_notices_a_column_that_is_not_there(
    live: Manifest, contracts: dict[str, Contract], tmp_path: Path
) -> None:
    for contract in contracts.values():
        write_parquet(tmp_path, contract)
    described = croissant(with_hashes(live, tmp_path), contracts, NOWHERE)
    described["recordSet"][0]["field"][0]["source"]["extract"]["column"] = "elsewhere"
    (tmp_path / "croissant.json").write_bytes(to_json(described))
    with pytest.raises(mlcroissant.GenerationError):
        croissant_rows(tmp_path / "croissant.json", 1)


def test_the_reader_of_croissant_notices_a_file_that_was_changed(
    live: Manifest, contracts: dict[str, Contract], tmp_path: Path
) -> None:
    for contract in contracts.values():
        write_parquet(tmp_path, contract)
    (tmp_path / "croissant.json").write_bytes(to_json(croissant(live, contracts, NOWHERE)))
    with pytest.raises(mlcroissant.GenerationError, match=r"Download\(things\.parquet\)"):
        croissant_rows(tmp_path / "croissant.json", 1)


# --- schema.org ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("publisher", ADDRESSES)
def test_the_page_description_keeps_the_rules_of_dataset_search(
    manifest: Manifest, contracts: dict[str, Contract], publisher: Publisher
) -> None:
    whole = json_ld(manifest, contracts, publisher=publisher)
    assert jsonld_faults(whole) == []
    assert unknown_terms(whole) == set()
    assert whole["distribution"][0]["contentUrl"].endswith("all.zip")
    assert [part["alternateName"] for part in whole["hasPart"]] == list(contracts)
    for contract in contracts.values():
        part = dataset_json_ld(manifest, contract, publisher=publisher, page=f"{contract.name}.html")
        assert jsonld_faults(part) == []
        assert unknown_terms(part) == set()
        assert jsonld_faults({"@context": "https://schema.org/", **part["isPartOf"]}) != [], "only a pointer"
        assert part["url"].endswith(f"{contract.name}.html")
        files = {file["contentUrl"].rpartition("/")[2] for file in part["distribution"]}
        assert files == {f"{contract.name}.{end}" for end in ENDINGS}
        assert [v["name"] for v in part["variableMeasured"]] == [c.name for c in contract.columns]


def test_a_base_given_to_the_page_goes_before_that_of_the_publisher(
    live: Manifest, contracts: dict[str, Contract]
) -> None:
    described = json_ld(live, contracts, "https://mirror.example/x/", HERE)
    assert described["url"] == "https://mirror.example/x/v/2026.11.1/index.html"
    assert json_ld(live, contracts, BASE)["url"] == f"{BASE}/v/2026.11.1/index.html"


def test_a_long_description_is_cut_between_words(live: Manifest, contracts: dict[str, Contract]) -> None:
    long = {name: replace(contract, limitations="a caveat " * 900) for name, contract in contracts.items()}
    described = json_ld(live, long)
    assert jsonld_faults(described) == []
    text = described["hasPart"][0]["description"]
    assert len(text) <= GOOGLE_LENGTHS[1]
    assert text.endswith((" caveat …", " a …"))


def lose(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda found: found.__delitem__(name)


def say(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda found: found.__setitem__(name, value)


RECOMMENDED = (
    *("creator", "license", "identifier", "isAccessibleForFree", "keywords", "version", "url"),
    *("temporalCoverage", "spatialCoverage", "includedInDataCatalog", "distribution"),
)
BREAKS = [
    (lose("name"), "name: is missing and required"),
    (lose("description"), "description: is missing and required"),
    *((lose(name), f"{name}: is missing and recommended") for name in RECOMMENDED),
    (say("@type", "Thing"), "@type: is not Dataset"),
    (say("name", " "), "name: is not a text"),
    (say("description", "Too short."), "description: is not a text of 50 to 5000 characters"),
    (say("description", "x" * 5001), "description: is not a text of 50 to 5000 characters"),
    (say("creator", {"@type": "Organization"}), "creator: is not persons or organizations with names"),
    (say("creator", []), "creator: is not persons or organizations with names"),
    (say("license", "CC-BY-4.0"), "license: is not addresses or creative works with an address"),
    (say("license", {"@type": "CreativeWork", "name": "x"}), "license: is not addresses"),
    (say("identifier", 7), "identifier: is not a text, address or property value"),
    (say("isAccessibleForFree", "true"), "isAccessibleForFree: is not true or false"),
    (say("keywords", ["a", ""]), "keywords: is not texts"),
    (say("version", None), "version: is not a text or number"),
    (say("url", "javascript:alert(1)"), "url: is not an address"),
    (say("temporalCoverage", "last spring"), "temporalCoverage: is not a day or period"),
    (say("temporalCoverage", "2026-01-01/2026"), None),
    (say("temporalCoverage", "2026-01-01/.."), None),
    (say("spatialCoverage", {"@type": "Place"}), "spatialCoverage: is not a text or place"),
    (
        say("spatialCoverage", {"@type": "Place", "name": "x", "geo": {"@type": "GeoShape", "box": "60 1 49 -8"}}),
        "spatialCoverage: is not a text or place",
    ),
    (say("includedInDataCatalog", {"@type": "Thing"}), "includedInDataCatalog: is not a data catalogue"),
    (say("distribution", [{"@type": "Thing"}]), "distribution: is not downloads"),
    (
        say("distribution", [{"@type": "DataDownload", "encodingFormat": "text/csv"}]),
        "distribution: contentUrl is required and no address",
    ),
    (
        say("distribution", [{"@type": "DataDownload", "contentUrl": "a.csv"}]),
        "distribution: encodingFormat is missing",
    ),
    (say("variableMeasured", [{"@type": "PropertyValue"}]), "variableMeasured: has one without a name"),
    (say("hasPart", ["a link"]), "hasPart a part: @type: is not Dataset"),
    (say("alternateName", 1), "alternateName: is not a text"),
]


@pytest.mark.parametrize("place", ["the release", "a part of it"])
@pytest.mark.parametrize(("spoil", "fault"), BREAKS)
def test_the_judge_of_page_descriptions_sees_each_broken_rule(
    live: Manifest,
    contracts: dict[str, Contract],
    spoil: Callable[[dict[str, Any]], None],
    fault: str | None,
    place: str,
) -> None:
    described = copy.deepcopy(json_ld(live, contracts))
    spoil(described if place == "the release" else described["hasPart"][0])
    faults = jsonld_faults(described)
    if fault is None:
        assert faults == []
    else:
        assert any(fault in found for found in faults), faults
        assert place == "the release" or all(found.startswith("hasPart ") for found in faults)


def test_a_document_without_the_context_of_schema_org_is_none(
    live: Manifest, contracts: dict[str, Contract]
) -> None:
    described = {**json_ld(live, contracts), "@context": "https://other.example/"}
    assert jsonld_faults(described) == ["@context: is not schema.org"]


def test_nothing_in_a_description_can_end_the_script_it_stands_in(
    live: Manifest, contracts: dict[str, Contract]
) -> None:
    nasty = "</script><script>alert(1)</script><!-- \u2028 & "
    spoilt = {name: replace(contract, purpose=nasty * 2) for name, contract in contracts.items()}
    text = script_text(json_ld(live, spoilt))
    assert not re.search(r"[<>&\u2028\u2029]", text)
    assert nasty in json.loads(text)["hasPart"][0]["description"]


# --- DCAT-AP ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("publisher", [*ADDRESSES, Publisher(contact="https://project.example/ask")])
def test_the_catalogue_fits_the_shapes_of_dcat_ap(
    manifest: Manifest, contracts: dict[str, Contract], publisher: Publisher
) -> None:
    described = dcat(manifest, contracts, publisher)
    assert dcat_faults(described) == []
    graph = dcat_graph(described)
    assert len(set(graph.subjects(rdflib.RDF.type, DCAT.Dataset))) == 2
    assert len(set(graph.subjects(rdflib.RDF.type, DCAT.Distribution))) == 6
    for predicate in graph.predicates(unique=True):
        assert str(predicate).startswith("http"), f"{predicate} has no vocabulary"


def test_relative_files_of_a_catalogue_stand_beside_it(live: Manifest, contracts: dict[str, Contract]) -> None:
    graph = dcat_graph(dcat(live, contracts, NOWHERE), base="https://mirror.example/v/1/dcat.jsonld")
    files = {str(found) for found in graph.objects(None, DCAT.downloadURL)}
    assert files == {f"https://mirror.example/v/1/{name}.{end}" for name in contracts for end in ENDINGS}


DCAT_BREAKS: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (lose("dct:publisher"), "publisher"),
    (lose("dct:title"), "title"),
    (say("dct:issued", "last spring"), "issued"),
    (lambda d: lose("dct:description")(d["dcat:dataset"][0]), "description"),
    (lambda d: lose("dcat:theme")(d["dcat:dataset"][1]), "theme"),
    (lambda d: lose("dct:license")(d["dcat:dataset"][0]["dcat:distribution"][0]), "license"),
    (lambda d: lose("dcat:accessURL")(d["dcat:dataset"][0]["dcat:distribution"][2]), "accessURL"),
    (lambda d: say("dcat:byteSize", "-1")(d["dcat:dataset"][0]["dcat:distribution"][0]), "byteSize"),
    (
        lambda d: say("spdx:checksumValue", "xyz")(d["dcat:dataset"][0]["dcat:distribution"][0]["spdx:checksum"]),
        "checksumValue",
    ),
    (lambda d: say("dcat:endDate", "1999-01-01")(d["dcat:dataset"][0]["dct:temporal"]), "startDate"),
]


@pytest.mark.parametrize(("spoil", "path"), DCAT_BREAKS)
def test_the_shapes_see_a_broken_catalogue(
    live: Manifest, contracts: dict[str, Contract], spoil: Callable[[dict[str, Any]], None], path: str
) -> None:
    described = copy.deepcopy(dcat(live, contracts, HERE))
    spoil(described)
    assert any(path in fault for fault in dcat_faults(described))


def test_a_catalogue_without_sources_says_no_period(live: Manifest, contracts: dict[str, Contract]) -> None:
    timeless = live.model_copy(update={"inputs": ()})
    graph = dcat_graph(dcat(timeless, contracts, HERE))
    assert list(graph.objects(None, DCT.temporal)) == []
    assert "temporalCoverage" not in json_ld(timeless, contracts)
    assert datacite_faults(datacite(timeless, contracts, HERE)) == []


# --- CITATION.cff -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("publisher", ADDRESSES)
def test_the_citation_file_fits_its_schema(manifest: Manifest, publisher: Publisher) -> None:
    text = citation_cff(manifest, publisher)
    assert cff_faults(text) == []
    said = yaml.safe_load(text)
    assert said["date-released"] == manifest.released_on
    assert "license" not in said, "a list at the top would mean a choice between them"
    assert ("Do not cite this" in said["message"]) == (manifest.notice is not None)


@pytest.mark.parametrize("code", list(LICENCES))
def test_every_licence_that_a_contract_may_have_is_one_that_the_schema_knows(live: Manifest, code: str) -> None:
    alike = tuple(dataset.model_copy(update={"licence": code}) for dataset in live.datasets)
    text = citation_cff(live.model_copy(update={"datasets": alike}), HERE)
    assert cff_faults(text) == []
    assert yaml.safe_load(text)["license"] == code


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lose("authors"), "'authors' is a required property"),
        (say("type", "collection"), "type: "),
        (say("license", "Free"), "license: "),
        (say("url", "index.html"), "url: "),
        (say("date-released", "last spring"), "date-released: "),
        (say("colour", "red"), "colour"),
    ],
)
def test_the_schema_sees_a_broken_citation_file(
    live: Manifest, spoil: Callable[[dict[str, Any]], None], fault: str
) -> None:
    said = yaml.safe_load(citation_cff(live, HERE))
    spoil(said)
    assert any(fault in found for found in cff_faults(yaml.safe_dump(said)))


# --- DataCite -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("publisher", ADDRESSES)
def test_the_registration_metadata_fit_the_schema_of_datacite(
    manifest: Manifest, contracts: dict[str, Contract], publisher: Publisher
) -> None:
    described = datacite(manifest, contracts, publisher)
    assert datacite_faults(described) == []
    assert "doi" not in described
    assert ("relatedIdentifiers" in described) == (publisher.base_url is not None)
    assert described["types"]["resourceTypeGeneral"] == "Dataset"


def test_a_release_names_the_one_before_it(live: Manifest, contracts: dict[str, Contract]) -> None:
    (related,) = datacite(live, contracts, HERE)["relatedIdentifiers"]
    assert (related["relationType"], related["relatedIdentifier"]) == (
        "IsNewVersionOf",
        f"{BASE}/v/2026.11.0/index.html",
    )
    first = live.model_copy(update={"previous": None})
    assert "relatedIdentifiers" not in datacite(first, contracts, HERE)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lose("titles"), "titles"),
        (say("publicationYear", "twenty"), "publicationYear"),
        (say("types", {"resourceTypeGeneral": "Spreadsheet"}), "resourceTypeGeneral"),
        (say("colour", "red"), "colour"),
        (say("schemaVersion", "http://datacite.org/schema/kernel-3"), "schemaVersion"),
    ],
)
def test_the_schema_sees_broken_registration_metadata(
    live: Manifest, contracts: dict[str, Contract], spoil: Callable[[dict[str, Any]], None], fault: str
) -> None:
    described = copy.deepcopy(datacite(live, contracts, HERE))
    spoil(described)
    assert any(fault in found for found in datacite_faults(described))
