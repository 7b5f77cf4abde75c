"""The synthetic study of 52 interviews, and the folder of files in which a researcher would hand it in.

Here belong what is true of each interview, how often each theme was made to occur, and what the files say of it.
How such files are written is in `interview_files`. Nobody was interviewed: there is no text, no quotation and no
testimony, and every figure is invented. The study has the size that the real research published of itself, "over
50 councillors and officers", and nothing else in common with it. Councils are those of the fictional country;
parties have real names, because contracts check them against a closed list, and were dealt out like cards.

Figures are set as quotas and dealt out in an order that belongs to the name of the study: totals stand here to be
read, and no interview says anything about another. They are set so that every claim of the research has something
to show, and so that some groups are too small to be shown.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, TypeVar

from pipelines.sample.facts import BY_CODE, COUNCILS, Authority
from pipelines.sample.interview_files import Cell, CodedSource, CodeNode, codebook, project, workbook
from pipelines.sample.people import fraction
from pipelines.sample.tables import csv_text

Role = Literal["councillor", "officer"]
Form = Literal["csv", "xlsx"]
T = TypeVar("T")

STUDY: Final = "synthetic-councillor-study"
TITLE: Final = "Twenty-first century councillor (synthetic)"
SENTENCE: Final = (
    "Synthetic: made up for the fictional sample world. Nobody was interviewed and no figure is real."
)
NOT_STATED: Final = "not_stated"
ROLES: Final[Mapping[Role, int]] = {"councillor": 31, "officer": 21}

# --- quotas: how many of those who were interviewed -----------------------------------------------------------

# By council; an empty code stands for a council that is not stated.
COUNCIL_QUOTAS: Final[Mapping[Role, Mapping[str, int]]] = {
    "councillor": {
        "ZZM": 3, "ZZN": 2, "ZZO": 2, "ZZP": 1, "ZZB": 1, "ZZV": 1, "ZZJ": 5, "ZZK": 3, "ZZL": 3, "ZZX": 3,
        "ZZW": 1, "ZZY": 3, "ZZZ": 2, "": 1,
    },
    "officer": {
        "ZZM": 3, "ZZN": 2, "ZZO": 2, "ZZP": 1, "ZZB": 1, "ZZX": 1, "ZZY": 1, "ZZJ": 5, "ZZK": 3, "ZZL": 2,
    },
}  # fmt: skip
SENIORITY_QUOTA: Final = {
    "mayor": 1, "leader": 3, "cabinet_member": 8, "committee_chair": 6, "backbench": 12, NOT_STATED: 1,
}  # fmt: skip
PARTY_QUOTA: Final = {
    "conservative": 11, "labour": 10, "liberal_democrat": 4, "green": 2, "independent": 3, NOT_STATED: 1,
}  # fmt: skip
GENDER_QUOTA: Final = {"female": 15, "male": 16}
MODE_QUOTA: Final = {
    "Interview.FaceToFace": 18, "Interview.Telephone": 6, "Interview.WebBased": 6, NOT_STATED: 1,
}  # fmt: skip
# Age and years in office together: nobody took office as a child.
LIFE_QUOTA: Final = {
    ("under_35", "under_4"): 2,
    ("35_44", "under_4"): 2,
    ("35_44", "4_7"): 2,
    ("45_54", "4_7"): 3,
    ("45_54", "8_11"): 2,
    ("55_64", "4_7"): 1,
    ("55_64", "8_11"): 3,
    ("55_64", "12_19"): 4,
    ("65_74", "8_11"): 1,
    ("65_74", "12_19"): 5,
    ("65_74", "20_plus"): 3,
    ("75_plus", "20_plus"): 2,
    ("55_64", NOT_STATED): 1,
}
# The first and the last number of years of each band.
AGES: Final = {
    "under_35": (26, 34), "35_44": (35, 44), "45_54": (45, 54), "55_64": (55, 64), "65_74": (65, 74),
    "75_plus": (75, 83),
}  # fmt: skip
TENURES: Final = {
    "under_4": (0, 3), "4_7": (4, 7), "8_11": (8, 11), "12_19": (12, 19), "20_plus": (20, 31),
}  # fmt: skip
UNTIMED: Final = 2  # interviews whose length is not stated

# How many mention each theme. Councillors speak in a voice of their own, officers fear the blurred boundary.
THEME_QUOTAS: Final[Mapping[str, Mapping[Role, int]]] = {
    "as_you": {"councillor": 21, "officer": 4},
    "blurred_boundary": {"councillor": 9, "officer": 17},
    "always_on": {"councillor": 22, "officer": 14},
    "quicker_than_a_leaflet": {"councillor": 19, "officer": 5},
    "values_dialogue": {"councillor": 17, "officer": 8},
    "does_not_use_it": {"councillor": 8, "officer": 3},
    "abuse": {"councillor": 16, "officer": 9},
    "impatience": {"councillor": 18, "officer": 13},
    "training_wanted": {"councillor": 12, "officer": 14},
    "controlled_by_officers": {"councillor": 3, "officer": 11},
}
# Dealt from the other end of another theme's order: who does not use it does not speak in a voice of their own
# there, and hardly anybody stands between the two.
OPPOSED: Final = {"does_not_use_it": "as_you"}
# A code that no theme stands for; it is never published.
UNMAPPED: Final = "Passing remarks"
UNMAPPED_QUOTA: Final[Mapping[Role, int]] = {"councillor": 12, "officer": 9}

# What the study calls its codes, by the theme that each stands for.
CODE_NAMES: Final = {
    "as_you": "Own voice",
    "blurred_boundary": "Where the person ends and the council begins",
    "controlled_by_officers": "Kept in house",
    "always_on": "Never closed",
    "quicker_than_a_leaflet": "Faster than print",
    "values_dialogue": "Conversation",
    "does_not_use_it": "Not for me",
    "abuse": "Abuse",
    "impatience": "Wanting it now",
    "training_wanted": "Training",
}
CODE_TREE: Final[Mapping[str, tuple[str, ...]]] = {
    "Self and council": ("as_you", "blurred_boundary", "controlled_by_officers"),
    "The medium": ("always_on", "quicker_than_a_leaflet", "values_dialogue", "does_not_use_it"),
    "Trouble": ("abuse", "impatience"),
    "Help": ("training_wanted",),
}
REVIEWED_ON: Final = "2025-01-15"

# --- what is true ---------------------------------------------------------------------------------------------

_FIRST_DAY: Final = dt.date(2023, 9, 4)
_DAYS: Final = 290
YEARS: Final = (2023, 2024)


@dataclass(frozen=True, slots=True)
class Interview:
    """One interview as its researcher would know it: exact where the data list is exact.

    Bands and categories are those that have to come out when the data list is read. `passages` counts the passages
    that were coded, by theme, and those of the code without a theme under its own name.
    """

    number: int
    role: Role
    is_withdrawn: bool
    authority: Authority | None
    seniority: str
    party: str
    gender: str
    age_band: str
    tenure_band: str
    mode: str
    held_on: dt.date
    seconds: int | None
    passages: Mapping[str, int]

    @property
    def label(self) -> str:
        """What the study calls the interview."""
        return f"INT-{self.number:02}"

    @property
    def age(self) -> int | None:
        """An age within the band."""
        return _within(AGES.get(self.age_band), "age", self.number)

    @property
    def since(self) -> int | None:
        """The first year in office."""
        years = _within(TENURES.get(self.tenure_band), "tenure", self.number)
        return None if years is None else self.held_on.year - years

    @property
    def minutes(self) -> int | None:
        """The length to the nearest five minutes."""
        return None if self.seconds is None else 5 * ((self.seconds + 150) // 300)

    @property
    def attributes(self) -> Mapping[str, str]:
        """The categories that have to come out; of an officer only the kind of council."""
        return {
            "role_group": self.role,
            "seniority": self.seniority,
            "authority_type": self.authority.kind if self.authority else NOT_STATED,
            "region": self.authority.region if self.authority else NOT_STATED,
            "party": self.party,
            "gender": self.gender,
            "age_band": self.age_band,
            "tenure_band": self.tenure_band,
            "mode_of_collection": self.mode if self.role == "councillor" else NOT_STATED,
        }


@dataclass(frozen=True, slots=True)
class Truth:
    """The true counts of the study's completed interviews, from the facts and not from the files.

    `categories` counts by role, attribute and category, `mentions` by role and theme.
    """

    interviews: int
    withdrawn: int
    roles: Mapping[str, int]
    categories: Mapping[tuple[str, str, str], int]
    mentions: Mapping[tuple[str, str], int]


@cache
def interviews() -> tuple[Interview, ...]:
    """Return every interview in the order of its day: 52 that count, and one that was withdrawn."""
    numbers = range(1, sum(ROLES.values()) + 2)
    roles = _deal("role", {**ROLES, "withdrawn": 1}, numbers)
    days = sorted(_weekday(_FIRST_DAY + dt.timedelta(int(_part("day", n) * _DAYS))) for n in numbers)
    untimed = _first("untimed", UNTIMED, [n for n in numbers if roles[n] != "withdrawn"])
    dealt = _Dealt.of({role: [n for n in numbers if roles[n] == role] for role in ROLES})
    return tuple(
        _interview(n, roles[n], day, dealt, is_timed=n not in untimed)
        for n, day in zip(numbers, days, strict=True)
    )


def truth() -> Truth:
    """Return the true counts of the completed interviews."""
    completed = [interview for interview in interviews() if not interview.is_withdrawn]
    return Truth(
        interviews=len(completed),
        withdrawn=len(interviews()) - len(completed),
        roles=Counter(interview.role for interview in completed),
        categories=Counter(
            (interview.role, attribute, category)
            for interview in completed
            for attribute, category in interview.attributes.items()
        ),
        mentions=Counter(
            (interview.role, theme) for interview in completed for theme in interview.passages if theme != UNMAPPED
        ),
    )


def frame() -> Mapping[tuple[str, str], int]:
    """Return how many councillors of the fictional country hold each office, by attribute and category.

    Every council has a leader, one of them a mayor instead, and as many in its cabinet and in the chair of its
    committees as the next.
    """
    councils, seats = len(COUNCILS), sum(council.seats for council in COUNCILS)
    offices = {"mayor": 1, "leader": councils - 1, "cabinet_member": 7 * councils, "committee_chair": 5 * councils}
    held = {**offices, "backbench": seats - sum(offices.values())}
    return {("seniority", office): holders for office, holders in held.items()}


@dataclass(frozen=True, slots=True)
class _Dealt:
    """What was dealt out, by the number of the interview."""

    councils: Mapping[int, str]
    seniority: Mapping[int, str]
    parties: Mapping[int, str]
    genders: Mapping[int, str]
    lives: Mapping[int, tuple[str, str]]
    modes: Mapping[int, str]
    mentions: Mapping[str, frozenset[int]]

    @classmethod
    def of(cls, numbers: Mapping[Role, Sequence[int]]) -> _Dealt:
        """Deal out all quotas among the interviews of each role."""
        councillors = numbers["councillor"]
        councils: dict[int, str] = {}
        mentions: dict[str, frozenset[int]] = {}
        for role, of_role in numbers.items():
            councils |= _deal(f"council {role}", COUNCIL_QUOTAS[role], of_role)
            for theme, quotas in {**THEME_QUOTAS, UNMAPPED: UNMAPPED_QUOTA}.items():
                taken = _first(OPPOSED.get(theme, theme), quotas[role], of_role, from_end=theme in OPPOSED)
                mentions[theme] = mentions.get(theme, frozenset()) | taken
        return cls(
            councils=councils,
            seniority=_deal("seniority", SENIORITY_QUOTA, councillors),
            parties=_deal("party", PARTY_QUOTA, councillors),
            genders=_deal("gender", GENDER_QUOTA, councillors),
            lives=_deal("life", LIFE_QUOTA, councillors),
            modes=_deal("mode", MODE_QUOTA, councillors),
            mentions=mentions,
        )


def _interview(number: int, role: str, day: dt.date, dealt: _Dealt, *, is_timed: bool) -> Interview:
    """Return one interview; the withdrawn one is a councillor's, with answers that nobody may see any more."""
    age_band, tenure_band = dealt.lives.get(number, (NOT_STATED, NOT_STATED))
    code = dealt.councils.get(number, "")
    themes = [theme for theme, taken in dealt.mentions.items() if number in taken]
    is_withdrawn = role == "withdrawn"
    return Interview(
        number=number,
        role="officer" if role == "officer" else "councillor",
        is_withdrawn=is_withdrawn,
        authority=BY_CODE["ZZT" if is_withdrawn else code] if code or is_withdrawn else None,
        seniority="backbench" if is_withdrawn else dealt.seniority.get(number, NOT_STATED),
        party="reform_uk" if is_withdrawn else dealt.parties.get(number, NOT_STATED),
        gender="other" if is_withdrawn else dealt.genders.get(number, NOT_STATED),
        age_band="75_plus" if is_withdrawn else age_band,
        tenure_band="20_plus" if is_withdrawn else tenure_band,
        mode=dealt.modes.get(number, "Interview.FaceToFace"),
        held_on=day,
        seconds=int(1500 + 4200 * _part("seconds", number)) if is_timed else None,
        passages={
            theme: 1 + int(4 * _part("passages", theme, number))
            for theme in (["abuse"] if is_withdrawn else themes)
        },
    )


