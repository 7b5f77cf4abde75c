"""Open Council Data's files, written of the fictional country: rosters and council control.

Here belong their layouts and their quirks. Who sits where is in `people`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.sample.facts import AUTHORITIES, COUNCILS, SHADOW_COUNCIL_DATA_IDS, Authority
from pipelines.sample.people import BLANK_VACANCIES, Councillor, File, councillors, fraction, wards
from pipelines.sample.tables import csv_text, header_of, php_csv_text

ROSTER_HEADER: Final = (
    "Council",
    "Ward Name",
    "Councillor Name",
    "Next Election",
    "Party Name",
    "Electoral Commission Party Code",
)
CONTROL_HEADER: Final = header_of(
    "id,council id,authority,year,total,con,lab,ld,green,ukip,ref,pc,snp,other,majority"
)
CONTROL_YEARS: Final = range(2016, 2026)

# The columns of council control name real parties; no fictional seat is given to one, all are `other`.
_REAL_PARTIES: Final = ("con", "lab", "ld", "green", "ukip", "ref", "pc", "snp")
_MAJORITIES: Final = ("Other", "Other plurality", "IND", "IND min")

_ROSTER_FILES: Final[dict[int, File]] = {2024: "roster 2024", 2025: "roster 2025"}


def roster_file(year: int) -> str:
    """Return who sat on every council in a year: no ids, a row for each seat, vacancies among them."""
    return php_csv_text(ROSTER_HEADER, _roster_rows(year))


def _roster_rows(year: int) -> Iterator[dict[str, str]]:
    """Yield a row for every seat, council by council."""
    holders = {(c.authority_code, seat): c for c in councillors() if year in c.rosters for seat in c.seats}
    for authority in COUNCILS:
        names = wards(authority)
        for seat in range(authority.seats):
            ward = names[seat // authority.seats_per_ward]
            yield _roster_row(authority, seat, ward, holders.get((authority.code, seat)), year)


def _roster_row(
    authority: Authority, seat: int, ward: str, holder: Councillor | None, year: int
) -> dict[str, str]:
    """Return the row of one seat; an empty one is called Vacant, at times with a blank name."""
    blank = (authority.code, seat) in BLANK_VACANCIES
    vacant = "" if blank else "Vacant"
    values = (
        authority.nice_name,
        ward,
        holder.name_in(_ROSTER_FILES[year]) if holder else vacant,
        "2027-05-06" if authority.nation != "England" else "2026-05-07",
        holder.party.name if holder else "Vacant",
        holder.party.code if holder else "",
    )
    return dict(zip(ROSTER_HEADER, values, strict=True))


def control_file() -> str:
    """Return seats and majority of every council and year."""
    rows = (row for year in CONTROL_YEARS for authority in AUTHORITIES if (row := _control_row(authority, year)))
    return csv_text(CONTROL_HEADER, ({"id": str(number), **row} for number, row in enumerate(rows, 1)))


def _control_row(authority: Authority, year: int) -> dict[str, str] | None:
    """Return a council's row for a year, or None where the source has none.

    A body appears from the year its members were elected, which may be a year before it exists, and under its
    predecessor's name if that is the same.
    """
    number = SHADOW_COUNCIL_DATA_IDS.get(authority.code) or authority.council_data_id
    if number is None or not _listed(authority, year):
        return None
    seats = authority.seats or 40 + number % 20
    return {
        "council id": str(number),
        "authority": authority.nice_name,
        "year": str(year),
        "total": str(seats),
        **dict.fromkeys(_REAL_PARTIES, "0"),
        "other": str(seats),
        "majority": _MAJORITIES[int(fraction("majority", authority.code, year // 4) * len(_MAJORITIES))],
    }


def _listed(authority: Authority, year: int) -> bool:
    """Whether the source has the body in a year: elected a year ahead, dropped a year before its end."""
    starts = int(authority.start_date[:4] or 1974)
    elected = starts - 1 if starts >= 2023 else starts
    ends = int(authority.end_date[:4] or 9999)
    return elected <= year < ends - (ends == 2023)
