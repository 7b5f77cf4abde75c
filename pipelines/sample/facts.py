"""Facts of the fictional country: authorities, parties and official accounts.

Here belong invented bodies and what is true of them, as frozen records written by hand. People are in
`people`, who stood for election in `candidates`, file layouts in the `…_files` modules.

Every label shows that it is invented: authority codes begin with ZZ, statistical codes with Z, account names
with `zz`, hosts end in `.example`, places are named after kitchens, sewing boxes and fables. Nations, regions
and kinds of authority keep their real names, because contracts check them against closed lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Tier = Literal["silent", "middling", "heavy"]
Activity = Literal["silent", "steady", "heavy"]
Wiki = Literal["", "handle", "with id"]
Kind = Literal["UA", "NMD", "CTY", "MD", "LBO", "SRA", "COMB", "SCO", "WPA", "NID"]


@dataclass(frozen=True, slots=True)
class Authority:
    """A fictional authority as its register knows it.

    `seats` is zero for bodies that elect no councillors of their own and for bodies dissolved before the
    rosters begin. `tier` says how far its people took to social media. `candidate_years` are the Democracy
    Club files that cover it: none means the authority is not covered at all.
    """

    code: str
    official_name: str
    nice_name: str
    gss_code: str
    kind: Kind
    nation: str
    region: str
    start_date: str = ""
    end_date: str = ""
    replaced_by: tuple[str, ...] = ()
    county: str = ""
    combined: str = ""
    former_gss: tuple[str, ...] = ()
    alt_names: tuple[str, ...] = ()
    notes: str = ""
    seats: int = 0
    seats_per_ward: int = 3
    tier: Tier = "middling"
    candidate_years: tuple[int, ...] = ()
    council_data_id: int | None = None
    cms: str = "ModernGov"

    @property
    def is_current(self) -> bool:
        """Whether the body still exists."""
        return not self.end_date


@dataclass(frozen=True, slots=True)
class Party:
    """A fictional party with the three codes that the upstreams write for it."""

    name: str
    code: str
    legacy_code: str


@dataclass(frozen=True, slots=True)
class OfficialAccount:
    """An account of an authority, over one period of validity.

    `account` is a handle or an address, as a person would have noted it. `listed_in` names the years of the
    curated file that carry this row. `tier` is how busy the account is, for the posts that belong to it.
    `wikidata` is what Wikidata states of it from the day it began: nothing, its handle, or all of the row.
    """

    authority_code: str
    platform: str
    account: str
    account_id: str
    valid_from: str
    valid_to: str = ""
    listed_in: tuple[int, ...] = (2024, 2025)
    tier: Tier = "middling"
    wikidata: Wiki = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody wrote into Wikidata about an account, right or wrong.

    `code` is an authority, or the statistical code that the item bears where no authority has it. `is_of_area`
    tells a statement on the item of the area from one on the item of its council. `answers` names the years of
    the answers that carry it.
    """

    code: str
    platform: str
    account: str
    account_id: str = ""
    valid_from: str = ""
    valid_to: str = ""
    is_of_area: bool = False
    answers: tuple[int, ...] = (2024, 2025)


BOTH: Final = (2022, 2026)

PARTIES: Final = (
    Party("The Kettle Party", "PP90001", "party:90001"),
    Party("Teaspoon Alliance", "PP90002", "party:90002"),
    Party("Doormat Democrats", "PP90003", "party:90003"),
    Party("Hearth and Garden Party", "PP90004", "party:90004"),
    Party("Independent / Other", "", "ynmp-party:2"),
)

