"""Accounts as the platforms know them: from a cell of a source to platform, handle and permanent id.

Here belongs what a cell can say by itself. Whether the account exists, who owns it and when it was renamed do
not: only the platform can answer that. The platforms' rules stand in `platforms`.

Source quirks were seen in Democracy Club exports of 2026.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from pipelines.identity.platforms import (
    ALPHABETS,
    BARE_PREFIX,
    DOMAIN,
    FEDIVERSE_HOST,
    GLUED_WWW,
    HOSTS,
    ID_URLS,
    IDS,
    MAIL_HOSTS,
    NOT_FEDIVERSE,
    NOTHING,
    PATHS,
    PLATFORMS,
    PROFILE_URLS,
    REPAIRABLE,
    RESERVED,
    SHORT_LINKS,
    SPACE_URLS,
    SUBDOMAIN,
    YOUTUBE_HANDLE_LONGEST,
    Alphabet,
    Fault,
    Platform,
)
from pipelines.identity.spelling import within_one_edit


@dataclass(frozen=True, slots=True)
class Account:
    """One account: `handle` or `account_id` is set when it can be used, neither when it cannot.

    `handle` is lower case without a leading @, except Mastodon's `@user@host`, where the @ tells it from an
    e-mail address, and the name spaces `c/` and `user/` of YouTube, `company/`, `school/` and `showcase/` of
    LinkedIn. `account_id` is the platform's permanent id, in its own case. `fault` says what was wrong.
    """

    platform: Platform
    handle: str | None
    account_id: str | None
    fault: Fault | None


_PLATFORM_NAMES: Final[dict[str, Platform]] = {platform: platform for platform in PLATFORMS}
_PROPER_SCHEME = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_ANY_SCHEME = re.compile(r"^(?:.*/)?https?(?:[:;]+/*|/{2,})", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s<>()\[\],;:/\\\"'?&=#|]+")
_ADDRESS = re.compile(r"(?P<at>@?)[^@]+@(?P<host>[^@]+\.[^@]+)")
_FEDIVERSE_ADDRESS = re.compile(r"@[^@/?\s]+@([^@/?\s]+\.[^@/?\s]+)/?")


class _Place(NamedTuple):
    """Where a cell points: the platform, its path with query, and the host where that is part of the name."""

    platform: Platform
    path: str
    host: str = ""
    fault: Fault | None = None


class _Found(NamedTuple):
    """What a path yields: a handle or an id, or why there is neither."""

    handle: str | None = None
    account_id: str | None = None
    fault: Fault | None = None


@lru_cache(maxsize=65_536)
def normalise_account(platform: str, text: str) -> Account:
    """Read one cell of a source as an account of `platform`.

    `text` is a bare handle, @handle, permanent id or address, possibly inside JSON quotes. The result's
    platform differs from `platform` only where the address names another one. Of two faults the one that
    makes the account unusable is told, then `other_platform`, then `broken_host`. Normalising the handle
    or `profile_url` again gives the same platform, handle and id. No text raises; an unknown platform
    raises ValueError.
    """
    asked = _PLATFORM_NAMES.get(platform)
    if asked is None:
        raise ValueError(f"platform {platform!r} is none of {', '.join(PLATFORMS)}")
    cell = _unwrap(text)
    refusal = _refuse_cell(asked, cell)
    if refusal is not None:
        return Account(asked, None, None, refusal)
    place = _locate(asked, cell)
    found = _read(place)
    if found.fault is not None:
        return Account(place.platform, None, None, found.fault)
    fault: Fault | None = "other_platform" if place.platform != asked else place.fault
    return Account(place.platform, found.handle, found.account_id, fault)


def profile_url(account: Account) -> str | None:
    """The canonical address of an account, by permanent id where there is one; None if it cannot be used."""
    if account.account_id is not None and account.platform in ID_URLS:
        return ID_URLS[account.platform].format(quote(account.account_id, safe=":"))
    handle = account.handle
    if handle is None:
        return None
    if account.platform == "mastodon":
        user, _, host = handle.removeprefix("@").partition("@")
        return f"https://{host}/@{user}"
    urls = SPACE_URLS if "/" in handle else PROFILE_URLS
    return urls[account.platform].format(quote(handle, safe="/"))


def _unwrap(text: str) -> str:
    """The cell without JSON quotes, invisible characters and stray punctuation around it."""
    cell = text.strip()
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        try:
            cell = str(json.loads(cell))
        except ValueError:
            cell = cell[1:-1]
    # Handles copied from apps carry invisible direction marks (category Cf).
    visible = "".join(c for c in cell if c.isspace() or not unicodedata.category(c).startswith("C"))
    return visible.strip("\"'“”‘’<>,; \t\r\n\f\v\u00a0").rstrip(".")


def _refuse_cell(platform: Platform, cell: str) -> Fault | None:
    """Why a cell is refused before looking at hosts, or None."""
    if not cell or cell.casefold() in NOTHING:
        return "empty_cell"
    if _holds_email(platform, cell):
        return "email_address"
    words = cell.split()
    if len(words) > 1:
        several = sum(word.startswith("@") or "/" in word for word in words) > 1
        return "several_accounts" if several else "bad_characters"
    return None


def _holds_email(platform: Platform, cell: str) -> bool:
    """Whether any part of the cell outside an address's query is an e-mail address."""
    is_url = bool(_PROPER_SCHEME.match(cell)) or _starts_with_host(cell)
    head = unquote(re.split(r"[?#]", cell)[0] if is_url else cell)
    parts = _BETWEEN.split(head) if is_url else [*head.split(), *_BETWEEN.split(head)]
    return any(_is_email(platform, part) for part in parts)


