"""What a study says of itself and of its files in `study.yml`.

Belongs here: the keys of that file, and reading it as plain text. Does not belong here: holding it against the
vocabulary and the files it names. Every word in it is text, so that `No`, `07` and `35_44` stay what they are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from pipelines.contract import Licence
from pipelines.interviews import guard
from pipelines.interviews.rows import heading
from pipelines.interviews.study import InterviewError, LawfulBasis, Sampling
from pipelines.interviews.vocabulary import NOT_MENTIONED, fold

STUDY_FILE = "study.yml"
MAX_BYTES, MAX_DEPTH = 1_000_000, 12
RowStatus = Literal["completed", "withdrawn", "left_out"]


class Declared(BaseModel):
    """A part of `study.yml`; a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _fold_keys(values: dict[str, str]) -> dict[str, str]:
    folded = {fold(key): target for key, target in values.items()}
    if len(folded) < len(values):
        raise ValueError("two of the values differ only in capitals or spaces")
    return folded


def iso_date(text: str) -> str:
    """A date such as 2026-11-20; `ValueError`, which does not quote it, for anything else."""
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("is not a date such as 2026-11-20") from None


def _as_column(written: Any) -> Any:
    """A bare heading is short for `{column: heading}`."""
    return {"column": written} if isinstance(written, str) else written


def _as_range(written: Any) -> Any:
    """A bare year is short for a range of one year."""
    return [written, written] if isinstance(written, str) else written


def readable(text: str) -> str:
    """Text that is published as it stands: seen as it is, and no formula in a spreadsheet."""
    cleaned, is_altered = guard.clean_name(text)
    if is_altered or not cleaned or cleaned[0] in "=+-@":
        raise ValueError("has characters that cannot be seen, or begins like a formula")
    return cleaned


Heading = Annotated[str, AfterValidator(heading), Field(min_length=1)]
Words = Annotated[dict[str, str], AfterValidator(_fold_keys)]
Statuses = Annotated[dict[str, RowStatus], AfterValidator(_fold_keys)]
ReviewDate = Annotated[str, AfterValidator(iso_date)]
Readable = Annotated[str, AfterValidator(readable)]
Years = Annotated[tuple[int, int], BeforeValidator(_as_range)]


# --- the data list ------------------------------------------------------------------------------------------


class DeclaredStatus(Declared):
    """The column that says whether an interview counts; `values` maps its words to a status."""

    column: Heading
    values: Statuses = Field(default_factory=dict)


class DeclaredAttribute(Declared):
    """Where an attribute comes from: a column, with its own words in `values`, or one category for everybody."""

    column: Heading | None = None
    constant: str | None = None
    values: Words = Field(default_factory=dict)
    band: Literal["age", "tenure"] | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> DeclaredAttribute:
        if (self.column is None) == (self.constant is None):
            raise ValueError("give either a column or a constant")
        if self.constant is not None and (self.values or self.band):
            raise ValueError("a constant has neither values nor a band")
        return self


class DeclaredThemeColumn(Declared):
    """A column of answers; each answer stands for a theme of the reviewed list or for `not_mentioned`."""

    column: Heading
    values: Words = Field(min_length=1)


class DeclaredThemes(Declared):
    """Columns from which themes are read, and when somebody reviewed what their answers stand for."""

    reviewed_on: ReviewDate
    columns: list[DeclaredThemeColumn] = Field(min_length=1)


class DeclaredDataList(Declared):
    """The file of interviews and the meaning of each of its columns; `dropped` are known and never read."""

    file: str
    format: Literal["csv", "xlsx"]
    encoding: str = "utf-8"
    delimiter: Literal[",", ";", "tab"] | None = None
    sheet: str | None = None
    label: Heading
    participant: Heading | None = None
    status: Annotated[DeclaredStatus, BeforeValidator(_as_column)] | None = None
    date: Heading | None = None
    minutes: Heading | None = None
    attributes: dict[str, Annotated[DeclaredAttribute, BeforeValidator(_as_column)]]
    themes: DeclaredThemes | None = None
    dropped: list[Heading] = Field(default_factory=list)

    @property
    def read(self) -> tuple[str, ...]:
        """The headings of the columns that are read, each once."""
        status = self.status.column if self.status else None
        named = [self.label, self.participant, status, self.date, self.minutes]
        named += [attribute.column for attribute in self.attributes.values()]
        named += [theme.column for theme in self.theme_columns]
        return tuple(dict.fromkeys(name for name in named if name is not None))

    @property
    def theme_columns(self) -> Sequence[DeclaredThemeColumn]:
        """The columns from which themes are read."""
        return self.themes.columns if self.themes else ()

    @property
    def theme_ids(self) -> tuple[str, ...]:
        """The themes that the columns ask about, sorted."""
        named = {theme_id for column in self.theme_columns for theme_id in column.values.values()}
        return tuple(sorted(named - {NOT_MENTIONED}))

    @model_validator(mode="after")
    def _read_or_dropped(self) -> DeclaredDataList:
        if set(self.read) & set(self.dropped):
            raise ValueError("a column is both read and dropped")
        return self