AUTHORITIES: Final = (
    # Two bodies, one short name: a county until 2023-03-31, a unitary after. Four bodies went into it, two of
    # them in two steps (ZZD and ZZE through ZZC).
    Authority(
        "ZZA",
        "Kettlemarsh County Council",
        "Kettlemarsh",
        "Z10000001",
        "CTY",
        "England",
        "South West",
        end_date="2023-04-01",
        replaced_by=("ZZB",),
        seats_per_ward=2,
        council_data_id=9021,
        alt_names=("kettlemarsh county",),
    ),
    Authority(
        "ZZB",
        "Kettlemarsh Council",
        "Kettlemarsh",
        "Z06000001",
        "UA",
        "England",
        "South West",
        start_date="2023-04-01",
        seats=96,
        seats_per_ward=2,
        tier="heavy",
        candidate_years=BOTH,
    ),
    Authority(
        "ZZC",
        "Spoonwick West and Ladleford Council",
        "Spoonwick West and Ladleford",
        "Z07000001",
        "NMD",
        "England",
        "South West",
        start_date="2019-04-01",
        end_date="2023-04-01",
        replaced_by=("ZZB",),
        county="ZZA",
        council_data_id=9411,
        alt_names=("Spoonwick West & Ladleford",),
    ),
    Authority(
        "ZZD",
        "Ladleford Vale Borough Council",
        "Ladleford Vale",
        "Z07000002",
        "NMD",
        "England",
        "",
        end_date="2019-03-31",
        replaced_by=("ZZC",),
        county="ZZA",
        council_data_id=9144,
    ),
    Authority(
        "ZZE",
        "Spoonwick West District Council",
        "Spoonwick West",
        "Z07000003",
        "NMD",
        "England",
        "",
        end_date="2019-03-31",
        replaced_by=("ZZC",),
        county="ZZA",
        council_data_id=9161,
    ),
    # One body, two successors; and a borough that went into only one of them.
    Authority(
        "ZZF",
        "Thimbleshire County Council",
        "Thimbleshire",
        "Z10000002",
        "CTY",
        "England",
        "North West",
        end_date="2023-04-01",
        replaced_by=("ZZG", "ZZH"),
        council_data_id=9003,
    ),
    Authority(
        "ZZG",
        "Bobbinland Council",
        "Bobbinland",
        "Z06000002",
        "UA",
        "England",
        "North West",
        start_date="2023-04-01",
        seats=54,
        candidate_years=BOTH,
        council_data_id=9412,
    ),
    Authority(
        "ZZH",
        "Thimble and Needlemoor Council",
        "Thimble and Needlemoor",
        "Z06000003",
        "UA",
        "England",
        "North West",
        start_date="2023-04-01",
        seats=60,
        seats_per_ward=2,
        tier="silent",
        candidate_years=BOTH,
        council_data_id=9413,
    ),
    Authority(
        "ZZI",
        "Pincushion Borough Council",
        "Pincushion",
        "Z07000004",
        "NMD",
        "England",
        "North West",
        end_date="2023-04-01",
        replaced_by=("ZZG",),
        county="ZZF",
        council_data_id=9034,
    ),
    # A county with districts: some people sit on both.
    Authority(
        "ZZJ",
        "Porridgeshire County Council",
        "Porridgeshire",
        "Z10000003",
        "CTY",
        "England",
        "East Midlands",
        seats=72,
        seats_per_ward=1,
        candidate_years=(2026,),
        council_data_id=9018,
    ),
    Authority(
        "ZZK",
        "Goldilock District Council",
        "Goldilock",
        "Z07000005",
        "NMD",
        "England",
        "East Midlands",
        county="ZZJ",
        former_gss=("Z07000095",),
        seats=42,
        tier="silent",
        candidate_years=BOTH,
        council_data_id=9110,
    ),
    Authority(
        "ZZL",
        "Three Bears Borough Council",
        "Three Bears",
        "Z07000006",
        "NMD",
        "England",
        "East Midlands",
        county="ZZJ",
        seats=39,
        tier="silent",
        candidate_years=(2022,),
        council_data_id=9111,
        cms="CMIS",
    ),
    Authority(
        "ZZM",
        "Teapot Metropolitan Borough Council",
        "Teapot",
        "Z08000001",
        "MD",
        "England",
        "Yorkshire and The Humber",
        start_date="1974-04-01",
        combined="ZZCA",
        alt_names=("teapot metropolitan borough", "teepot"),
        seats=78,
        tier="heavy",
        candidate_years=BOTH,
        council_data_id=9264,
    ),
    Authority(
        "ZZN",
        "Saucerby City Council",
        "Saucerby",
        "Z08000002",
        "MD",
        "England",
        "Yorkshire and The Humber",
        start_date="1974-04-01",
        combined="ZZCA",
        alt_names=("city of saucerby",),
        seats=84,
        tier="heavy",
        candidate_years=BOTH,
        council_data_id=9282,
    ),
    Authority(
        "ZZO",
        "London Borough of Wardrobe",
        "Wardrobe",
        "Z09000001",
        "LBO",
        "England",
        "London",
        combined="ZZQ",
        alt_names=("wardrobe london boro",),
        seats=63,
        tier="heavy",
        candidate_years=BOTH,
        council_data_id=9233,
    ),
    Authority(
        "ZZP",
        "Royal Borough of Cushion upon Sofa",
        "Cushion upon Sofa",
        "Z09000002",
        "LBO",
        "England",
        "London",
        combined="ZZQ",
        alt_names=("cushion-upon-sofa",),
        seats=51,
        candidate_years=BOTH,
        council_data_id=9246,
    ),
    # Not councils, yet in council lists.
    Authority(
        "ZZQ",
        "Greater Cupboard Authority",
        "Greater Cupboard",
        "Z61000001",
        "SRA",
        "England",
        "London",
        start_date="2005-06-22",
        cms="",
    ),
    Authority(
        "ZZCA",
        "Teapot and Saucer Combined Authority",
        "Teapot and Saucer",
        "Z47000001",
        "COMB",
        "England",
        "Yorkshire and The Humber",
        start_date="2014-04-01",
        cms="",
    ),
    # Commas inside a name, and an account shared with the body it replaced.
    Authority(
        "ZZR",
        "Buttonhurst, Zipwell and Toggle Council",
        "Buttonhurst, Zipwell and Toggle",
        "Z06000004",
        "UA",
        "England",
        "South East",
        start_date="2019-04-01",
        alt_names=("buttonhurst, zipwell & toggle", "BZT"),
        notes="code here and code elsewhere differ",
        seats=76,
        seats_per_ward=2,
        candidate_years=BOTH,
        council_data_id=9409,
    ),
    Authority(
        "ZZS",
        "Buttonhurst Borough Council",
        "Buttonhurst",
        "Z06000005",
        "UA",
        "England",
        "South East",
        start_date="1997-04-01",
        end_date="2019-03-31",
        replaced_by=("ZZR",),
        council_data_id=9331,
    ),
    Authority(
        "ZZT",
        "Mitten-on-Sea Borough Council",
        "Mitten-on-Sea",
        "Z06000006",
        "UA",
        "England",
        "East of England",
        start_date="1998-04-01",
        alt_names=("Mitten on Sea",),
        seats=45,
        candidate_years=BOTH,
        council_data_id=9378,
    ),
    Authority(
        "ZZU",
        "Lanternborough Council",
        "Lanternborough",
        "Z06000007",
        "UA",
        "England",
        "North East",
        start_date="2009-04-01",
        seats=60,
        council_data_id=9349,
        cms="Custom HTML",
    ),
    Authority(
        "ZZV",
        "Giant's Beanstalk Council",
        "Giant's Beanstalk",
        "Z06000008",
        "UA",
        "England",
        "West Midlands",
        start_date="1998-04-01",
        alt_names=("Giants Beanstalk",),
        seats=48,
        tier="silent",
        candidate_years=BOTH,
        council_data_id=9354,
    ),
    Authority(
        "ZZW",
        "Thistledown Islands Council",
        "Thistledown Islands",
        "Z12000001",
        "SCO",
        "Scotland",
        "Scotland",
        start_date="2005-06-18",
        former_gss=("Z12000091",),
        seats=66,
        seats_per_ward=3,
        tier="silent",
        candidate_years=(2022,),
        council_data_id=9297,
        cms="Custom HTML",
    ),
    Authority(
        "ZZX",
        "Haggisburgh City Council",
        "Haggisburgh City",
        "Z12000002",
        "SCO",
        "Scotland",
        "Scotland",
        start_date="2005-06-18",
        former_gss=("Z12000092", "Z12000093"),
        alt_names=("city of haggisburgh",),
        seats=80,
        seats_per_ward=4,
        tier="heavy",
        candidate_years=(2022,),
        council_data_id=9310,
    ),
    Authority(
        "ZZY",
        "Cawlfach County Borough Council",
        "Cawlfach",
        "Z06000101",
        "WPA",
        "Wales",
        "Wales",
        start_date="1996-04-01",
        # The register has such a name spoilt by a wrong encoding; it must not stop a run.
        alt_names=("Cyngor Cawl F\ufffdch",),
        seats=60,
        seats_per_ward=2,
        candidate_years=(2022,),
        council_data_id=9402,
    ),
    Authority(
        "ZZZ",
        "Soda Farl, Champ and Fadge District Council",
        "Soda Farl, Champ and Fadge",
        "Z09000901",
        "NID",
        "Northern Ireland",
        "Northern Ireland",
        start_date="2015-04-01",
        alt_names=("soda farl champ & fadge",),
        seats=40,
        seats_per_ward=5,
        tier="silent",
        council_data_id=9002,
        cms="Custom HTML",
    ),
    # A former district that no statistical code was ever kept for, and no successor named.
    Authority(
        "ZZNI",
        "Old Champ District Council",
        "Old Champ",
        "",
        "NID",
        "Northern Ireland",
        "Northern Ireland",
        end_date="2015-03-31",
        cms="",
    ),
)

