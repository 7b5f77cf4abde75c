"""Democracy Club's two exports, written of the fictional country: the legacy layout and the builder's.

Here belong columns, booleans, quoting, the ways addresses are written, and the faults seen in real files. Who
stood and which accounts are listed is in `candidates`.

Every personal column holds `CANARY-<column>-<row>`: none may get past ingestion.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from pipelines.sample.candidates import Candidacy, candidacies
from pipelines.sample.facts import Party
from pipelines.sample.people import PersonalAccount, fraction
from pipelines.sample.tables import csv_text, header_of

# 49 columns as in yournextrepresentative's CSV_ROW_FIELDS, and the four identifiers added in March 2024.
LEGACY_HEADER: Final = header_of(
    "id,name,election,ballot_paper_id,election_date,seats_contested,party_id,party_name,"
    "party_description_text,previous_party_affiliations,post_id,post_label,organisation_name,NUTS1,"
    "honorific_prefix,honorific_suffix,gender,birth_date,elected,email,twitter_username,mastodon_username,"
    "facebook_page_url,party_ppc_page_url,facebook_personal_url,homepage_url,wikipedia_url,mnis_id,"
    "linkedin_url,image_url,proxy_image_url_template,image_copyright,image_uploading_user,"
    "image_uploading_user_notes,twitter_user_id,election_current,party_lists_in_use,party_list_position,"
    "old_person_ids,gss_code,parlparse_id,theyworkforyou_url,party_ec_id,favourite_biscuits,cancelled_poll,"
    "wikidata_id,blog_url,instagram_url,youtube_profile,blue_sky_url,threads_url,tiktok_url,other_url"
)

BUILDER_HEADER: Final = header_of(
    "person_id,person_name,election_id,ballot_paper_id,election_date,election_current,party_name,party_id,"
    "post_label,cancelled_poll,seats_contested,by_election,by_election_reason,party_description_text,"
    "sopn_last_name,sopn_first_names,legacy_party_id,party_list_position,party_lists_in_use,gss,post_id,"
    "candidates_locked,nuts1,organisation_name,previous_party_affiliations,votes_cast,elected,"
    "tied_vote_winner,rank,turnout_reported,spoilt_ballots,total_electorate,turnout_percentage,"
    "results_source,email,facebook_page_url,facebook_personal_url,homepage_url,blog_url,linkedin_url,"
    "party_ppc_page_url,twitter_username,mastodon_username,wikipedia_url,wikidata_id,youtube_profile,"
    "instagram_url,blue_sky_url,threads_url,tiktok_url,other_url,mnis_id,twfy_id,gender,birth_date,"
    "favourite_biscuit,statement_to_voters,statement_last_updated,person_last_updated,image"
)

# What must never be read. E-mail addresses have a canary of their own shape.
LEGACY_PERSONAL: Final = header_of(
    "gender,birth_date,facebook_personal_url,homepage_url,image_url,proxy_image_url_template,image_copyright,"
    "image_uploading_user,image_uploading_user_notes,favourite_biscuits,blog_url,"
    "other_url,honorific_suffix"
)
BUILDER_PERSONAL: Final = header_of(
    "gender,birth_date,facebook_personal_url,homepage_url,image,favourite_biscuit,blog_url,"
    "other_url,statement_to_voters,statement_last_updated"
)

# The builder hands these out as JSON text, so that they arrive inside literal quotes.
JSON_COLUMNS: Final = frozenset(
    header_of(
        "nuts1,email,facebook_page_url,facebook_personal_url,homepage_url,blog_url,linkedin_url,"
        "party_ppc_page_url,twitter_username,mastodon_username,wikipedia_url,wikidata_id,youtube_profile,"
        "instagram_url,blue_sky_url,threads_url,tiktok_url,other_url"
    )
)

COLUMNS: Final = {
    "x": "twitter_username",
    "facebook": "facebook_page_url",
    "instagram": "instagram_url",
    "bluesky": "blue_sky_url",
    "linkedin": "linkedin_url",
    "tiktok": "tiktok_url",
    "threads": "threads_url",
    "youtube": "youtube_profile",
    "mastodon": "mastodon_username",
}

# The same account, written as different people paste it. The first way is by far the most frequent.
_WAYS: Final = {
    "x": ("{}", "@{}", "https://x.com/{}", "https://twitter.com/{}?lang=en"),
    "facebook": (
        "https://www.facebook.com/{}",
        "https://facebook.com/{}/",
        "http://m.facebook.com/{}?fbclid=IwAR0zz",
        "www.facebook.com/{}",
    ),
    "instagram": (
        "https://www.instagram.com/{}/",
        "https://instagram.com/{}",
        "https://www.instagram.com/{}?igsh=zz0zz0zz",
        "{}",
    ),
    "bluesky": (
        "https://bsky.app/profile/{}",
        "https://bsky.app/profile/{}/",
        "{}",
        "https://www.bsky.app/profile/{}?ref=zz",
    ),
    "linkedin": (
        "https://www.linkedin.com/in/{}/",
        "https://uk.linkedin.com/in/{}",
        "https://www.linkedin.com/in/{}?utm_source=zz",
        "linkedin.com/in/{}",
    ),
    "tiktok": (
        "https://www.tiktok.com/@{}",
        "https://tiktok.com/@{}?_t=zz&_r=1",
        "@{}",
        "https://www.tiktok.com/@{}/",
    ),
    "threads": (
        "https://www.threads.net/@{}",
        "https://www.threads.com/@{}",
        "@{}",
        "https://www.threads.net/@{}?xmt=zz",
    ),
    "youtube": (
        "https://www.youtube.com/@{}",
        "https://youtube.com/@{}/videos",
        "https://m.youtube.com/@{}",
        "@{}",
    ),
    "mastodon": ("https://{1}/@{0}", "https://{1}/@{0}/", "@{0}@{1}", "https://{1}/users/{0}"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A cell as some real file has it: `value` is what stands in `column`, before any quoting."""

    case: str
    column: str
    value: str