def _deal(what: str, quotas: Mapping[T, int], numbers: Sequence[int]) -> dict[int, T]:
    """Deal values out among interviews: as many of each as its quota, in an order that belongs to `what`."""
    values = [value for value, times in quotas.items() for _ in range(times)]
    return dict(zip(_order(what, numbers), values, strict=True))


def _first(what: str, count: int, numbers: Sequence[int], *, from_end: bool = False) -> frozenset[int]:
    """Return the first interviews of an order, or the last."""
    order = _order(what, numbers)
    return frozenset(order[len(order) - count :] if from_end else order[:count])


def _order(what: str, numbers: Sequence[int]) -> list[int]:
    return sorted(numbers, key=lambda number: _part(what, number))


def _part(*labels: object) -> float:
    return fraction(STUDY, *labels)


def _within(bounds: tuple[int, int] | None, what: str, number: int) -> int | None:
    """Return a number of years from the first to the last of a band, always the same for an interview."""
    if bounds is None:
        return None
    low, high = bounds
    return low + int((high - low + 1) * _part(what, number))


def _weekday(day: dt.date) -> dt.date:
    """Return the day itself, or the Monday after a weekend."""
    return day + dt.timedelta(max(0, 7 - day.weekday()) if day.weekday() >= 5 else 0)