BY_CODE: Final = {authority.code: authority for authority in AUTHORITIES}

# The authorities whose councillors the rosters list.
COUNCILS: Final = tuple(authority for authority in AUTHORITIES if authority.seats)

# Council data numbers a new body from the year its members were elected, a year before it legally exists.
SHADOW_COUNCIL_DATA_IDS: Final = {"ZZB": 9416}

# X names in the government's register of organisations, as written in November 2023 and in January 2025.
REGISTER_HANDLES: Final = {
    "ZZA": ("zzKettlemarshCC", "zzKettlemarshCC"),  # dissolved, keeps its name; ZZB has none
    "ZZF": ("zzThimbleshire", "zzThimbleshire"),  # dissolved, two successors
    "ZZG": ("zzBobbinland", "zzBobbinland"),
    "ZZI": ("zzPincushionBC", "zzPincushionBC"),  # dissolved, its successor ZZG has its own
    "ZZJ": ("zzPorridgeCC", "zzPorridgeshire"),  # renamed
    "ZZK": ("zzGoldilockDC", "zzGoldilock"),  # renamed
    "ZZO": ("zzWardrobeLBC", "zzWardrobe"),  # renamed
    "ZZP": ("zzCushionSofa", "zzRBCushion"),  # renamed
    "ZZL": ("zzThreeBears", ""),  # disappears
    "ZZM": ("@zzTeapotMBC", "zzTeapotMBC"),  # with an at sign
    "ZZN": ("https://twitter.com/zzSaucerbyCity", "zzSaucerbyCity"),  # as an address
    "ZZR": ("zzBZTCouncil", "zzBZTCouncil"),  # shared with ZZS, the body it replaced
    "ZZS": ("zzBZTCouncil", "zzBZTCouncil"),
    "ZZT": ("zzMittenOnSea", "zzMittenOnSea"),
    "ZZV": ("zzBeanstalk", "zzBeanstalk"),
    "ZZQ": ("zzCupboardGCA", "zzCupboardGCA"),
    "ZZCA": ("zzTeaSaucerCA", "zzTeaSaucerCA"),
}

