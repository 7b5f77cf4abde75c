"""Interview files in the formats of other programs, written by the tests themselves, with canaries in every field.

Each canary stands where a real file has something personal: none may come out of reading. Names of codes and
labels of interviews do come out, for matching, and are no canaries here.
"""

from __future__ import annotations

import io
import sqlite3
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

CANARY = "zzcanary4c1d"


def everything(value: object) -> Iterator[str]:
    """Every text in an object, also what its repr leaves out."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from everything(getattr(value, field.name))
    elif isinstance(value, Mapping):
        yield from everything(tuple(value.items()))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from everything(item)
    else:
        yield str(value)


def guid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012X}"


def archive(members: Mapping[str, bytes | str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return out.getvalue()


def code(number: int, name: str, inner: str = "") -> str:
    return (
        f'<Code guid="{guid(number)}" name="{name}" isCodable="true" color="#AA0000">'
        f"<Description>{CANARY}</Description>{inner}</Code>"
    )


def coding(number: int, code_number: int) -> str:
    return (
        f'<Coding guid="{guid(number)}" creatingUser="{guid(900)}" creationDateTime="2016-05-04T10:00:00Z">'
        f'<CodeRef targetGUID="{guid(code_number)}"/></Coding>'
    )


def selection(kind: str, number: int, codes: Sequence[int]) -> str:
    place = {
        "PlainTextSelection": 'startPosition="0" endPosition="9"',
        "PDFSelection": 'page="0" firstX="1" firstY="1" secondX="2" secondY="2"',
        "PictureSelection": 'firstX="1" firstY="1" secondX="2" secondY="2"',
        "AudioSelection": 'begin="0" end="9"',
        "VideoSelection": 'begin="0" end="9"',
        "TranscriptSelection": "",
    }[kind]
    inner = "".join(coding(number * 100 + place, target) for place, target in enumerate(codes))
    return (
        f'<{kind} guid="{guid(number)}" name="{CANARY}" {place} creatingUser="{guid(900)}" '
        f'modifiedDateTime="2016-05-04T10:00:00Z"><Description>{CANARY}</Description>{inner}</{kind}>'
    )


# Five sources: a transcript in a case, a PDF coded on the page and in its text, a recording with its own
# transcript, a picture, a film in two cases.
SOURCES = f"""
<TextSource guid="{guid(11)}" name="P01 transcript.docx" plainTextPath="internal://{CANARY}.txt">
  <Description>{CANARY}</Description><PlainTextContent>{CANARY}</PlainTextContent>
  {selection("PlainTextSelection", 21, [1, 2])}{selection("PlainTextSelection", 22, [2])}{coding(23, 3)}
</TextSource>
<PDFSource guid="{guid(12)}" name="P02" path="relative:///{CANARY}.pdf">
  {selection("PDFSelection", 31, [1])}{selection("PDFSelection", 32, [1])}
  <Representation guid="{guid(33)}" plainTextPath="internal://{CANARY}">
    {selection("PlainTextSelection", 34, [1, 2])}
  </Representation>
</PDFSource>
<AudioSource guid="{guid(13)}" name="P03">
  <Transcript guid="{guid(41)}"><PlainTextContent>{CANARY}</PlainTextContent>
    <SyncPoint guid="{guid(42)}" timeStamp="0" position="0"/>{selection("TranscriptSelection", 43, [2])}
  </Transcript>{selection("AudioSelection", 44, [2])}
</AudioSource>
<PictureSource guid="{guid(14)}" name="P04">{selection("PictureSelection", 51, [3])}</PictureSource>
<VideoSource guid="{guid(15)}" name="P05">{selection("VideoSelection", 61, [1])}</VideoSource>
"""
CASES = f"""
<Case guid="{guid(71)}" name="Interview 1"><Description>{CANARY}</Description>
  <SourceRef targetGUID="{{{guid(11).lower()}}}"/></Case>