# Written over the candidates of Giant's Beanstalk, one each, in the order of the file.
FAULTY_COUNCIL: Final = "ZZV"
BUILDER_FAULTS: Final = (
    Fault("another platform's address", "instagram_url", "https://fb.com/zzfault.bobbin"),
    Fault("another platform's address, X in Facebook", "facebook_page_url", "https://x.com/zzfaultx"),
    Fault("bare handle in an address column", "facebook_page_url", "zzfault.saucer"),
    Fault("empty profile", "instagram_url", "https://instagram.com/"),
    Fault("broken host without a dot", "facebook_page_url", "https://wwwfacebook.com/zzfault.trivet"),
    Fault("broken scheme", "facebook_page_url", "http://http;//www.facebook.com/zzfault.doily"),
    Fault("misspelt host", "tiktok_url", "https://ticktok.com/@zzfaultnapkin"),
    Fault("Bluesky name as a host", "blue_sky_url", "https://zzfaultladle.bsky.social/"),
    Fault("Bluesky permanent id", "blue_sky_url", "https://bsky.app/profile/did:plc:zzfault22222222222222222"),
    Fault("profile number", "facebook_page_url", "https://www.facebook.com/profile.php?id=900000000000901"),
    Fault("people page", "facebook_page_url", "https://www.facebook.com/people/Zz-Fault/900000000000902/"),
    Fault("share link", "facebook_page_url", "https://www.facebook.com/share/zz1AbCdEfGh/?mibextid=zz"),
    Fault("group, not a profile", "facebook_page_url", "https://www.facebook.com/groups/zzfaultgroup/"),
    Fault("tracking query", "instagram_url", "https://www.instagram.com/zzfault_whisk?igsh=zz&utm_source=qr"),
    Fault("16-character X name", "twitter_username", "zzSixteenLetters"),
    Fault("e-mail in an address column", "linkedin_url", "canary.email.linkedin@example.invalid"),
    Fault("post instead of a profile", "instagram_url", "https://www.instagram.com/p/zzAbCdEf123/"),
    Fault("two accounts in one cell", "twitter_username", "zzfaultone, zzfaulttwo"),
    Fault("unknown host", "threads_url", "https://linktree.example/zzfault"),
    Fault("channel id", "youtube_profile", "https://www.youtube.com/channel/UCzzFault0000000000000AZ"),
    Fault("nothing in words", "facebook_page_url", "n/a"),
)
LEGACY_FAULTS: Final = (
    Fault("another platform's address", "instagram_url", "https://fb.com/zzfault.kettle"),
    Fault("bare handle in an address column", "instagram_url", "zzfault_crumpet"),
    Fault("empty profile", "facebook_page_url", "https://www.facebook.com/"),
    Fault("broken host without a dot", "facebook_page_url", "https://wwwfacebook.com/zzfault.sieve"),
    Fault("16-character X name", "twitter_username", "zzSixteenPillows"),
    Fault("e-mail in an address column", "linkedin_url", "canary.email.linkedin22@example.invalid"),
    Fault("profile number", "facebook_page_url", "https://www.facebook.com/profile.php?id=900000000000903"),
)

