"""The awkward cases of the sample, each with the file and the text where it stands.

Here belongs where to look. Why a case is awkward stands beside the fact that makes it so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REGISTER: Final = "authority_register/uk_local_authorities.csv"
GSS_LOOKUP: Final = "authority_gss_lookup/lookup_gss_to_registry.csv"
NAME_LOOKUP: Final = "authority_name_lookup/lookup_name_to_registry.csv"
COUNCIL_DATA_IDS: Final = "authority_ocd_lookup/open_council_data_id.csv"
OLD_ORGANISATIONS: Final = "digital_land_authorities/2023-11-20.csv"
NEW_ORGANISATIONS: Final = "digital_land_authorities/2025-01-28.csv"
WEB_PAGES: Final = "lgsf_councils/councils_cms.csv"
CONTROL: Final = "council_control/council_control_history.csv"
ROSTER_2024: Final = "open_council_data_councillors/2024.csv"
ROSTER_2025: Final = "open_council_data_councillors/2025.csv"
LEGACY: Final = "democracy_club_candidates/2022-local.csv"
BUILDER: Final = "democracy_club_candidates/2026-local.csv"
ACCOUNTS_2024: Final = "official_accounts/2024-06-01.csv"
ACCOUNTS_2025: Final = "official_accounts/2025-06-01.csv"
GSS_CHANGES: Final = "gss_changes/gss_changes.csv"
WIKIDATA_2024: Final = "wikidata_accounts/2024-06-01.csv"
WIKIDATA_2025: Final = "wikidata_accounts/2025-06-01.csv"


@dataclass(frozen=True, slots=True)
class Case:
    """An awkward case: `text` stands in `file` exactly `times` times, or at least once where it is None."""

    name: str
    file: str
    text: str
    times: int | None = 1


CASES: Final = (
    Case("two-step succession, first step", REGISTER, "2019-03-31,ZZC,England", 2),
    Case("two-step succession, second step", REGISTER, "2019-04-01,2023-04-01,ZZB,England"),
    Case("one body, two successors", REGISTER, '2023-04-01,"ZZG,ZZH",England'),
    Case("several bodies, one successor", REGISTER, "2023-04-01,ZZB,England", 2),
    Case("former statistical codes", REGISTER, '"Z12000092,Z12000093"'),
    Case("one short name, two bodies", NAME_LOOKUP, "\nKettlemarsh,ZZ", 2),
    Case("combined authority", REGISTER, "\nZZCA,"),
    Case("strategic authority", REGISTER, ",SRA,Strategic Regional Authority,"),
    Case(
        "Northern Irish district without a statistical code",
        REGISTER,
        "\nZZNI,Old Champ District Council,Old Champ,,",
    ),
    Case("number with a decimal place", REGISTER, ",1207.0,"),
    Case("commas inside a name", REGISTER, '"Buttonhurst, Zipwell and Toggle Council"'),
    Case("dissolved body without a region", REGISTER, ",England,,NMD,", 2),
    Case("name spoilt by an encoding", REGISTER, "Cyngor Cawl F\ufffdch"),
    Case("blank key", GSS_LOOKUP, "\n,ZZNI\n"),
    Case("former code in the look-up", GSS_LOOKUP, "\nZ07000095,ZZK\n"),
    Case("no council data number", COUNCIL_DATA_IDS, "\nZZB,\n"),
    Case("new body under a number of its own, a year early", CONTROL, ",9416,Kettlemarsh,2022,96,"),
    Case("predecessor under the same name", CONTROL, ",9021,Kettlemarsh,2021,"),
    Case("organisation that is no authority", OLD_ORGANISATIONS, "\ngovernment-organisation:ZZ1,"),
    Case("renamed handle, before (1)", OLD_ORGANISATIONS, ",zzPorridgeCC,Z10000003,"),
    Case("renamed handle, after (1)", NEW_ORGANISATIONS, ",Z10000003,zzPorridgeshire,"),
    Case("renamed handle, before (2)", OLD_ORGANISATIONS, ",zzGoldilockDC,"),
    Case("renamed handle, after (2)", NEW_ORGANISATIONS, ",zzGoldilock,"),
    Case("renamed handle, before (3)", OLD_ORGANISATIONS, ",zzWardrobeLBC,"),
    Case("renamed handle, after (3)", NEW_ORGANISATIONS, ",zzWardrobe,"),
    Case("renamed handle, before (4)", OLD_ORGANISATIONS, ",zzCushionSofa,"),
    Case("renamed handle, after (4)", NEW_ORGANISATIONS, ",zzRBCushion,"),
    Case("dissolved body keeps its handle", NEW_ORGANISATIONS, ",Z10000001,zzKettlemarshCC,"),
    Case("its successor has none", NEW_ORGANISATIONS, ",2023-04-01,Z06000001,,"),
    Case("dissolved body, its successor has its own", NEW_ORGANISATIONS, ",Z07000004,zzPincushionBC,"),
    Case("dissolved body with two successors", NEW_ORGANISATIONS, ",Z10000002,zzThimbleshire,"),
    Case("two authorities share a handle", NEW_ORGANISATIONS, ",zzBZTCouncil,", 2),
    Case("code differs from the register's", NEW_ORGANISATIONS, ",local-authority,ZZRT,"),
    Case("handle that disappears", OLD_ORGANISATIONS, ",zzThreeBears,"),
    Case("handle with an at sign", OLD_ORGANISATIONS, ",@zzTeapotMBC,"),
    Case("handle as an address", OLD_ORGANISATIONS, ",https://twitter.com/zzSaucerbyCity,"),
    Case("name with an article", WEB_PAGES, ",The Haggisburgh City Council,"),
    Case("vacancy", ROSTER_2025, ",Vacant,2026-05-07,Vacant,\n", 3),
    Case("vacancy with a blank name", ROSTER_2025, ",,2026-05-07,Vacant,\n"),
    Case("seat held twice", ROSTER_2025, 'Spout!,"Wilhelmina Whiskbottomley"', 2),
    Case("two people of one name in one council", ROSTER_2025, '"Pat Crumpetsonne"', 2),
    Case("two people of one name in one ward", ROSTER_2025, '"Upper/Lower Doily","John Muggleworthy"', 2),
    Case("apostrophe", ROSTER_2024, '"Niamh O\'Doilyn"'),
    Case("apostrophe behind a backslash", ROSTER_2025, '"Niamh O\\\'Doilyn"'),
    Case("typographic apostrophe", BUILDER, "Niamh O’Doilyn,"),
    Case("hyphen", ROSTER_2025, '"Hazel Bobbin-Teacosey"'),
    Case("half of a hyphenated surname", LEGACY, ",Hazel Teacosey,"),
    Case("accents", ROSTER_2024, '"Zoë Crumpétte"'),
    Case("accents lost", ROSTER_2025, '"Zoe Crumpette"'),
    Case("changed surname, before", ROSTER_2024, '"Grace Thimbletonne"'),
    Case("changed surname, after", ROSTER_2025, '"Grace Ladlesworthy"'),
    Case("nickname", ROSTER_2025, '"Bob Ladlethwaiter"'),
    Case("given name of the nickname", BUILDER, ",Robert Ladlethwaiter,"),
    Case("initials", ROSTER_2025, '"A J Spoonfellower"'),
    Case("given names of the initials", LEGACY, ",Alice Jane Spoonfellower,"),
    Case("name in brackets", BUILDER, ",Peregrine Humphrey (Perry) Kettlemouser,"),
    Case("one letter apart", LEGACY, ",Catherine Trivetstones,"),
    Case("title inside a name", ROSTER_2025, '"Dr Ottoline Sievebridger"'),
    Case("ampersand in a ward", ROSTER_2025, '"Saucer & Spoon"', 3),
    Case("the same ward without it", BUILDER, ",Saucer and Spoon,", None),
    Case("candidates of 2022 for the predecessor", LEGACY, ",Kettlemarsh County Council,", None),
    Case("merged person numbers", LEGACY, ";98", None),
    Case("person on two ballots, local and local", BUILDER, ",Marigold Porringerby,", 2),
    Case("mayoral ballot", BUILDER, ",mayor.wardrobe.2026-05-07,mayor.wardrobe.2026-05-07,", 5),
    Case("combined authority's mayoral ballot", BUILDER, ",mayor.teapot-and-saucer-ca.2026-05-07,", None),
    Case("parliamentary ballot", BUILDER, ",sp.c.haggisburgh-city-shore.2026-05-07,", 4),
    Case("by-election", BUILDER, ".by.2026-02-12,", 3),
    Case("party page given as one's own", BUILDER, "https://www.facebook.com/zzPartyGoldilock", None),
    Case("account renamed under one permanent id", ACCOUNTS_2025, "did:plc:zzsaucerby2", 2),
    Case("account renamed, still under its first name", ACCOUNTS_2024, "did:plc:zzsaucerby2"),
    Case("area recoded behind the register's back", GSS_CHANGES, "ZZV,Z06000058,Z06000008", 1),
    Case("account closed", ACCOUNTS_2025, ",zzTeapotMBC,9000000000000000013,2009-08-01,2025-02-28,"),
    Case("Mastodon name", ACCOUNTS_2025, ",@zzteapot@social.example,"),
    Case("YouTube channel id", ACCOUNTS_2025, ",UCzzTeapot00000000000000,"),
    Case("permanent id that only Wikidata knows", WIKIDATA_2025, ",zzCupboardGCA,9000000000000000017,2009-03,,"),
    Case("end known to the year", WIKIDATA_2025, ",zzMittenBC,9000000000000000020,2009,2010,"),
    Case("name that the account no longer bears", WIKIDATA_2025, ",zzGoldilocks,9000000000000000011,,,"),
    Case("account of a tourist office", WIKIDATA_2025, ",own_code,x,zzVisitMitten,"),
    Case("one account stated on two items", WIKIDATA_2025, ",instagram,zzthistledown,", 2),
    Case("one account left open and ended", WIKIDATA_2025, ",facebook,zzWardrobeLBC,", 2),
    Case("area under its new code", WIKIDATA_2025, ",Z06000058,linked_body,bluesky,"),
    Case("one item with the codes of two bodies", WIKIDATA_2025, ",instagram,zzkettlemarsh,,2014-02,,", 2),
    Case("channel id and handle in two statements", WIKIDATA_2025, "aggisburgh", None),
    Case("hoax, before", WIKIDATA_2024, ",@zzbobbinhoax@social.example,"),
    Case("hoax, taken back", WIKIDATA_2025, "hoax", 0),
    Case("account of a body that the register does not know", WIKIDATA_2025, ",Z06000099,", 2),
    Case("Mastodon name of a Northern Irish council", WIKIDATA_2025, ",@zzsodafarl@mastodon.example,"),
    Case("Bluesky name of a Welsh council with its DID", WIKIDATA_2025, ",cawlfach.example,did:plc:zzcawlfach2"),
)