# --- the study ----------------------------------------------------------------------------------------------


class DeclaredDescription(Declared):
    """A study description in a format of archives, which fills in what `study.yml` does not say."""

    file: str
    format: Literal["ddi", "oai", "dataverse"]


class DeclaredCodes(Declared):
    """A code tree with its uses, as exported by the software of the analysis."""

    file: str
    format: Literal["refi-qda", "qualcoder", "taguette"]


class DeclaredStudy(Declared):
    """The whole of `study.yml`; what is None may come from the description, if there is one."""

    study_id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)
    title: Readable | None = None
    synthetic: bool
    years: Years | None = None
    sampling: Sampling | None = None
    lawful_basis: LawfulBasis
    mode_of_collection: str | None = None
    persistent_id: Readable | None = None
    licence: Licence | None = None
    description: DeclaredDescription | None = None
    data_list: DeclaredDataList
    codes: DeclaredCodes | None = None
    themes: str | None = None
    frame: str | None = None

    @model_validator(mode="after")
    def _codes_have_themes(self) -> DeclaredStudy:
        if (self.codes is None) != (self.themes is None):
            raise ValueError("codes and themes belong together: give both files or neither")
        return self

    @property
    def files(self) -> frozenset[str]:
        """The names of all files that are read."""
        parts = [self.description, self.data_list, self.codes]
        named = [part.file for part in parts if part] + [self.themes, self.frame]
        return frozenset(name for name in named if name is not None)


MODELS = (
    DeclaredStudy,
    DeclaredDescription,
    DeclaredCodes,
    DeclaredDataList,
    DeclaredStatus,
    DeclaredAttribute,
    DeclaredThemes,
    DeclaredThemeColumn,
)


def read_declaration(content: bytes, attributes: Collection[str]) -> DeclaredStudy:
    """Read `study.yml`; `attributes` are names that a message may repeat.

    Errors: `InterviewError` for what is no YAML, a key given twice, unknown or missing, and a value of another
    kind; the researcher's wording names every key, the other one only those of the format itself.
    """
    written = _read_yaml(guard.check_text(content, STUDY_FILE, most=MAX_BYTES))
    try:
        return DeclaredStudy.model_validate(written)
    except ValidationError as error:
        known = {name for model in MODELS for name in model.model_fields} | set(attributes)
        faults = [(error["loc"], error["msg"].lower().removeprefix("value error, ")) for error in error.errors()]
    safe = [
        (tuple(p if isinstance(p, int) or p in known else "(a key)" for p in loc), said) for loc, said in faults
    ]
    raise InterviewError(_faults(safe), _faults(faults))


def _faults(faults: Sequence[tuple[tuple[int | str, ...], str]]) -> str:
    told = (f"{'.'.join(map(str, loc)) or 'the study'}: {said}" for loc, said in faults)
    return f"{STUDY_FILE}: {'; '.join(told)}"


class _PlainLoader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc] # the fast parser
    """Everything is text, and a key given twice is an error, since YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(set(map(str, keys))) < len(keys):
            raise yaml.constructor.ConstructorError(None, None, "a key is given twice", node.start_mark)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def _read_yaml(text: str) -> Any:
    try:
        _refuse_references(text)
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - builds text, lists and mappings only
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        said = f"{where}not valid YAML"
        raise InterviewError(f"{STUDY_FILE}: {said}", f"{STUDY_FILE}: {said}: {error.problem}") from None
    except yaml.YAMLError:
        raise InterviewError(
            f"{STUDY_FILE}: not valid YAML: it holds characters that YAML does not allow"
        ) from None


def _refuse_references(text: str) -> None:
    """Refuse aliases, by which a few lines can stand for gigabytes, and depths that no study needs."""
    depth = 0
    for event in yaml.parse(text, Loader=_PlainLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise InterviewError(f"{STUDY_FILE}: line {line}: an alias, or too many levels: write it out plainly")
