"""The controlled words of an interview study: attributes with their categories, modes of collection, themes.

Belongs here: reading `data_contracts/interviews.yml` strictly, and the order in which categories merge. Does not
belong here: which level of merging is shown (the gate decides), and reading a study.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.contract import ContractError, read_yaml
from pipelines.interviews.study import NOT_STATED

ROLE_GROUP, MODE = "role_group", "mode_of_collection"
NOT_MENTIONED = "not_mentioned"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Attribute(_Strict):
    title: str = Field(min_length=1)
    classification: Literal["quasi", "sensitive"]
    of: str | None = None
    categories: dict[str, str] = Field(min_length=2)
    merges: list[dict[str, str]] = Field(default_factory=list)
    merged: dict[str, str] = Field(default_factory=dict)
    always_merged: list[str] = Field(default_factory=list)


class _Theme(_Strict):
    title: str = Field(min_length=1)
    sensitive: bool


class _Document(_Strict):
    attributes: dict[str, _Attribute]
    modes: dict[str, str] = Field(default_factory=dict)
    themes: dict[str, _Theme] = Field(min_length=1)


@dataclass(frozen=True)
class Theme:
    """One theme of the reviewed list."""

    theme_id: str
    title: str
    is_sensitive: bool


@dataclass(frozen=True)
class Attribute:
    """One attribute of a participant; `of` is the only role group that it is read for, None for everybody.

    `categories` are the finest, with their titles; each entry of `merges` leads one level on.
    """

    name: str
    title: str
    classification: str
    of: str | None
    categories: Mapping[str, str]
    merges: tuple[Mapping[str, str], ...]
    merged_titles: Mapping[str, str]
    always_merged: frozenset[str]

    @cached_property
    def levels(self) -> tuple[Mapping[str, str], ...]:
        """For each level, the finest first, what becomes of every category that may be given at it.

        A broader category stands in the levels that know it, and in no finer one.
        """
        found: list[dict[str, str]] = [{category: category for category in self.categories}]
        for merge in self.merges:
            after = {given: merge.get(kept, kept) for given, kept in found[-1].items()}
            found.append(after | {broader: broader for broader in after.values() if broader not in after})
        return tuple(found)

    def level_of(self, given: Iterable[str]) -> int:
        """The finest level at which all given categories can be shown; `ValueError` where one is unknown."""
        wanted = set(given)
        for level, known in enumerate(self.levels):
            if wanted <= known.keys():
                return level
        raise ValueError(f"{self.name}: a category is not in the vocabulary")

    def category(self, text: str) -> str | None:
        """The category that a text names, by its id or title, however it is capitalised; None for no category."""
        return self._spellings.get(fold(text))

    def title_of(self, category: str, level: int = 0) -> str:
        """The title of a category as it is meant at a level, since a name may take in more at a broader one."""
        has_grown = any(category in merge.values() for merge in self.merges[:level])
        return self.merged_titles[category] if has_grown else self.categories[category]

    @cached_property
    def _spellings(self) -> Mapping[str, str]:
        """Ids come before titles, finer categories before broader ones."""
        titles = {fold(title): name for name, title in [*self.merged_titles.items(), *self.categories.items()]}
        return titles | {fold(name): name for name in self.levels[-1]}


@dataclass(frozen=True)
class Vocabulary:
    """All controlled words; `modes` maps terms that say more than is kept to the categories that are kept."""

    attributes: Mapping[str, Attribute]
    modes: Mapping[str, str]
    themes: Mapping[str, Theme]

    def attribute(self, name: str) -> Attribute:
        """One attribute by its name; `ContractError` for a name that is none."""
        try:
            return self.attributes[name]
        except KeyError:
            raise ContractError(f"interviews.yml: {name} is no attribute") from None

    def levels(self, name: str) -> tuple[Mapping[str, str], ...]:
        """The levels of an attribute, as `Attribute.levels`."""
        return self.attribute(name).levels

    def mode(self, text: str) -> str | None:
        """The category of a mode of collection, also from a term that says more than is kept."""
        said = fold(text)
        finer = next((kept for term, kept in self.modes.items() if fold(term) == said), None)
        return finer or self.attribute(MODE).category(text)

    @cached_property
    def sensitive(self) -> frozenset[str]:
        """The ids of the themes that could be held against the speaker."""
        return frozenset(theme.theme_id for theme in self.themes.values() if theme.is_sensitive)


def fold(text: str) -> str:
    """A text as it is compared: compatible characters made equal, no capitals, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def load_vocabulary(path: Path) -> Vocabulary:
    """Read the vocabulary and hold it against itself.

    Errors: `ContractError` naming the place: unknown keys, a merge of what is no category at that level, a broader
    category without title or a title without category, a mode that is none.
    """
    try:
        document = _Document.model_validate(read_yaml(path))
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors())
        raise ContractError(f"{path.name}: {said}") from None
    faults = [fault for name, attribute in document.attributes.items() for fault in _faults(name, attribute)]
    faults += _document_faults(document)
    if faults:
        raise ContractError(f"{path.name}: {'; '.join(faults)}")
    return Vocabulary(
        attributes={name: _attribute(name, written) for name, written in document.attributes.items()},
        modes=document.modes,
        themes={name: Theme(name, theme.title, theme.sensitive) for name, theme in document.themes.items()},
    )


def _attribute(name: str, written: _Attribute) -> Attribute:
    return Attribute(
        name=name,
        title=written.title,
        classification=written.classification,
        of=written.of,
        categories=written.categories,
        merges=tuple(written.merges),
        merged_titles=written.merged,
        always_merged=frozenset(written.always_merged),
    )


def _faults(name: str, written: _Attribute) -> Iterator[str]:
    where = f"attributes.{name}"
    if NOT_STATED not in written.categories:
        yield f"{where}.categories: {NOT_STATED} is missing"
    present = set(written.categories)
    for number, merge in enumerate(written.merges):
        for category in sorted(merge.keys() - present):
            yield f"{where}.merges.{number}: {category} is no category at this level"
        for category in sorted(set(merge.values()) & merge.keys()):
            yield f"{where}.merges.{number}: {category} is merged and merged into at once"
        for category in sorted((set(merge.values()) & written.categories.keys()) - present):
            yield f"{where}.merges.{number}: {category} was merged away before and may not come back"
        present = (present - merge.keys()) | set(merge.values())
    broader = {category for merge in written.merges for category in merge.values()}
    for category in sorted(broader ^ written.merged.keys()):
        remedy = "has no title" if category in broader else "has a title and no category merges into it"
        yield f"{where}.merged: {category} {remedy}"
    merged_away = {category for merge in written.merges for category in merge}
    for category in sorted(set(written.always_merged) - (merged_away & written.categories.keys())):
        yield f"{where}.always_merged: no entry of merges takes {category} in"


def _document_faults(document: _Document) -> Iterator[str]:
    for required in (ROLE_GROUP, MODE):
        if required not in document.attributes:
            yield f"attributes: {required} is missing"
            return
    roles = document.attributes[ROLE_GROUP].categories
    for name, attribute in document.attributes.items():
        if attribute.of is not None and attribute.of not in roles:
            yield f"attributes.{name}.of: {attribute.of} is no role group"
    modes = document.attributes[MODE].categories
    for term, kept in document.modes.items():
        if kept not in modes or term in modes:
            yield f"modes.{term}: must lead from a finer term to a category of {MODE}"
    for word in sorted({NOT_MENTIONED, "mentioned"} & document.themes.keys()):
        yield f"themes.{word}: says whether a theme is mentioned and can be none"