# One page of the party, given as their own by all of its candidates in one council.
PARTY_PAGE: Final = "https://www.facebook.com/zzPartyGoldilock"
_PARTY_PAGE_COUNCIL: Final = "ZZK"


def legacy_file() -> str:
    """Return the candidates of 2022 in the legacy layout."""
    rows = [_legacy_row(c, n) for n, c in enumerate(candidacies(2022))]
    _overlay(rows, candidacies(2022), LEGACY_FAULTS)
    return csv_text(LEGACY_HEADER, rows, "\r\n")


def builder_file() -> str:
    """Return the candidates of 2026 in the builder's layout."""
    rows = [_builder_row(c, n) for n, c in enumerate(candidacies(2026))]
    _overlay(rows, candidacies(2026), BUILDER_FAULTS)
    return csv_text(BUILDER_HEADER, (_as_json(row) for row in rows), "\r\n")


def _legacy_row(candidacy: Candidacy, number: int) -> dict[str, str]:
    """Return one row of the legacy layout; booleans are True and False, nothing is quoted."""
    x_ids = [a.account_id for a in candidacy.accounts if a.platform == "x"]
    return {
        "id": str(candidacy.person_id),
        "name": candidacy.name,
        "election": candidacy.election_id,
        "ballot_paper_id": candidacy.ballot_paper_id,
        "election_date": candidacy.date,
        "seats_contested": _seats(candidacy),
        "party_id": candidacy.party.legacy_code,
        "party_name": _party_name(candidacy.party),
        "post_id": _post_id(candidacy),
        "post_label": _label(candidacy),
        "organisation_name": candidacy.authority.official_name,
        "NUTS1": candidacy.authority.region,
        "honorific_prefix": "Cllr" if candidacy.councillor and number % 5 == 0 else "",
        "elected": str(candidacy.elected),
        "election_current": "False",
        "party_lists_in_use": "False",
        "old_person_ids": ";".join(map(str, candidacy.merged_ids)),
        "gss_code": _ward_gss(candidacy),
        "party_ec_id": candidacy.party.code,
        "cancelled_poll": "False",
        "twitter_user_id": x_ids[0] if x_ids else "",
        "email": f"canary.email.{number}@example.invalid",
        **_canaries(LEGACY_PERSONAL, number),
        **_account_cells(candidacy),
    }


