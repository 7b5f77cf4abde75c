"""Names of councillors and candidates: normal forms, and a comparison that says why.

Here belongs what two written names have in common. Which council and ward they belong to, and from which
score on a pair counts as one person, do not belong here: names alone prove nobody.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from pipelines.identity.nicknames import FORMAL_NAMES
from pipelines.identity.spelling import within_one_edit

SurnameRelation = Literal["same", "part", "spelling", "different"]
GivenRelation = Literal["same", "nickname", "initial", "middle", "spelling", "different"]


@dataclass(frozen=True, slots=True)
class NameComparison:
    """What two names have in common, and the score the table gives for it, 0 to 1.

    surname: `same` after normalisation; `part` of a compound, or a middle name of the other; `spelling` one
    slip apart. given: `same` first name and no contradicting middle names; `nickname` of one formal name;
    `middle` all given names of one are among the other's; `initial` agrees; `spelling` one slip apart.
    `different` also means not stated.
    """

    surname: SurnameRelation
    given: GivenRelation
    score: float


# Judgement, not measurement. From 0.8 on the surnames agree and the first names are one name. From 0.5 to 0.8
# there is one weak link, to be confirmed by ward or party; two weak links stay below.
_SCORES: Final[dict[SurnameRelation, dict[GivenRelation, float]]] = {
    "same": {
        "same": 1.0, "nickname": 0.9, "middle": 0.8, "spelling": 0.75, "initial": 0.7, "different": 0.2,
    },
    "spelling": {
        "same": 0.75, "nickname": 0.6, "middle": 0.45, "spelling": 0.45, "initial": 0.4, "different": 0.1,
    },
    "part": {
        "same": 0.7, "nickname": 0.55, "middle": 0.45, "spelling": 0.45, "initial": 0.4, "different": 0.1,
    },
    "different": {
        "same": 0.1, "nickname": 0.1, "middle": 0.0, "spelling": 0.0, "initial": 0.0, "different": 0.0,
    },
}  # fmt: skip


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES: Final = _words(
    "cllr clr coun councillor councilor cyng cynghorydd dr doctor mr mrs ms miss mx sir dame "
    "prof professor rev revd reverend hon honourable honorable rt right the lord lady "
    "baroness baron viscount alderman alderwoman ald deputy sheriff mayor mayoress bailie "
    "provost"
)
_PEERAGE: Final = _words("lord lady baroness baron viscount")
_POST_NOMINALS: Final = _words(
    "obe mbe cbe kbe dbe bem kcmg cmg cvo lvo mvo jp qpm kc qc phd dphil bsc msc mba llb llm "
    "pgce mphil frsa fca facca frcs frcgp mrcgp rgn esq jr jnr snr dl mp msp mla ms td rd am "
    "mep ba ma md bed"
)
# Also surnames or given names: taken off only when written in capitals inside a name that is not.
_DOUBTFUL: Final = _words("ba ma md ms mp am dl td rd bed jp")
_PARTICLES: Final = _words("de da das di do dos du del della la le van von der den ter ten te ap ab al el bin ibn")
# Written apart or together, these are part of the word that follows: Mac Donald, Ó Néill, St. John.
_PREFIXES: Final = {"mac": "mc", "mc": "mc", "o": "o", "ni": "ni", "nic": "nic", "st": "st", "saint": "st"}
_VACANCY = re.compile(
    r"vacan(?:t|cy|cies)|tb[cad]|to be (?:confirmed|announced|decided)|n/?a|none|unknown|no councillor"
)
_VACANCY_EXTRA = re.compile(
    r"vacan(?:t|cy|cies)\b.*|.*\b(?:seat|currently|now|position|post|ward) (?:is )?vacan(?:t|cy)"
)

# Letters that canonical decomposition leaves whole.
_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ß": "ss", "ı": "i"}
)
_APOSTROPHES = re.compile(r"\\?['’‘ʼʻ`´]")
_NICKNAME = re.compile(r"\(([^()]*)\)|\"([^\"]*)\"|“([^”]*)”|(?<!\w)['‘]([^'‘’]+)['’](?!\w)")
_PARTS = re.compile(r"[\w?]+")
_SHORTEST_SLIP: Final = 5


class _Word(NamedTuple):
    """One written word: its parts between hyphens and full stops, and whether it alone is in capitals."""

    parts: tuple[str, ...]
    capitals: bool

    @property
    def joined(self) -> str:
        """The parts without what stood between them: O.B.E. is obe."""
        return "".join(self.parts)


class _Name(NamedTuple):
    """A name taken apart: words of the given names and of the surname, and what brackets or quotes held."""

    given: tuple[str, ...] = ()
    surname: tuple[str, ...] = ()
    particles: str = ""
    known_as: tuple[str, ...] = ()

    @property
    def surname_key(self) -> str:
        """Particles are glued to what follows, parts of a compound keep a space between them."""
        return self.particles + " ".join(self.surname)


@lru_cache(maxsize=65_536)
def is_vacancy(text: str) -> bool:
    """Whether a cell of names says that nobody holds the seat: "Vacant", "Vacancy", "TBC", "", "-"."""
    plain = " ".join(_APOSTROPHES.sub("", _strip_marks(text)).replace(".", " ").split()).strip("()[]-–* ")
    if not any(c.isalnum() for c in plain):
        return True
    return bool(_VACANCY.fullmatch(plain) or _VACANCY_EXTRA.fullmatch(plain))


def surname_key(text: str) -> str:
    """Normal form of a name's surname: "Cllr Zoë van der Berg-O'Neill OBE" gives "vanderberg oneill".

    Lower case without accents, apostrophes, titles and post-nominals; Mac is mc; particles are glued on;
    parts of a compound stand apart. Only a hyphen makes two words one surname. Empty for a vacancy.
    """
    return _parse(text).surname_key


def given_key(text: str) -> str:
    """Normal form of a name's given names, in order, without bracketed nicknames; empty if none is stated."""
    return " ".join(_parse(text).given)