def _is_email(platform: Platform, part: str) -> bool:
    """Whether `part` is an e-mail address and not a fediverse address, which starts with @."""
    address = _ADDRESS.fullmatch(part)
    if address is None or address["host"].lower() in MAIL_HOSTS:
        return address is not None
    is_fediverse = platform == "mastodon" and FEDIVERSE_HOST.fullmatch(address["host"].lower())
    return not (address["at"] or is_fediverse)


def _locate(platform: Platform, cell: str) -> _Place:
    """Split a cell into platform, path and host; a bare name becomes the path the platform would use."""
    if cell.startswith("at://"):
        return _Place("bluesky", "profile/" + cell.removeprefix("at://"))
    if platform == "mastodon" and not cell.startswith("@") and _ADDRESS.fullmatch(cell):
        cell = "@" + cell
    address = _FEDIVERSE_ADDRESS.fullmatch(cell)
    if address:
        return _locate_url("mastodon", address[1], cell.rsplit("@", 1)[0], None)
    head, mark, tail = _split_query(cell)
    scheme = _ANY_SCHEME.match(head)
    if scheme is None and not head.startswith("//") and not _starts_with_host(head):
        return _locate_bare(platform, head + mark + tail)
    rest = head[scheme.end() :] if scheme else head
    host, _, path = rest.lstrip("/").partition("/")
    broken = scheme is not None and not _PROPER_SCHEME.fullmatch(scheme[0])
    return _locate_url(platform, host, unquote(path) + mark + tail, "broken_host" if broken else None)


def _split_query(cell: str) -> tuple[str, str, str]:
    """Head, "?" and query of a cell; fragments are dropped, but twitter.com/#!/name is a path."""
    cell = cell.replace("/#!/", "/").partition("#")[0]
    return cell.partition("?")


def _starts_with_host(head: str) -> bool:
    """Whether a cell without scheme starts with a host, and not with a handle that contains full stops."""
    first, slash, _ = head.partition("/")
    host = first.lower()
    if slash and "." in host and not host.startswith("@"):
        return True
    return host.startswith("www.") or _platform_of(host) is not None


def _locate_bare(platform: Platform, path: str) -> _Place:
    path = unquote(path).rstrip("/")
    if "/" not in path:
        is_id = platform == "youtube" and IDS["youtube"].fullmatch(path)
        path = "channel/" + path if is_id else BARE_PREFIX.get(platform, "") + _bare_name(platform, path)
    return _Place(platform, path)


def _bare_name(platform: Platform, path: str) -> str:
    return path.removeprefix("@") if platform in BARE_PREFIX else path


def _locate_url(platform: Platform, host: str, path: str, fault: Fault | None) -> _Place:
    """The place an address points to, with its host repaired where only one reading is left."""
    host = re.sub(r":[0-9]*$", "", host.lower()).rstrip(".")
    path = path.lstrip("/")
    if host in SHORT_LINKS:
        return _Place(SHORT_LINKS[host], "", fault="not_a_profile")
    known = _platform_of(host)
    repaired = host if known else _repair_host(host)
    if repaired is None:
        return _locate_fediverse(platform, host, path, fault)
    if host != repaired:
        fault = "broken_host"
    if repaired.endswith(".bsky.social") and not repaired.startswith("www."):
        path = "profile/" + repaired
    return _Place(known or HOSTS[repaired], path, repaired, fault)


@lru_cache(maxsize=4_096)
def _platform_of(host: str) -> Platform | None:
    """The platform whose profiles a host shows; None for other hosts and for a platform's other services."""
    if host.endswith(".bsky.social"):
        return "bluesky"
    return HOSTS.get(host) or HOSTS.get(SUBDOMAIN.sub("", host))