<Case guid="{guid(72)}" name="North"><SourceRef targetGUID="{guid(15)}"/></Case>
<Case guid="{guid(73)}" name="South"><SourceRef targetGUID="{guid(15)}"/></Case>
"""
CODES = code(1, "Abuse", code(2, "from  residents") + code(3, "none")) + code(4, "Always on")


def project(codes: str = CODES, sources: str = SOURCES, cases: str = CASES) -> str:
    """A REFI-QDA project that the format's own schema accepts."""
    return f"""<?xml version="1.0" encoding="utf-8"?>
<Project xmlns="urn:QDA-XML:project:1.0" name="{CANARY}" origin="{CANARY}" basePath="/home/{CANARY}">
  <Users><User guid="{guid(900)}" name="{CANARY}" id="{CANARY}"/></Users>
  <CodeBook><Codes>{codes}</Codes></CodeBook>
  <Variables><Variable guid="{guid(901)}" name="{CANARY}" typeOfVariable="Text"/></Variables>
  <Cases>{cases}</Cases>
  <Sources>{sources}</Sources>
  <Notes><Note guid="{guid(902)}" name="{CANARY}"><PlainTextContent>{CANARY}</PlainTextContent></Note></Notes>
  <Sets><Set guid="{guid(903)}" name="{CANARY}"><MemberCode targetGUID="{guid(1)}"/></Set></Sets>
  <Description>{CANARY}</Description>
</Project>"""


def qdpx(content: str | None = None, member: str = "project.qde", **others: str) -> bytes:
    return archive({f"Sources/{CANARY}.txt": CANARY, **others, member: content or project()})


def qdc(codes: str = CODES, namespace: str = "urn:QDA-XML:codebook:1.0") -> bytes:
    return (
        f'<?xml version="1.0"?><CodeBook xmlns="{namespace}" origin="{CANARY}"><Codes>{codes}</Codes>'
        f'<Sets><Set guid="{guid(9)}" name="{CANARY}"/></Sets></CodeBook>'
    ).encode()


def database(script: str, rows: Mapping[str, Sequence[Sequence[Any]]]) -> bytes:
    """An SQLite file."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(script)
    for table, lines in rows.items():
        for line in lines:
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(line))})", line)
    connection.commit()
    content = bytes(connection.serialize())
    connection.close()
    return content


# The tables of QualCoder's projects in its first version with cases, and what later ones added.
QUALCODER_FIRST = """
CREATE TABLE project (databaseversion text, date text, memo text, about text);
CREATE TABLE source (id integer primary key, name text, fulltext text, mediapath text, memo text, owner text,
  date text, unique(name));
CREATE TABLE code_cat (catid integer primary key, name text, owner text, date text, memo text, supercatid integer,
  unique(name));
CREATE TABLE code_name (cid integer primary key, name text, memo text, catid integer, owner text, date text,
  color text, unique(name));
CREATE TABLE code_text (cid integer, fid integer, seltext text, pos0 integer, pos1 integer, owner text, date text,
  memo text, unique(cid, fid, pos0, pos1, owner));
"""
QUALCODER_CASES = """
CREATE TABLE cases (caseid integer primary key, name text, memo text, owner text, date text,
  constraint ucm unique(name));
CREATE TABLE case_text (id integer primary key, caseid integer, fid integer, pos0 integer, pos1 integer,
  owner text, date text, memo text);
CREATE TABLE attribute (attrid integer primary key, name text, attr_type text, value text, id integer, date text,
  owner text);
"""
QUALCODER_MEDIA = """
CREATE TABLE code_image (imid integer primary key, id integer, x1 integer, y1 integer, width integer,
  height integer, cid integer, memo text, date text, owner text, important integer, pdf_page integer);
CREATE TABLE code_av (avid integer primary key, id integer, pos0 integer, pos1 integer, cid integer, memo text,
  date text, owner text, important integer);