# --- what the files say ---------------------------------------------------------------------------------------

# The data list has words of its own, as such lists have; study.yml says what they mean.
ROLE_WORDS: Final = {"councillor": "Cllr", "officer": "Officer"}
SENIORITY_WORDS: Final = {
    "mayor": "Mayor",
    "leader": "Leader",
    "cabinet_member": "Cabinet",
    "committee_chair": "Committee chair",
    "backbench": "Backbencher",
}
PARTY_WORDS: Final = {
    "conservative": "Con",
    "labour": "Lab",
    "liberal_democrat": "LD",
    "green": "Green",
    "reform_uk": "Reform",
    "independent": "Ind",
}
GENDER_WORDS: Final = {"female": "F", "male": "M", "other": "Other"}
MODE_WORDS: Final = {
    "Interview.FaceToFace": "in person",
    "Interview.Telephone": "phone",
    "Interview.WebBased": "video call",
}
HEADER: Final = (
    "Interview", "Status", "Name", "E-mail", "Held on", "Length", "Role", "Position", "Council", "Type of council",
    "Region", "Party", "Gender", "Age", "Councillor since", "How held", "Notes",
)  # fmt: skip
DROPPED: Final = ("Name", "E-mail", "Council", "Notes")
_STUDY_FILE: Final = """\
# {sentence}
study_id: {study}
title: {title}
synthetic: true
years: [{first_year}, {last_year}]
sampling: purposive
lawful_basis: not_stated # nobody was interviewed, so nobody's data is processed
licence: CC0-1.0
data_list:
  file: data_list.{form}
  format: {form}{sheet}
  label: Interview
  status: Status
  date: Held on
  minutes: Length
  attributes:
    role_group: {{column: Role, values: {roles}}}
    seniority: {{column: Position, values: {seniority}}}
    authority_type: Type of council
    region: Region
    party: {{column: Party, values: {parties}}}
    gender: {{column: Gender, values: {genders}}}
    age_band: {{column: Age, band: age}}
    tenure_band: {{column: Councillor since, band: tenure}}
    mode_of_collection: {{column: How held, values: {modes}}}
  dropped: [{dropped}]
codes: {{file: coding.qdpx, format: refi-qda}}
themes: themes.csv
frame: frame.csv
"""


