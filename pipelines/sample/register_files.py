"""Registers of the fictional country, written as their upstreams write them.

Here belong the layouts of mySociety's register and its look-ups, of the government's register of
organisations in both layouts, of the table of council web pages, of the project's curated accounts, and of
Wikidata's answer to the project's query. The facts are in `facts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.sample.candidates import slug
from pipelines.sample.facts import (
    AUTHORITIES,
    BY_CODE,
    OFFICIAL_ACCOUNTS,
    REGISTER_CODES,
    REGISTER_HANDLES,
    STATEMENTS,
    Authority,
    Statement,
)
from pipelines.sample.tables import csv_text, header_of

REGISTER_HEADER: Final = header_of(
    "local-authority-code,official-name,nice-name,gss-code,start-date,end-date,replaced-by,nation,region,"
    "local-authority-type,local-authority-type-name,county-la,combined-authority,alt-names,former-gss-codes,"
    "notes,current-authority,BS-6879,ecode,even-older-register-and-code,gov-uk-slug,area,pop-2020,x,y,lat,"
    "long,powers,lower-or-unitary,mapit-area-code,ofcom,old-ons-la-code,old-register-and-code,"
    "open-council-data-id,os-file,os,snac,wdtk-id"
)
GSS_HEADER: Final = ("gss-code", "local-authority-code")
NAME_HEADER: Final = ("la-name", "local-authority-code")
COUNCIL_DATA_ID_HEADER: Final = ("local-authority-code", "open-council-data-id")

# digital-land/organisation-dataset, collection/organisation.csv: every kind of organisation in one table.
OLD_ORGANISATION_HEADER: Final = header_of(
    "organisation,wikidata,name,website,twitter,statistical-geography,boundary,toid,opendatacommunities,"
    "opendatacommunities-area,billing-authority,census-area,local-authority-type,combined-authority,"
    "esd-inventories,local-resilience-forum,region,addressbase-custodian,start-date,end-date"
)
# digital-land/organisation-collection, data/local-authority.csv, 2025-01-28.
NEW_ORGANISATION_HEADER: Final = header_of(
    "addressbase-custodian,billing-authority,combined-authority,end-date,entity,esd-inventory,"
    "local-authority-district,local-authority-type,local-enterprise-partnership,local-planning-authority,"
    "local-resilience-forum,name,notes,opendatacommunities-uri,organisation,parliament-thesaurus,prefix,"
    "reference,region,start-date,statistical-geography,twitter,website,wikidata,wikipedia"
)
WEB_PAGES_HEADER: Final = header_of(
    "folder,official_identifier,official_name,organisation_type,organisation_subtype,territory_code,"
    "start_date,end_date,cms_type,base_url"
)
ACCOUNTS_HEADER: Final = header_of(
    "authority_code,platform,account,account_id,valid_from,valid_to,evidence_url,checked_on"
)
# What SPARQL selects, in the order of the query.
STATEMENTS_HEADER: Final = header_of(
    "item,item_label,gss_code,found_through,platform,account,account_id,valid_from,valid_to,evidence_url"
)
_PROPERTIES: Final = {
    "bluesky": "P12361",
    "facebook": "P2013",
    "instagram": "P2003",
    "linkedin": "P4264",
    "mastodon": "P4033",
    "tiktok": "P7085",
    "x": "P2002",
    "youtube": "P11245",
}

_KIND_NAMES: Final = {
    "UA": "Unitary authority",
    "NMD": "Non-metropolitan district",
    "CTY": "County",
    "MD": "Metropolitan district",
    "LBO": "London borough",
    "SRA": "Strategic Regional Authority",
    "COMB": "Combined authority",
    "SCO": "Scottish unitary authority",
    "WPA": "Welsh unitary authority",
    "NID": "NI district",
}
_POWERS: Final = {
    "NMD": "lower tier",
    "CTY": "upper tier",
    "NID": "ni district",
    "SRA": "combined",
    "COMB": "combined",
}
_OLD_REGISTERS: Final = {"England": "eng", "Scotland": "sct", "Wales": "wls", "Northern Ireland": "nir"}
_TERRITORIES: Final = {"England": "ENG", "Scotland": "SCT", "Wales": "WLS", "Northern Ireland": "NIR"}
# Regions keep their real statistical codes: they are labels that contracts check.
_REGION_CODES: Final = {
    "North East": "E12000001",
    "North West": "E12000002",
    "Yorkshire and The Humber": "E12000003",
    "East Midlands": "E12000004",
    "West Midlands": "E12000005",
    "East of England": "E12000006",
    "London": "E12000007",
    "South East": "E12000008",
    "South West": "E12000009",
}


# Codes that the register does not know yet, by authority.
_NEW_CODES: Final = {"ZZV": "Z06000058"}
GSS_CHANGES_HEADER: Final = ("authority_code", "gss_code", "former_gss_code", "changed_on", "evidence_url")


def register_file() -> str:
    """Return the register of authorities, in mySociety's 38 columns."""
    rows = (_register_row(authority, number) for number, authority in enumerate(AUTHORITIES, 1))
    return csv_text(REGISTER_HEADER, rows)