"""
QUALCODER_SUBCODES = """
ALTER TABLE code_name ADD supercid integer;
CREATE TABLE coder_names (name text unique not null, visibility integer not null default 1);
CREATE VIEW code_text_visible AS SELECT * FROM code_text WHERE owner IN (SELECT name FROM coder_names);
"""
_X = CANARY
QUALCODER_ROWS: Mapping[str, Sequence[Sequence[Any]]] = {
    "project": [("v1", _X, _X, _X)],
    "source": [(1, "P01.txt", _X, _X, _X, _X, _X), (2, "P02.txt", _X, None, _X, _X, _X)],
    "code_cat": [(1, "Risks", _X, _X, _X, None), (2, "Online", _X, _X, _X, 1)],
    "code_text": [
        (1, 1, _X, 0, 9, _X, _X, _X),
        (1, 1, _X, 0, 9, f"{_X}2", _X, _X),  # the same passage and code by a second coder
        (1, 1, _X, 20, 29, _X, _X, _X),
        (2, 2, _X, 0, 9, _X, _X, _X),
    ],
}
QUALCODER_CODES = [(1, "Abuse", _X, 2, _X, _X, _X), (2, "Always on", _X, None, _X, _X, _X)]
QUALCODER_CASE_ROWS: Mapping[str, Sequence[Sequence[Any]]] = {
    "cases": [(1, "Interview 1", _X, _X, _X), (2, "Group", _X, _X, _X), (3, "Town", _X, _X, _X)],
    "case_text": [
        (1, 1, 1, 0, 9, _X, _X, _X),
        (2, 1, 1, 20, 29, _X, _X, _X),
        (3, 2, 2, 0, 9, _X, _X, _X),
        (4, 3, 2, 0, 9, _X, _X, _X),
    ],
    "attribute": [(1, _X, "case", _X, 1, _X, _X)],
}
QUALCODER_MEDIA_ROWS: Mapping[str, Sequence[Sequence[Any]]] = {
    "code_image": [(1, 2, 0, 0, 5, 5, 1, _X, _X, _X, 1, None), (2, 2, 0, 0, 5, 5, 1, _X, _X, _X, 1, 2)],
    "code_av": [(1, 2, 0, 500, 2, _X, _X, _X, 1)],
}

TAGUETTE = """
CREATE TABLE users (login varchar(30) primary key, created datetime, hashed_password varchar(192), email text);
CREATE TABLE projects (id integer primary key autoincrement, name varchar(200) not null, description text not null,
  created datetime not null);
CREATE TABLE project_members (project_id integer, user_login varchar(30), privileges varchar(11) not null);
CREATE TABLE documents (id integer primary key autoincrement, name varchar(200) not null,
  description text not null, filename varchar(200) not null, created datetime not null,
  project_id integer not null, text_direction varchar(13) not null, contents text not null);
CREATE TABLE commands (id integer primary key autoincrement, date datetime not null, user_login varchar(30),
  project_id integer not null, document_id integer, payload text not null);
CREATE TABLE highlights (id integer primary key autoincrement, document_id integer not null,
  start_offset integer not null, end_offset integer not null, snippet text not null);
CREATE TABLE tags (id integer primary key autoincrement, project_id integer not null, path varchar(200) not null,
  description text not null, unique(project_id, path));
CREATE TABLE highlight_tags (highlight_id integer not null, tag_id integer not null,
  primary key (highlight_id, tag_id));