# Codes that the register of organisations writes differently: only the statistical code joins these.
REGISTER_CODES: Final = {"ZZR": "ZZRT", "ZZH": "ZZHA"}


def _did(name: str) -> str:
    """Return a permanent Bluesky id in the right shape: 24 characters after the method."""
    return f"did:plc:{f'zz{name}'[:24]:2<24}"


def _channel(name: str) -> str:
    """Return a YouTube channel id in the right shape: UC and 22 characters."""
    return f"UC{f'zz{name}'[:22]:0<22}"


def _known_to_wikidata(
    code: str, platform: str, account: str, account_id: str, valid_from: str, states: Wiki = "with id"
) -> OfficialAccount:
    """Return an account that no curated list has, as busy as its authority's people."""
    tier = BY_CODE[code].tier
    return OfficialAccount(code, platform, account, account_id, valid_from, "", (), tier, states)


OFFICIAL_ACCOUNTS: Final = (
    OfficialAccount("ZZA", "facebook", "https://www.facebook.com/zzKettlemarshCC", "", "2011-05-09", "2023-03-31"),
    OfficialAccount("ZZB", "facebook", "https://www.facebook.com/zzKettlemarsh", "", "2023-04-01", tier="heavy"),
    OfficialAccount("ZZB", "bluesky", "kettlemarsh.example", _did("kettlemarsh"), "2024-01-15"),
    OfficialAccount("ZZG", "x", "zzBobbinland", "9000000000000000007", "2022-06-01", tier="heavy"),
    OfficialAccount("ZZG", "facebook", "https://www.facebook.com/zzBobbinland/", "", "2022-06-01"),
    OfficialAccount("ZZH", "facebook", "https://www.facebook.com/zzNeedlemoor", "", "2022-06-01", tier="silent"),
    OfficialAccount("ZZJ", "x", "https://x.com/zzPorridgeshire", "9000000000000000010", "2012-01-01"),
    # 2025 only: an account opened between the two files.
    OfficialAccount(
        "ZZJ",
        "linkedin",
        "https://www.linkedin.com/company/zz-porridgeshire/",
        "",
        "2024-09-01",
        listed_in=(2025,),
    ),
    OfficialAccount("ZZK", "x", "zzGoldilock", "9000000000000000011", "2013-01-01", tier="silent"),
    OfficialAccount("ZZL", "facebook", "https://www.facebook.com/zzThreeBears", "", "2014-01-01", tier="silent"),
    # Closed: open in the first file, ended in the second.
    OfficialAccount(
        "ZZM", "x", "zzTeapotMBC", "9000000000000000013", "2009-08-01", listed_in=(2024,), tier="heavy"
    ),
    OfficialAccount(
        "ZZM", "x", "zzTeapotMBC", "9000000000000000013", "2009-08-01", "2025-02-28", (2025,), "heavy"
    ),
    OfficialAccount("ZZM", "facebook", "https://www.facebook.com/zzTeapotMBC", "", "2010-01-01", tier="heavy"),
    OfficialAccount("ZZM", "instagram", "https://www.instagram.com/zzteapotmbc/", "", "2016-01-01", tier="heavy"),
    OfficialAccount(
        "ZZM", "mastodon", "@zzteapot@social.example", "social.example/109000000000000013", "2022-11-20"
    ),
    OfficialAccount(
        "ZZM",
        "youtube",
        "https://www.youtube.com/channel/" + _channel("Teapot"),
        _channel("Teapot"),
        "2011-02-01",
    ),
    OfficialAccount("ZZM", "tiktok", "https://www.tiktok.com/@zzteapotmbc", "", "2021-07-01"),
    # Renamed: two names, one permanent id.
    OfficialAccount(
        "ZZN", "bluesky", "saucerby.example", _did("saucerby"), "2023-11-01", listed_in=(2024,), tier="heavy"
    ),
    OfficialAccount(
        "ZZN", "bluesky", "saucerby.example", _did("saucerby"), "2023-11-01", "2025-01-14", (2025,), "heavy"
    ),
    OfficialAccount(
        "ZZN", "bluesky", "council.saucerby.example", _did("saucerby"), "2025-01-15", "", (2025,), "heavy"
    ),
    OfficialAccount("ZZN", "x", "@zzSaucerbyCity", "9000000000000000014", "2009-04-01", tier="heavy"),
    OfficialAccount("ZZN", "facebook", "https://www.facebook.com/zzSaucerbyCity", "", "2010-06-01", tier="heavy"),
    OfficialAccount("ZZN", "threads", "https://www.threads.net/@zzsaucerbycity", "", "2024-02-01"),
    OfficialAccount("ZZN", "youtube", "@zzSaucerbyCity", _channel("Saucerby"), "2012-05-01"),
    OfficialAccount("ZZO", "x", "zzWardrobe", "9000000000000000015", "2010-01-01", tier="heavy"),
    OfficialAccount("ZZO", "instagram", "zzwardrobe", "", "2015-05-01", tier="heavy"),
    OfficialAccount("ZZO", "linkedin", "https://www.linkedin.com/company/zz-wardrobe", "", "2018-01-01"),
    OfficialAccount("ZZP", "x", "zzRBCushion", "9000000000000000016", "2010-01-01"),
    OfficialAccount("ZZP", "facebook", "https://www.facebook.com/zzRBCushion", "", "2012-01-01"),
    OfficialAccount("ZZR", "x", "zzBZTCouncil", "9000000000000000018", "2019-04-01"),
    OfficialAccount(
        "ZZR",
        "facebook",
        "https://www.facebook.com/profile.php?id=900000000000018",
        "900000000000018",
        "2019-04-01",
    ),
    OfficialAccount("ZZT", "x", "zzMittenOnSea", "9000000000000000020", "2011-01-01"),
    OfficialAccount("ZZV", "x", "zzBeanstalk", "9000000000000000022", "2013-06-01", tier="silent"),
    OfficialAccount("ZZW", "facebook", "https://www.facebook.com/zzThistledown", "", "2013-06-01", tier="silent"),
    OfficialAccount("ZZX", "x", "zzHaggisburgh", "9000000000000000024", "2009-09-01", tier="heavy"),
    OfficialAccount(
        "ZZX",
        "mastodon",
        "https://social.example/@zzhaggisburgh",
        "social.example/109000000000000024",
        "2023-01-10",
    ),
    OfficialAccount(
        "ZZX", "bluesky", "https://bsky.app/profile/haggisburgh.example", _did("haggisburgh"), "2024-03-01"
    ),
    OfficialAccount("ZZY", "x", "zzCawlfach", "9000000000000000025", "2012-02-01"),
    OfficialAccount("ZZY", "facebook", "https://www.facebook.com/zzCawlfach", "", "2012-02-01"),
    OfficialAccount("ZZZ", "facebook", "https://www.facebook.com/zzSodaFarl", "", "2015-04-01", tier="silent"),
    # Only Wikidata knows these. A council with two languages has two accounts.
    _known_to_wikidata("ZZG", "bluesky", "bobbinland.example", _did("bobbinland"), "2024-02-20"),
    _known_to_wikidata("ZZH", "bluesky", "zzneedlemoor.bsky.social", _did("needlemoor"), "2024-03-04", "handle"),
    _known_to_wikidata("ZZJ", "bluesky", "porridgeshire.example", _did("porridgeshire"), "2023-12-01"),
    _known_to_wikidata("ZZK", "bluesky", "zzgoldilock.bsky.social", _did("goldilock"), "2024-11-18", "handle"),
    _known_to_wikidata("ZZM", "bluesky", "teapot.example", _did("teapot"), "2023-10-09"),
    _known_to_wikidata("ZZO", "bluesky", "wardrobe.example", _did("wardrobe"), "2023-09-01"),
    _known_to_wikidata(
        "ZZO", "mastodon", "@zzwardrobe@toot.example", "toot.example/109000000000000015", "2022-12-05", "handle"
    ),
    _known_to_wikidata("ZZP", "bluesky", "zzcushion.bsky.social", _did("cushion"), "2024-10-01", "handle"),
    _known_to_wikidata("ZZQ", "bluesky", "cupboard.example", _did("cupboard"), "2024-01-22"),
    _known_to_wikidata("ZZCA", "bluesky", "teasaucer.example", _did("teasaucer"), "2024-05-07", "handle"),
    _known_to_wikidata("ZZR", "bluesky", "bzt.example", _did("bzt"), "2024-02-06"),
    _known_to_wikidata("ZZT", "bluesky", "zzmitten.bsky.social", _did("mitten"), "2024-11-25", "handle"),
    _known_to_wikidata("ZZV", "bluesky", "zzbeanstalk.bsky.social", _did("beanstalk"), "2024-08-12", "handle"),
    _known_to_wikidata("ZZW", "bluesky", "thistledown.example", _did("thistledown"), "2024-04-15"),
    _known_to_wikidata(
        "ZZW",
        "mastodon",
        "@zzthistledown@mastodon.example",
        "mastodon.example/109000000000000023",
        "2022-11-28",
        "handle",
    ),
    _known_to_wikidata("ZZY", "bluesky", "cawlfach.example", _did("cawlfach"), "2024-02-27"),
    _known_to_wikidata("ZZY", "bluesky", "cy.cawlfach.example", _did("cawlfachcy"), "2024-02-27"),
    _known_to_wikidata(
        "ZZY", "mastodon", "@zzcawlfach@toot.example", "toot.example/109000000000000025", "2023-02-14", "handle"
    ),
    _known_to_wikidata("ZZZ", "bluesky", "sodafarl.example", _did("sodafarl"), "2024-06-17"),
    _known_to_wikidata(
        "ZZZ",
        "mastodon",
        "@zzsodafarl@mastodon.example",
        "mastodon.example/109000000000000026",
        "2023-05-02",
        "handle",
    ),
    # ZZU has no account anywhere: absence that was checked is not the same as never looked.
)