def _register_row(authority: Authority, number: int) -> dict[str, str]:
    """Return an authority's row; numbers have a decimal place where the upstream's have one."""
    powers = _POWERS.get(authority.kind, "unitary")
    council_data_id = authority.council_data_id
    return {
        "local-authority-code": authority.code,
        "official-name": authority.official_name,
        "nice-name": authority.nice_name,
        "gss-code": authority.gss_code,
        "start-date": authority.start_date,
        "end-date": authority.end_date,
        "replaced-by": ",".join(authority.replaced_by),
        "nation": authority.nation,
        "region": authority.region,
        "local-authority-type": authority.kind,
        "local-authority-type-name": _KIND_NAMES[authority.kind],
        "county-la": authority.county,
        "combined-authority": authority.combined,
        "alt-names": ",".join((authority.nice_name, *authority.alt_names)),
        "former-gss-codes": ",".join(authority.former_gss),
        "notes": authority.notes,
        "current-authority": str(authority.is_current),
        "powers": powers,
        "lower-or-unitary": str(powers in {"unitary", "lower tier", "ni district"}),
        "gov-uk-slug": slug(authority.nice_name),
        "old-register-and-code": f"local-authority-{_OLD_REGISTERS[authority.nation]}:{authority.code}",
        "open-council-data-id": f"{council_data_id}.0" if council_data_id else "",
        **(_measurements(authority, number) if authority.is_current else {}),
    }


def _measurements(authority: Authority, number: int) -> dict[str, str]:
    """Return area, people and place; the places lie in the sea south-west of Scilly."""
    return {
        "area": f"{100 + number * 41}.0",
        "pop-2020": f"{(authority.seats or 300) * 3500}.0",
        "x": f"{number * 1000}.25",
        "y": f"{number * 500}.75",
        "lat": f"48.{number:02}5",
        "long": f"-9.{number:02}5",
    }


def gss_lookup_file() -> str:
    """Return statistical codes to authority codes: current ones, former ones, and a blank one."""
    rows = (
        {"gss-code": gss, "local-authority-code": authority.code}
        for authority in AUTHORITIES
        for gss in (authority.gss_code, *authority.former_gss)
    )
    return csv_text(GSS_HEADER, sorted(rows, key=lambda row: (row["gss-code"] == "", row["local-authority-code"])))


def name_lookup_file() -> str:
    """Return names to authority codes; a name that two bodies bore stands twice."""
    rows = (
        {"la-name": name, "local-authority-code": authority.code}
        for authority in AUTHORITIES
        for name in dict.fromkeys(_names(authority))
    )
    return csv_text(NAME_HEADER, rows)


def _names(authority: Authority) -> Iterator[str]:
    """Yield every name an authority is looked up by."""
    yield authority.official_name
    yield authority.nice_name
    yield authority.nice_name.lower()
    yield from authority.alt_names


def council_data_id_file() -> str:
    """Return authority codes to council data's numbers; combined and new bodies have none."""
    rows = (
        {
            "local-authority-code": a.code,
            "open-council-data-id": f"{a.council_data_id}.0" if a.council_data_id else "",
        }
        for a in reversed(AUTHORITIES)
    )
    return csv_text(COUNCIL_DATA_ID_HEADER, rows)


def old_organisations_file() -> str:
    """Return the register of organisations as of November 2023, in its older layout."""
    others = {
        "organisation": "government-organisation:ZZ1",
        "name": "Office for Kettles and Spoons",
        "twitter": "zzKettlesOffice",
        "website": "https://www.kettles.example",
    }
    return csv_text(OLD_ORGANISATION_HEADER, [others, *map(_old_organisation, _english())])


def _old_organisation(authority: Authority) -> dict[str, str]:
    """Return a row of the older layout: the code has its register before it, the region is a word."""
    combined = authority.combined
    return {
        "organisation": f"local-authority-eng:{_organisation_code(authority)}",
        "name": authority.official_name,
        "website": _website(authority),
        "twitter": REGISTER_HANDLES.get(authority.code, ("", ""))[0],
        "statistical-geography": authority.gss_code,
        "local-authority-type": authority.kind,
        "combined-authority": f"local-authority-eng:{combined}" if combined == "ZZCA" else "",
        "region": slug(authority.region),
        "start-date": authority.start_date,
        "end-date": authority.end_date,
    }


def new_organisations_file() -> str:
    """Return the register of organisations as of January 2025, in its newer layout."""
    rows = (_new_organisation(authority, entity) for entity, authority in enumerate(_english(), 9001))
    return csv_text(NEW_ORGANISATION_HEADER, rows, "\r\n")


def _new_organisation(authority: Authority, entity: int) -> dict[str, str]:
    """Return a row of the newer layout: the bare code is `reference`, the region a statistical code."""
    code = _organisation_code(authority)
    return {
        "combined-authority": authority.combined if authority.combined == "ZZCA" else "",
        "end-date": authority.end_date,
        "entity": str(entity),
        "local-authority-district": authority.gss_code,
        "local-authority-type": authority.kind,
        "name": authority.official_name,
        "organisation": f"local-authority:{code}",
        "prefix": "local-authority",
        "reference": code,
        "region": _REGION_CODES.get(authority.region, ""),
        "start-date": authority.start_date,
        "statistical-geography": authority.gss_code,
        "twitter": REGISTER_HANDLES.get(authority.code, ("", ""))[1],
        "website": _website(authority),
    }