"""
TAGUETTE_ROWS: Mapping[str, Sequence[Sequence[Any]]] = {
    "users": [(_X, _X, _X, _X)],
    "projects": [(1, _X, _X, _X)],
    "project_members": [(1, _X, "ADMIN")],
    "documents": [(1, "P01", _X, _X, _X, 1, "LEFT_TO_RIGHT", _X), (2, "P02", _X, _X, _X, 1, "LEFT_TO_RIGHT", _X)],
    "commands": [(1, _X, _X, 1, 1, _X)],
    "highlights": [(1, 1, 0, 9, _X), (2, 1, 20, 29, _X), (3, 2, 0, 9, _X)],
    "tags": [(1, 1, "abuse", _X), (2, 1, "abuse.online", _X), (3, 1, "unused", _X)],
    "highlight_tags": [(1, 1), (1, 2), (2, 1), (3, 2)],
}


def qualcoder_first() -> bytes:
    """A project without cases, recordings and images."""
    return database(QUALCODER_FIRST, {**QUALCODER_ROWS, "code_name": QUALCODER_CODES})


def qualcoder() -> bytes:
    """A project of the current kind: sub-codes, cases, recordings, images, and a view as newest versions have."""
    script = QUALCODER_FIRST + QUALCODER_CASES + QUALCODER_MEDIA + QUALCODER_SUBCODES
    codes = [(*line, None) for line in QUALCODER_CODES] + [(3, "at night", _X, None, _X, _X, _X, 2)]
    rows = {**QUALCODER_ROWS, **QUALCODER_CASE_ROWS, **QUALCODER_MEDIA_ROWS, "coder_names": [(_X, 1)]}
    return database(script, {**rows, "code_name": codes})


def taguette(**changes: Sequence[Sequence[Any]]) -> bytes:
    return database(TAGUETTE, {**TAGUETTE_ROWS, **changes})


def codebook(
    *,
    titles: str = '<titl xml:lang="fi">Haastattelut</titl><titl xml:lang="en">Councillors online</titl>',
    identifiers: str = '<IDNo agency="UKDA">1</IDNo><IDNo agency="datacite">10.5255/UKDA-SN-1-1</IDNo>',
    dates: str = '<collDate date="2015-09-01" event="start"/><collDate date="2016-03-31" event="end"/>',
    collection: str = "<collMode>Face-to-face interview</collMode><sampProc>Purposive sampling</sampProc>",
    use: str = "<conditions>CC BY 4.0</conditions>",
    namespace: str = "ddi:codebook:2_5",
) -> bytes:
    """A DDI-Codebook record, with canaries in what an archive's record says beside that."""
    declared = f' xmlns="{namespace}"' if namespace else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<codeBook{declared} version="2.5" xml:lang="de">
  <docDscr><citation><titlStmt><titl>{CANARY}</titl></titlStmt></citation></docDscr>
  <stdyDscr>
    <citation>
      <titlStmt>{titles}{identifiers}</titlStmt>
      <rspStmt><AuthEnty affiliation="{CANARY}">{CANARY}</AuthEnty></rspStmt>
      <distStmt><depositr>{CANARY}</depositr><contact email="{CANARY}">{CANARY}</contact></distStmt>
    </citation>
    <stdyInfo><abstract>{CANARY}</abstract>
      <sumDscr>{dates}<nation>{CANARY}</nation><geogCover>{CANARY}</geogCover></sumDscr></stdyInfo>
    <method><dataColl><dataCollector>{CANARY}</dataCollector>{collection}</dataColl></method>
    <dataAccs><useStmt>{use}<contact>{CANARY}</contact></useStmt></dataAccs>
    <othrStdyMat><relPubl><citation><titlStmt><titl xml:lang="en">{CANARY}</titl></titlStmt></citation></relPubl>
    </othrStdyMat>
  </stdyDscr>
  <dataDscr><var name="{CANARY}"><labl>{CANARY}</labl></var></dataDscr>
</codeBook>""".encode()


def dataset(**changes: Any) -> dict[str, Any]:
    """A Dataverse dataset, with canaries in what it says about people."""

    def primitive(name: str, value: Any) -> dict[str, Any]:
        return {"typeName": name, "multiple": False, "typeClass": "primitive", "value": value}

    period = {
        "dateOfCollectionStart": primitive("dateOfCollectionStart", "2015-09-01"),
        "dateOfCollectionEnd": primitive("dateOfCollectionEnd", "2016-03-31"),
        "dateOfDeposit": primitive("dateOfDeposit", "2017-01-01"),
    }
    author = {"authorName": primitive("authorName", CANARY)}
    contact = {"datasetContactEmail": primitive("datasetContactEmail", CANARY)}
    described = {
        "title": "Councillors online",
        "author": [author],
        "datasetContact": [contact],
        "dateOfCollection": [period],
        "dsDescription": [{"dsDescriptionValue": primitive("dsDescriptionValue", CANARY)}],
        "depositor": CANARY,
        "kindOfData": [CANARY],
        **changes,
    }
    return {
        "id": 1,
        "persistentUrl": "https://doi.org/10.5072/FK2/ABC",
        "publisher": CANARY,
        "datasetVersion": {
            "versionState": "RELEASED",
            "license": {"name": "CC BY 4.0", "uri": "http://creativecommons.org/licenses/by/4.0"},
            "metadataBlocks": {
                "citation": {"fields": [primitive(name, value) for name, value in described.items()]}
            },
            "files": [{"label": CANARY}],
            "citation": CANARY,
        },
    }