@lru_cache(maxsize=4_096)
def _repair_host(host: str) -> str | None:
    """The one known host that a misspelt one can mean: wwwfacebook.com, ticktok.com, facebook.con."""
    bare = GLUED_WWW.sub("", host)
    if bare in HOSTS:
        return bare
    bare = SUBDOMAIN.sub("", bare)
    near = {HOSTS[known]: known for known in REPAIRABLE if within_one_edit(bare, known)}
    return next(iter(near.values())) if len(near) == 1 else None


def _locate_fediverse(platform: Platform, host: str, path: str, fault: Fault | None) -> _Place:
    """A profile on a host of its own: Mastodon if the column or the host says so."""
    if host in MAIL_HOSTS:
        return _Place(platform, "", fault="email_address")
    expected = platform == "mastodon" or (FEDIVERSE_HOST.fullmatch(host) and path.startswith("@"))
    if not expected or host in NOT_FEDIVERSE or not DOMAIN.fullmatch(host):
        return _Place(platform, "", fault="unknown_host")
    return _Place("mastodon", path, host, fault)


def _read(place: _Place) -> _Found:
    """The handle or id in a path, or why there is none."""
    if place.fault not in (None, "broken_host"):
        return _Found(fault=place.fault)
    if not place.path.split("?")[0].strip("/"):
        return _Found(fault="empty_profile")
    for pattern, fault in PATHS[place.platform]:
        match = pattern.fullmatch(place.path)
        if match is None:
            continue
        groups = match.groupdict()
        if groups.get("id"):
            return _check_id(place.platform, groups["id"])
        return _Found(fault=fault) if fault else _check_handle(place, groups["handle"])
    return _Found(fault="not_a_profile")


def _check_id(platform: Platform, account_id: str) -> _Found:
    known = IDS[platform].fullmatch(account_id)
    return _Found(account_id=account_id) if known else _Found(fault="bad_characters")


def _check_handle(place: _Place, raw: str) -> _Found:
    """The handle in the platform's own spelling, or the rule it breaks."""
    platform = place.platform
    rule = ALPHABETS[platform]
    if rule.ascii_only and not raw.isascii():
        return _Found(fault="bad_characters")
    if raw.lower() in RESERVED[platform]:
        return _Found(fault="not_a_profile")
    handle = _spell(place, raw)
    if handle is None:
        return _Found(fault="incomplete_handle")
    return _Found(fault=fault) if (fault := _handle_fault(platform, handle, rule)) else _Found(handle=handle)


def _spell(place: _Place, raw: str) -> str | None:
    """Lower case and the platform's own equalities; None if a needed host is missing."""
    handle = raw.strip(". ")
    handle = unicodedata.normalize("NFC", unicodedata.normalize("NFC", handle).lower())
    if place.platform == "facebook":
        return handle.replace(".", "")
    if place.platform == "bluesky":
        return handle if "." in handle else None
    if place.platform == "mastodon":
        host = place.host if "@" not in handle else ""
        return f"@{handle}@{host}" if host else f"@{handle}" if "@" in handle else None
    return handle


def _handle_fault(platform: Platform, handle: str, rule: Alphabet) -> Fault | None:
    """The rule a spelt handle breaks, or None."""
    if handle in NOTHING or not handle:
        return "empty_profile"
    if not rule.pattern.fullmatch(handle):
        return "bad_characters"
    longest = YOUTUBE_HANDLE_LONGEST if platform == "youtube" and "/" not in handle else rule.longest
    if len(handle) > longest:
        return "too_long"
    if handle in RESERVED[platform] or _reads_as_host(platform, handle.split("/")[-1]):
        return "not_a_profile"
    return _mastodon_fault(handle) if platform == "mastodon" else None


def _reads_as_host(platform: Platform, handle: str) -> bool:
    """Whether a handle would be taken for an address: nobody could tell it from one in a source."""
    is_name = platform == "bluesky" and handle.endswith(".bsky.social") and not handle.startswith("www.")
    return _starts_with_host(handle) and not is_name


def _mastodon_fault(handle: str) -> Fault | None:
    """A remote account seen on another host (`host/@user@other`) must itself be one of the fediverse."""
    host = handle.rsplit("@", 1)[1]
    if host in MAIL_HOSTS:
        return "email_address"
    elsewhere = host in NOT_FEDIVERSE or host in SHORT_LINKS or _platform_of(host) or _repair_host(host)
    return "not_a_profile" if elsewhere else None