def _english() -> tuple[Authority, ...]:
    """Return the authorities this register covers."""
    return tuple(authority for authority in AUTHORITIES if authority.nation == "England")


def _organisation_code(authority: Authority) -> str:
    """Return the code this register uses, which need not be the other register's."""
    return REGISTER_CODES.get(authority.code, authority.code)


def _website(authority: Authority) -> str:
    """Return an address under a domain that can never exist."""
    return f"https://www.{slug(authority.official_name)}.example"


def web_pages_file() -> str:
    """Return where councils publish their members, as the scrapers' table has it."""
    listed = (authority for authority in AUTHORITIES if authority.is_current or authority.code in {"ZZC", "ZZI"})
    return csv_text(WEB_PAGES_HEADER, map(_web_page, listed), "\r\n")


def _web_page(authority: Authority) -> dict[str, str]:
    """Return a council's row; this table gives Scottish councils an article and another type code."""
    article = "The " if authority.nation == "Scotland" else ""
    subtype = {"SCO": "CA", "WPA": "UA", "NID": ""}.get(authority.kind, authority.kind)
    host = f"democracy.{slug(authority.nice_name)}.example"
    return {
        "folder": f"{authority.code}-{slug(authority.nice_name)}",
        "official_identifier": authority.code,
        "official_name": article + authority.official_name,
        "organisation_type": "local-authority",
        "organisation_subtype": subtype,
        "territory_code": _TERRITORIES[authority.nation],
        "start_date": authority.start_date,
        # This table ends a body on its last day, the register on the day after.
        "end_date": authority.end_date.replace("2023-04-01", "2023-03-31"),
        "cms_type": authority.cms,
        "base_url": f"https://{host}" if authority.cms else "",
    }


def accounts_file(year: int) -> str:
    """Return the curated official accounts as checked on 1 June of a year."""
    rows = (
        {
            "authority_code": account.authority_code,
            "platform": account.platform,
            "account": account.account,
            "account_id": account.account_id,
            "valid_from": account.valid_from,
            "valid_to": account.valid_to,
            "evidence_url": f"https://www.{account.authority_code.lower()}.example/contact#{account.platform}",
            "checked_on": f"{year}-06-01",
        }
        for account in OFFICIAL_ACCOUNTS
        if year in account.listed_in
    )
    return csv_text(ACCOUNTS_HEADER, rows)


def wikidata_file(year: int) -> str:
    """Return Wikidata's answer of 1 June of a year, with the line ends that SPARQL's CSV has."""
    known = (
        Statement(
            account.authority_code,
            account.platform,
            account.account,
            account.account_id if account.wikidata == "with id" else "",
            account.valid_from if account.wikidata == "with id" else "",
        )
        for account in OFFICIAL_ACCOUNTS
        if account.wikidata and account.valid_from < f"{year}-06-01"
    )
    rows = [_statement_row(s) for s in (*known, *STATEMENTS) if year in s.answers]
    order = ("gss_code", "platform", "account", "item", "evidence_url", "valid_from", "valid_to")
    return csv_text(STATEMENTS_HEADER, sorted(rows, key=lambda row: [row[name] for name in order]), "\r\n")


def _statement_row(statement: Statement) -> dict[str, str]:
    """Return a row of the answer; items of areas and of councils have numbers that Wikidata has not reached."""
    authority = BY_CODE.get(statement.code)
    # One item stands for both bodies of this name.
    named = BY_CODE["ZZB"] if statement.code == "ZZA" else authority
    item = f"Q99000000{AUTHORITIES.index(named) if named else 99:02}{1 if statement.is_of_area else 2}"
    channel = statement.platform == "youtube" and statement.account.startswith("UC")
    label = (named.nice_name if statement.is_of_area else named.official_name) if named else ""
    return {
        "item": item,
        "item_label": label,
        "gss_code": _NEW_CODES.get(authority.code, authority.gss_code) if authority else statement.code,
        "found_through": "own_code" if statement.is_of_area else "linked_body",
        "platform": statement.platform,
        "account": statement.account,
        "account_id": statement.account if channel else statement.account_id,
        "valid_from": statement.valid_from,
        "valid_to": statement.valid_to,
        "evidence_url": f"https://www.wikidata.example/wiki/{item}#"
        + ("P2397" if channel else _PROPERTIES[statement.platform]),
    }


def gss_changes_file() -> str:
    """Return the curated recodings: one area has a new code that the register does not know yet."""
    row = {
        "authority_code": "ZZV",
        "gss_code": _NEW_CODES["ZZV"],
        "former_gss_code": "Z06000008",
        "changed_on": "2025-04-01",
        "evidence_url": "https://www.zzv.example/boundary-order",
    }
    return csv_text(GSS_CHANGES_HEADER, [row])
