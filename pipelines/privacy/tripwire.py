"""The search for personal data in files that are about to be published (A9), and for text that does harm (A15).

Belongs here: recognising what points at a person in every string of every file of a folder, Parquet's metadata
included. Does not belong here: deciding what happens then (`audit`), and what is published at all: no
pattern finds a name that is on no list, so free text never gets as far as this.

It fails closed: a file that cannot be read is a finding, one of an unknown kind is searched as bytes, and what a
table holds on purpose, such as the handles of councils, is declared by dataset, column and kind. No finding shows
what was found.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import phonenumbers

from pipelines.privacy.contents import BROKEN, FORMULA, strings_of

UNREADABLE: Final = "unreadable file"
RECORD_ID: Final = "record id"
HOSTILE: Final = frozenset({"formula", "direction mark", "control character"})
# Kinds that only the tables about interviews must not hold; elsewhere a clock or an id is nobody's.
ONLY_STRICT: Final = frozenset({"guid", "clock"})

Allowed = Callable[[str, str, str], bool]


@dataclass(frozen=True, order=True)
class Finding:
    """Something that points at a person or does harm: where, and of which kind, never what."""

    file: str
    column: str
    kind: str

    def __str__(self) -> str:
        """The wording that may stand in a log."""
        return f"{self.file}, {self.column}: {self.kind}" if self.column else f"{self.file}: {self.kind}"


def declared(exceptions: Mapping[str, Mapping[str, Collection[str]]]) -> Allowed:
    """Exceptions as written down: by dataset, then column, the kinds that it holds on purpose."""

    def allowed(dataset: str, column: str, kind: str) -> bool:
        return kind in exceptions.get(dataset, {}).get(column, ())

    return allowed


def scan_folder(
    folder: Path,
    gazetteer: Iterable[str] = (),
    allowed: Allowed | None = None,
    *,
    strict: Collection[str] = (),
    tokens: Iterable[str] = (),
) -> list[Finding]:
    """Everything in a folder of files to be published that is not allowed, sorted.

    `gazetteer` are full names of people, `tokens` texts that must occur nowhere, such as ids of records; in
    datasets of `strict` ids and times of day are findings too. A dataset is named as its files are, up to the
    first dot; what is `allowed` is asked for by dataset, column and kind.
    """
    searcher = Searcher.of(gazetteer, tokens)
    found: set[Finding] = set()
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        name = path.relative_to(folder).as_posix()
        found |= {Finding(name, "file name", kind) for kind in searcher.kinds([name])}
        for member, column, kind in _search(path, searcher):
            dataset = Path(member or name).name.split(".")[0]
            if kind in ONLY_STRICT and dataset not in strict:
                continue
            if allowed is None or not allowed(dataset, column, kind):
                found.add(Finding(f"{name}/{member}" if member else name, column, kind))
    return sorted(found)


def _search(path: Path, searcher: Searcher) -> Iterator[tuple[str, str, str]]:
    """Each member and column of a file with each kind that it holds; what cannot be read counts as one."""
    if path.is_symlink():
        yield "", "", UNREADABLE
        return
    try:
        for one in strings_of(path):
            for kind in searcher.kinds(one.values):
                yield one.member, one.column, kind
    except BROKEN:
        yield "", "", UNREADABLE


# --- what points at a person --------------------------------------------------------------------------------

_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_AT = r"(?:@|[ ]*[\[({<][ ]*at[ ]*[\])}>][ ]*)"
_DOT = r"(?:\.|[ ]*[\[({<][ ]*dot[ ]*[\])}>][ ]*|[ ]+dot[ ]+)"
_SITES = (
    r"(?:twitter|x|facebook|fb|instagram|tiktok|linkedin|youtube|threads|snapchat|pinterest|reddit|tumblr|flickr)"
    r"\.(?:com|net)|fb\.me|t\.me|wa\.me|bsky\.app|nextdoor\.co\.uk|medium\.com|substack\.com"
)
# The reserved words of JSON-LD 1.1, section 9.16.
_KEYWORDS = (
    "base|container|context|default|direction|embed|explicit|graph|id|import|included|index|json|language|list|nest"
    "|none|null|omitDefault|omitdefault|prefix|preserve|propagate|protected|requireAll|requireall|reverse|set|type"
    "|value|version|vocab"
)
_PATTERNS: Final[Mapping[str, re.Pattern[str]]] = {
    "national insurance number": re.compile(
        r"\b(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ -]?\d\d[ -]?\d\d[ -]?\d\d[ -]?[A-D]\b",
        re.IGNORECASE,
    ),
    "postcode": re.compile(
        r"(?<![\w/+=.-])(?:GIR[ ]?0AA|(?:[A-PR-UWYZ][0-9]{1,2}|[A-PR-UWYZ][A-HK-Y][0-9]{1,2}|[A-PR-UWYZ][0-9]"
        r"[A-HJKPSTUW]|[A-PR-UWYZ][A-HK-Y][0-9][ABEHMNPRVWXY])[ ]{0,2}[0-9][ABD-HJLNP-UW-Z]{2})(?![\w/+=-])",
        re.IGNORECASE,
    ),
    "e-mail address": re.compile(
        rf"[\w.+'-]+(?:{_AT}[\w-]+(?:{_DOT}[\w-]+)*{_DOT}[a-z]{{2,}}"
        r"|[ ]+at[ ]+[\w-]+(?:[ ]+dot[ ]+[a-z]+)+)",
        re.IGNORECASE,
    ),
    "handle": re.compile(rf"(?<![\w@./])@(?!(?:{_KEYWORDS})\b)[A-Za-z0-9_]{{2,}}(?![\w.-]*[@{{])"),  # nor BibTeX
    "fediverse address": re.compile(r"(?<![\w.])@[\w.-]+@[\w-]+(?:\.[\w-]+)+"),
    "social address": re.compile(
        rf"\b(?:{_SITES})/(?!\s|$)[\w@%.~/-]{{2,}}|\b[\w-]+\.bsky\.social\b|\bdid:(?:plc|web):[\w.:%-]+"
        r"|https?://[\w.-]+/(?:@[\w.]+|users/\w+)",
        re.IGNORECASE,
    ),
    "guid": re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE),
    # Midnight sharp is how formats without plain dates write a day.
    "clock": re.compile(r"\b\d{4}-\d\d-\d\d[Tt ](?!00:00:00(?:\.0+)?(?:z|Z|\+00:00)?(?![\d.:]))\d\d:\d\d"),
}
# Only lines that have one of these need the pattern, which is slow on millions of others.
_HINTS: Final[Mapping[str, tuple[str, ...]]] = {
    "e-mail address": ("@", " at ", *(f"{bracket}{gap}at" for bracket in "[({<" for gap in ("", " "))),
    "handle": ("@",),
    "fediverse address": ("@",),
    "social address": ("/", "bsky", "did:"),
    "clock": (":",),
}
_NHS = re.compile(r"(?<![\d.-])\d{3}[ -]?\d{3}[ -]?\d{4}(?![\d-]|\.\d)")
_PHONE = re.compile(r"(?<![\w.])(?:\+|00(?=[1-9])|\(?0(?=[1-9]))[\d ().\-/]{7,}\d(?!\w)")
_WORD = re.compile(r"[^\W\d_]+|\n")
_APOSTROPHE = re.compile("['’ʼ`´]")
_TITLES: Final = frozenset(["councillor", "cllr", "mr", "mrs", "ms", "miss", "dr", "prof", "sir", "dame", "lord"])


def normalise(text: str) -> str:
    """A text as a reader sees it: compatible forms, nothing invisible, percent signs and entities decoded."""
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    if "%" in text:
        text = unquote(unquote(text))
    text = text.replace("\t", " ")
    if "&" in text:
        text = html.unescape(text)
    return text


def _lines_with(text: str, kind: str) -> str:
    """The lines of a text that a kind of data could be in."""
    hints = _HINTS.get(kind)
    if hints is None:
        return text
    lowered = text.lower()
    if not any(hint in lowered for hint in hints):
        return ""
    return "\n".join(line for line in lowered.split("\n") if any(hint in line for hint in hints))


def _words(text: str) -> list[str]:
    text = _APOSTROPHE.sub("", text).casefold()
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _WORD.findall(text)


@dataclass(frozen=True)
class Searcher:
    """The patterns, and the names of people as sequences of words."""

    names: frozenset[tuple[str, ...]] = field(repr=False, default=frozenset())
    first_words: Mapping[str, tuple[int, ...]] = field(repr=False, default_factory=dict)
    tokens: tuple[str, ...] = field(repr=False, default=())

    @classmethod
    def of(cls, gazetteer: Iterable[str], tokens: Iterable[str] = ()) -> Searcher:
        """A searcher for full names: also surname first, also without what stands between first and last."""
        names: set[tuple[str, ...]] = set()
        for name in gazetteer:
            words = tuple(word for word in _words(normalise(name)) if word not in _TITLES and word != "\n")
            if len(words) < 2:
                continue
            short = (words[0], words[-1])
            names |= {words, short, short[::-1], (*words[1:], words[0])}
        lengths: dict[str, set[int]] = {}
        for words in names:
            lengths.setdefault(words[0], set()).add(len(words))
        known = {word: tuple(sorted(given)) for word, given in lengths.items()}
        return cls(frozenset(names), known, tuple(token for token in tokens if token))

    def kinds(self, values: Collection[str]) -> set[str]:
        """The kinds of what is found in some strings."""
        raw = "\n".join(values)
        if not raw:
            return set()
        found = {"formula"} if FORMULA in values else set()
        if _DIRECTION.search(raw):
            found.add("direction mark")
        if _CONTROL.search(raw):
            found.add("control character")
        text = normalise(raw)
        found |= {kind for kind, pattern in _PATTERNS.items() if pattern.search(_lines_with(text, kind))}
        if any(map(_is_nhs_number, _NHS.findall(text))):
            found.add("NHS number")
        if any(map(_is_phone_number, _PHONE.findall(text))):
            found.add("telephone number")
        if self.names and self._has_name(_words(text)):
            found.add("name of a person")
        if any(token in raw for token in self.tokens):
            found.add(RECORD_ID)
        return found

    def _has_name(self, words: list[str]) -> bool:
        first = self.first_words
        return any(
            tuple(words[place : place + length]) in self.names
            for place, word in enumerate(words)
            if word in first
            for length in first[word]
        )


def _is_nhs_number(text: str) -> bool:
    """Whether ten digits pass the check of the NHS number: weights 10 to 2, modulo 11, 10 being invalid."""
    digits = [int(c) for c in text if c.isdigit()]
    rest = 11 - sum(weight * digit for weight, digit in zip(range(10, 1, -1), digits, strict=False)) % 11
    return rest % 11 == digits[9] and rest != 10 and len(set(digits)) > 1


def _is_phone_number(text: str) -> bool:
    digits = sum(c.isdigit() for c in text)
    if not 9 <= digits <= 15 or re.fullmatch(r"0\.\d+", text):
        return False
    try:
        number = phonenumbers.parse(text, "GB")
    except phonenumbers.NumberParseException:
        return False
    # Also those that are kept for fiction, which are not valid.
    is_uk_mobile = number.country_code == 44 and str(number.national_number).startswith("7")
    return is_uk_mobile or bool(phonenumbers.is_valid_number(number))