@lru_cache(maxsize=262_144)
def compare_names(candidate: str, councillor: str) -> NameComparison:
    """Compare two names of people, in either order.

    Nothing but the names is looked at: the caller compares within one council and weighs ward and party. A
    vacancy is like nobody, not even another vacancy. No text raises.
    """
    left, right = _parse(candidate), _parse(councillor)
    if not left.surname or not right.surname:
        return _scored("different", "different")
    if left == right:
        return _scored("same", "same")
    left, right = _align(left, right), _align(right, left)
    return _scored(_compare_surnames(left, right), _compare_given(left, right))


def _scored(surname: SurnameRelation, given: GivenRelation) -> NameComparison:
    return NameComparison(surname, given, round(_SCORES[surname][given], 3))


def _strip_marks(text: str) -> str:
    """Lower case without accents and with plain letters."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).translate(_LETTERS)


@lru_cache(maxsize=65_536)
def _parse(text: str) -> _Name:
    """Take a name apart; an empty surname means a vacancy."""
    if is_vacancy(text):
        return _Name()
    known_as = tuple(
        part
        for held in _NICKNAME.findall(text)
        for word in _read_words("".join(held))
        for part in word.parts
        if part not in _TITLES
    )
    main = _NICKNAME.sub(" ", text)
    before, _, after = main.partition(",")
    family, rest = _trim(_read_words(before)), _read_words(after)
    given = () if all(word.joined in _TITLES | _POST_NOMINALS for word in rest) else _trim(rest)
    if family and given:
        return _build(given, family, known_as)
    words = family or _trim(_read_words(text))
    start = _surname_start(words)
    return _build(words[:start], words[start:], known_as)


def _read_words(text: str) -> tuple[_Word, ...]:
    """Words in plain letters; "?" is kept, it stands for a letter that a wrong encoding has lost."""
    shouting = text.isupper()
    words = []
    for raw in _APOSTROPHES.sub("", text).replace(",", " ").split():
        plain = _APOSTROPHES.sub("", _strip_marks(raw))
        parts = tuple(part for part in _PARTS.findall(plain) if part != "_")
        if parts:
            words.append(_Word(parts, raw.isupper() and not shouting))
    return tuple(words)


def _trim(words: tuple[_Word, ...]) -> tuple[_Word, ...]:
    """Without titles in front and post-nominals behind; something always remains."""
    peer = False
    while len(words) > 1 and words[0].joined in _TITLES:
        peer = peer or words[0].joined in _PEERAGE
        words = words[1:]
    while _ends_with_post_nominal(words):
        words = words[:-1]
    places = [i for i, word in enumerate(words) if peer and i > 0 and word.joined == "of"]
    return words[: places[0]] if places else words


def _ends_with_post_nominal(words: tuple[_Word, ...]) -> bool:
    if len(words) < 2 or words[-1].joined not in _POST_NOMINALS:
        return False
    return words[-1].joined not in _DOUBTFUL or (len(words) > 2 and words[-1].capitals)


def _surname_start(words: tuple[_Word, ...]) -> int:
    """Where the surname begins: the last word and the particles before it, but never the first of several."""
    start = len(words) - 1
    while start > 1 and (words[start - 1].joined in _PARTICLES or words[start - 1].joined in _PREFIXES):
        start -= 1
    return max(start, 0)


def _build(given: tuple[_Word, ...], family: tuple[_Word, ...], known_as: tuple[str, ...]) -> _Name:
    """Glue prefixes on, take leading particles off the surname, and spell Mac as Mc."""
    parts = [part for word in family for part in word.parts]
    particles = []
    while len(parts) > 1 and parts[0] in _PARTICLES:
        particles.append(parts.pop(0))
    surname: list[str] = []
    prefix = ""
    for i, part in enumerate(parts):
        if part in _PREFIXES and i < len(parts) - 1:
            prefix += _PREFIXES[part]
            continue
        surname.append(prefix + _spell_mac(part))
        prefix = ""
    return _Name(
        tuple(part for word in given for part in word.parts), tuple(surname), "".join(particles), known_as
    )


def _spell_mac(part: str) -> str:
    return "mc" + part[3:] if part.startswith("mac") and len(part) > len("mack") else part


def _align(name: _Name, other: _Name) -> _Name:
    """Read "Ann Lee Marsh" beside "Ann Lee-Marsh" as a compound surname too."""
    size = len(other.surname)
    words = name.given + name.surname
    if size < 2 or len(words) <= size or words[-size:] != other.surname:
        return name
    return name._replace(given=words[:-size], surname=other.surname)


def _compare_surnames(left: _Name, right: _Name) -> SurnameRelation:
    a, b = left.surname_key, right.surname_key
    if a.replace(" ", "") == b.replace(" ", ""):
        return "same"
    shared = set(left.surname) & set(right.surname)
    if any(len(part) > 2 for part in shared) or _is_middle(left, right) or _is_middle(right, left):
        return "part"
    return "spelling" if _spelt_alike(a, b) else "different"


def _is_middle(name: _Name, other: _Name) -> bool:
    """Whether the surname of one is a later given name of the other, as after a marriage."""
    return len(name.surname) == 1 and name.surname[0] in other.given[1:]


def _compare_given(left: _Name, right: _Name) -> GivenRelation:
    a, b = left.given, right.given
    if not a or not b:
        return "different"
    if "".join(a) == "".join(b):
        return "same"
    first = _compare_words(a[0], b[0])
    if first is not None:
        return "different" if _contradict(a[1:], b[1:]) else first
    if _is_known_as(left, right) or _is_known_as(right, left):
        return "nickname"
    few, many = sorted((a, b), key=len)
    return "middle" if all(any(_is_one_name(x, y) for y in many) for x in few) else "different"


def _is_known_as(name: _Name, other: _Name) -> bool:
    """Whether the first name of one is what the other's brackets or quotes say."""
    return any(_is_one_name(nick, other.given[0]) for nick in name.known_as)