STATEMENTS: Final = (
    # Known from another source as well: one account, whose permanent id or first day only one of the two knows.
    Statement("ZZQ", "x", "zzCupboardGCA", "9000000000000000017", "2009-03"),
    Statement("ZZN", "x", "zzSaucerbyCity", "9000000000000000014", "2009"),
    Statement("ZZB", "facebook", "zz.Kettlemarsh"),  # the same page: full stops tell no two apart
    Statement("ZZM", "mastodon", "@zzteapot@social.example"),
    Statement("ZZX", "bluesky", "haggisburgh.example"),
    # Channel and handle are two statements, one account; elsewhere the curated list knows the channel's handle.
    Statement("ZZX", "youtube", _channel("Haggisburgh")),
    Statement("ZZX", "youtube", "zzHaggisburgh"),
    Statement("ZZN", "youtube", _channel("Saucerby")),
    # Two names of one account: the first ended at some time in 2010.
    Statement("ZZT", "x", "zzMittenBC", "9000000000000000020", "2009", "2010"),
    Statement("ZZT", "x", "zzMittenOnSea", "9000000000000000020", "2011"),
    # A name that the account has not borne for long, left without an end; a better source knows the present one.
    Statement("ZZK", "x", "zzGoldilocks", "9000000000000000011"),
    # The tourist office of the place, on the item of the area; and of a place whose council states nothing.
    Statement("ZZT", "x", "zzVisitMitten", is_of_area=True),
    Statement("ZZL", "instagram", "zzthreebears", is_of_area=True),
    # Stated twice, by the area and by its council, once without dates.
    Statement("ZZW", "instagram", "zzthistledown", "", "2017-05-01"),
    Statement("ZZW", "instagram", "zzthistledown", is_of_area=True),
    # And by its council itself, left open in one statement and ended in the other.
    Statement("ZZO", "facebook", "zzWardrobeLBC"),
    Statement("ZZO", "facebook", "zzWardrobeLBC", "", "2012-06", "2019-11"),
    # An item that bears the codes of both bodies of its name: what ended was the first one's.
    Statement("ZZA", "instagram", "zzkettlemarsh", "", "2014-02"),
    Statement("ZZB", "instagram", "zzkettlemarsh", "", "2014-02"),
    Statement("ZZA", "tiktok", "zzkettlemarshcc", "", "2019", "2022-06-30"),
    Statement("ZZB", "tiktok", "zzkettlemarshcc", "", "2019", "2022-06-30"),
    # A hoax that was taken back: as if it had never been.
    Statement("ZZG", "mastodon", "@zzbobbinhoax@social.example", answers=(2024,)),
    # A company without an address of its own, and an account that no platform could have.
    Statement("ZZY", "linkedin", "company/9000025"),
    Statement("ZZY", "x", "zzCawlfachCountyBorough"),
    # Bodies that the register does not know.
    Statement("Z06000099", "x", "zzNowhere"),
    Statement("Z06000099", "facebook", "zzNowhere"),
)