def studies() -> Mapping[str, Mapping[str, bytes]]:
    """Return the files of every embedded study by its id."""
    return {STUDY: interview_files()}


@cache
def interview_files(form: Form = "csv") -> Mapping[str, bytes]:
    """Return the study's folder by file name, its data list as CSV or as an Excel workbook: the same each time."""
    rows = [_row(interview) for interview in interviews()]
    if form == "csv":
        listed = csv_text(HEADER, ({name: _as_text(cell) for name, cell in row.items()} for row in rows)).encode()
    else:
        cells = [HEADER, *([row[name] for name in HEADER] for row in rows)]
        listed = workbook({"Interviews": cells, "About": [[TITLE], [SENTENCE]]}, TITLE)
    return {
        "study.yml": _study_file(form).encode(),
        f"data_list.{form}": listed,
        "coding.qdpx": project(TITLE, SENTENCE, _codes(), list(_sources())),
        "themes.csv": csv_text(("code", "theme", "reviewed_on", "reviewed_by"), _theme_rows()).encode(),
        "frame.csv": csv_text(("attribute", "category", "holders"), _frame_rows()).encode(),
    }


def codebook_file() -> bytes:
    """Return the study's codes alone, as a codebook that could be handed in in place of the whole project."""
    return codebook(_codes())