def _builder_row(candidacy: Candidacy, number: int) -> dict[str, str]:
    """Return one row of the builder's layout; booleans are t and f, identifiers not yet JSON."""
    *given, surname = candidacy.name.split()
    canaries = _canaries(BUILDER_PERSONAL, number)
    # A statement runs over several lines: who counts lines instead of rows counts too many.
    canaries["statement_to_voters"] += '\n\nsecond paragraph, with a comma and "quotes"' if number % 3 == 0 else ""
    return {
        "person_id": str(candidacy.person_id),
        "person_name": candidacy.name,
        "election_id": candidacy.election_id,
        "ballot_paper_id": candidacy.ballot_paper_id,
        "election_date": candidacy.date,
        "election_current": "t",
        "party_name": _party_name(candidacy.party),
        "party_id": candidacy.party.code or candidacy.party.legacy_code,
        "post_label": _label(candidacy),
        "cancelled_poll": "f",
        "seats_contested": _seats(candidacy),
        "by_election": "t" if ".by." in candidacy.ballot_paper_id else "f",
        "by_election_reason": "RESIGNATION" if ".by." in candidacy.ballot_paper_id else "",
        "sopn_last_name": surname.upper(),
        "sopn_first_names": " ".join(given),
        "legacy_party_id": candidacy.party.legacy_code,
        "party_lists_in_use": "f",
        "gss": _ward_gss(candidacy),
        "post_id": _post_id(candidacy),
        "candidates_locked": "t",
        "nuts1": candidacy.authority.region,
        "organisation_name": candidacy.authority.official_name,
        "person_last_updated": f"2026-04-{1 + number % 28:02}T09:47:06.{number:06}+00".replace("T", " "),
        "email": f"canary.email.{number}@example.invalid",
        **canaries,
        **_account_cells(candidacy),
    }


def _as_json(row: dict[str, str]) -> dict[str, str]:
    """Return a builder's row with its identifiers as JSON text; blank stays blank."""
    return {
        column: json.dumps(value, ensure_ascii=False) if value and column in JSON_COLUMNS else value
        for column, value in row.items()
    }


def _canaries(columns: tuple[str, ...], number: int) -> dict[str, str]:
    """Return a canary for each personal column."""
    return {column: f"CANARY-{column}-{number}" for column in columns}


def _account_cells(candidacy: Candidacy) -> dict[str, str]:
    """Return the account columns of a row, each account in one of the ways people paste it."""
    cells = {COLUMNS[a.platform]: _written(a, candidacy.year) for a in candidacy.accounts}
    if candidacy.authority.code == _PARTY_PAGE_COUNCIL and candidacy.party.code == "PP90001":
        cells["facebook_page_url"] = PARTY_PAGE
    return cells


def _written(account: PersonalAccount, year: int) -> str:
    """Return an account as one file has it: three times in four in the usual way."""
    ways = _WAYS[account.platform]
    drawn = fraction("way", year, account.platform, account.person)
    way = ways[0] if drawn < 0.75 else ways[1 + int((drawn - 0.75) * 12)]
    user, _, host = account.handle.removeprefix("@").partition("@")
    return way.format(user, host)


def _overlay(rows: list[dict[str, str]], of: tuple[Candidacy, ...], faults: tuple[Fault, ...]) -> None:
    """Write each fault over one candidate of the faulty council, in the order of the file."""
    chosen = (row for row, c in zip(rows, of, strict=True) if c.authority.code == FAULTY_COUNCIL)
    for row, fault in zip(chosen, faults, strict=False):
        row[fault.column] = fault.value


def _party_name(party: Party) -> str:
    """Return a party as this source names it: its independents are not the rosters' independents."""
    return party.name if party.code else "Independent"


def _seats(candidacy: Candidacy) -> str:
    """Return how many are elected on a ballot."""
    if candidacy.election != "local" or ".by." in candidacy.ballot_paper_id:
        return "1"
    return str(candidacy.authority.seats_per_ward)


def _label(candidacy: Candidacy) -> str:
    """Return the ward as this source spells it: `and` for `&`, no full stop after `St`."""
    return candidacy.ward.replace("&", "and").replace("St. ", "St ")


def _post_id(candidacy: Candidacy) -> str:
    """Return the post's identifier: the authority's code for a mayor, a statistical code for a ward."""
    return candidacy.authority.code if candidacy.election == "mayor" else f"gss:{_ward_gss(candidacy)}"


def _ward_gss(candidacy: Candidacy) -> str:
    """Return an invented ward code; mayors and constituencies have none here."""
    if candidacy.election == "mayor":
        return ""
    number = int(fraction("ward", candidacy.authority.code, candidacy.ward) * 1_000_000)
    return f"Z05{number:06}"