def _compare_words(a: str, b: str) -> Literal["same", "nickname", "initial", "spelling"] | None:
    if a == b:
        return "same"
    if _is_one_name(a, b):
        return "nickname"
    if a[0] == b[0] and 1 in (len(a), len(b)):
        return "initial"
    # Frances and Francis are one letter apart and two people.
    both_known = a in FORMAL_NAMES and b in FORMAL_NAMES
    return "spelling" if _spelt_alike(a, b) and not both_known else None


def _is_one_name(a: str, b: str) -> bool:
    return a == b or not FORMAL_NAMES.get(a, frozenset({a})).isdisjoint(FORMAL_NAMES.get(b, frozenset({b})))


def _contradict(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether both state middle names and none of them agree."""
    return bool(a and b) and not any(_compare_words(x, y) for x in a for y in b)


def _spelt_alike(a: str, b: str) -> bool:
    """One slip after the first of five letters or more, or a letter lost to a wrong encoding ("Zo?")."""
    if "?" in a + b and len(a) == len(b):
        stated = a.strip("?") and b.strip("?")
        return bool(stated) and all(x == y or "?" in (x, y) for x, y in zip(a, b, strict=True))
    # Slips of the first letter are rare; Terry and Berry are neighbours on one council.
    return a[0] == b[0] and min(len(a), len(b)) >= _SHORTEST_SLIP and within_one_edit(a, b)