def _study_file(form: Form) -> str:
    def words(meanings: Mapping[str, str]) -> str:
        return "{" + ", ".join(f"{word}: {category}" for category, word in meanings.items()) + "}"

    return _STUDY_FILE.format(
        sentence=SENTENCE,
        study=STUDY,
        title=TITLE,
        first_year=YEARS[0],
        last_year=YEARS[1],
        form=form,
        sheet="\n  sheet: Interviews" if form == "xlsx" else "",
        roles=words(ROLE_WORDS),
        seniority=words(SENIORITY_WORDS),
        parties=words(PARTY_WORDS),
        genders=words(GENDER_WORDS),
        modes=words(MODE_WORDS),
        dropped=", ".join(DROPPED),
    )


def _row(interview: Interview) -> dict[str, Cell]:
    """Return an interview's line of the data list; names and addresses are there to be dropped."""
    number, council = f"{interview.number:02}", interview.authority
    # Office, party and person are asked of councillors only.
    unasked = "n/a" if interview.role == "officer" else "not stated"
    cells: tuple[Cell, ...] = (
        interview.label,
        "withdrawn" if interview.is_withdrawn else "completed",
        f"FICTIONAL-NAME-{number}",
        f"fictional-{number}@interviews.example",
        interview.held_on,
        _clock(interview.seconds),
        ROLE_WORDS[interview.role],
        SENIORITY_WORDS.get(interview.seniority, unasked),
        council.official_name if council else "",
        council.kind if council else "not stated",
        council.region if council else "not stated",
        PARTY_WORDS.get(interview.party, unasked),
        GENDER_WORDS.get(interview.gender, unasked),
        unasked if interview.age is None else interview.age,
        unasked if interview.since is None else interview.since,
        MODE_WORDS.get(interview.mode, ""),
        f"FICTIONAL-NOTE-{number}. {SENTENCE}",
    )
    return dict(zip(HEADER, cells, strict=True))


def _as_text(cell: Cell) -> str:
    return cell.strftime("%d/%m/%Y") if isinstance(cell, dt.date) else str(cell)


def _clock(seconds: int | None) -> str:
    """Return a length as recorders show it: 54:02, from an hour on 1:04:10."""
    if seconds is None:
        return ""
    minutes, rest = divmod(seconds, 60)
    hours, past = divmod(minutes, 60)
    return f"{hours}:{past:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _codes() -> tuple[CodeNode, ...]:
    groups = (
        CodeNode(group, tuple(CodeNode(CODE_NAMES[theme]) for theme in themes), is_codable=False)
        for group, themes in CODE_TREE.items()
    )
    return (*groups, CodeNode(UNMAPPED))


def _sources() -> Iterator[CodedSource]:
    for interview in interviews():
        passages = {CODE_NAMES.get(theme, theme): times for theme, times in interview.passages.items()}
        yield CodedSource(f"{interview.label}.docx", passages)


def _theme_rows() -> Iterator[dict[str, str]]:
    for group, themes in CODE_TREE.items():
        for theme in themes:
            yield {
                "code": f"{group} > {CODE_NAMES[theme]}",
                "theme": theme,
                "reviewed_on": REVIEWED_ON,
                "reviewed_by": "FICTIONAL-RESEARCHER-01",
            }


def _frame_rows() -> Iterator[dict[str, str]]:
    for (attribute, category), holders in frame().items():
        yield {"attribute": attribute, "category": category, "holders": str(holders)}
