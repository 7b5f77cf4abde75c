"""What the platforms themselves say of their accounts: alphabets, hosts, paths, addresses.

Here belong the tables and nothing that runs over them: a new platform or a changed rule is a row here. How a
cell is taken apart stands in `handles`.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, get_args

Platform = Literal["x", "facebook", "instagram", "bluesky", "mastodon", "youtube", "linkedin", "tiktok", "threads"]
PLATFORMS: Final[tuple[Platform, ...]] = get_args(Platform)

Fault = Literal[
    "empty_cell",  # the cell says nothing: no account is claimed
    "empty_profile",  # a platform's address without a name behind it
    "other_platform",  # usable: the address is another platform's, and `platform` says which
    "broken_host",  # usable: scheme or host is misspelt in a way that leaves one reading
    "not_a_profile",  # a post, group, search or share link; who stands behind it cannot be read off it
    "incomplete_handle",  # a Bluesky or Mastodon name without its host
    "several_accounts",  # more than one account in the cell
    "too_long",
    "bad_characters",
    "email_address",  # never repeated in the result
    "unknown_host",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class Alphabet(NamedTuple):
    """What a handle may look like once lower-cased."""

    pattern: re.Pattern[str]
    longest: int
    ascii_only: bool = True


_DOTTED = re.compile(r"[a-z0-9_](?:[a-z0-9._]*[a-z0-9_])?")
DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")

# No shortest length: platforms grant older accounts names that today's forms would refuse.
ALPHABETS: Final[dict[Platform, Alphabet]] = {
    # X API v2, /2/users/by: ^[A-Za-z0-9_]{1,15}$.
    "x": Alphabet(re.compile(r"[a-z0-9_]+"), 15),
    # Facebook help, "Usernames": letters, digits, full stops; full stops and case tell no two names apart, so
    # both are dropped. A bare number is an id.
    "facebook": Alphabet(re.compile(r"(?=[0-9]*[a-z])[a-z0-9]+"), 50),
    # Instagram help: letters, digits, full stops, underscores, 30; Threads uses the Instagram name.
    "instagram": Alphabet(_DOTTED, 30),
    "threads": Alphabet(_DOTTED, 30),
    # TikTok help: letters, digits, underscores, full stops, 24; no full stop at the end.
    "tiktok": Alphabet(_DOTTED, 24),
    # AT Protocol, "Handle": a domain name of at most 253 letters whose last label starts with a letter.
    "bluesky": Alphabet(DOMAIN, 253),
    # Mastodon, Account::USERNAME_RE; 30 letters on Mastodon itself, other fediverse servers allow more.
    "mastodon": Alphabet(re.compile(r"@[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?@" + DOMAIN.pattern), 64 + 2 + 253),
    # YouTube help, "Handles": letters and digits of any script, _ - . ·, 30. Older /c/ and /user/ names may
    # be longer; they are name spaces of their own in the API (forUsername is not forHandle).
    "youtube": Alphabet(re.compile(r"(?:(?:c|user)/)?(?:\w|(?<=\w)[-.·](?=[-.·\w]))+"), 100, False),
    # LinkedIn help, "public profile URL": letters, digits and hyphens, 100.
    "linkedin": Alphabet(
        re.compile(r"(?:(?:company|school|showcase)/)?(?:[^\W_]|-)+"), 100 + len("showcase/"), False
    ),
}
YOUTUBE_HANDLE_LONGEST: Final = 30

IDS: Final[dict[Platform, re.Pattern[str]]] = {
    "x": re.compile(r"[0-9]{1,20}"),
    "facebook": re.compile(r"[0-9]{1,20}"),
    # 24 letters; upper and lower case differ.
    "youtube": re.compile(r"UC[A-Za-z0-9_-]{22}"),
    # did-method-plc: 24 letters of base32; did:web: a domain name.
    "bluesky": re.compile(r"did:plc:[a-z2-7]{24}|did:web:" + DOMAIN.pattern),
}

HOSTS: Final[dict[str, Platform]] = {
    "x.com": "x",
    "twitter.com": "x",
    "facebook.com": "facebook",
    "fb.com": "facebook",
    "fb.me": "facebook",
    "m.me": "facebook",
    "instagram.com": "instagram",
    "instagr.am": "instagram",
    "bsky.app": "bluesky",
    "bsky.social": "bluesky",
    "youtube.com": "youtube",
    "linkedin.com": "linkedin",
    "tiktok.com": "tiktok",
    "threads.net": "threads",
    "threads.com": "threads",
}
# Short addresses that hide what they lead to.
SHORT_LINKS: Final[dict[str, Platform]] = {
    "t.co": "x",
    "pic.twitter.com": "x",
    "fb.watch": "facebook",
    "youtu.be": "youtube",
    "lnkd.in": "linkedin",
    "vm.tiktok.com": "tiktok",
    "vt.tiktok.com": "tiktok",
    "go.bsky.app": "bluesky",
}
# Mobile and language hosts show the same profiles: m., mobile., en-gb., uk.
SUBDOMAIN = re.compile(r"^(?:www|m|mobile|web|touch|mbasic|business|music|[a-vx-z][a-z](?:-[a-z]{2})?)\.")
GLUED_WWW = re.compile(r"^(?:https?|w{2,4}[.,]?)+(?=[a-z])")
# Long enough that one slip of the pen leaves one reading; x.com and fb.com are not.
REPAIRABLE: Final = tuple(host for host in HOSTS if len(host) >= len("tiktok.com"))

# Hosts of the fediverse cannot be listed. These look like one, so a bare `user@host` is no e-mail address.
FEDIVERSE_HOST = re.compile(r"(?:[a-z0-9-]+\.)*(?:mastodon|mstdn|toot|fosstodon)[a-z0-9-]*\..+|.+\.social")
NOT_FEDIVERSE: Final = _words("medium.com substack.com cash.app t.me linktr.ee patreon.com")
MAIL_HOSTS: Final = _words(
    "gmail.com googlemail.com hotmail.com hotmail.co.uk outlook.com live.com live.co.uk "
    "msn.com yahoo.com yahoo.co.uk ymail.com icloud.com me.com mac.com aol.com btinternet.com "
    "sky.com talktalk.net ntlworld.com virginmedia.com blueyonder.co.uk tiscali.co.uk "
    "protonmail.com proton.me"
)

# What a bare name means on each platform, written as the path the platform would use.
BARE_PREFIX: Final[dict[Platform, str]] = {
    "youtube": "@",
    "tiktok": "@",
    "threads": "@",
    "linkedin": "in/",
    "bluesky": "profile/",
}

# First words of paths that are the platform's own pages.
RESERVED: Final[dict[Platform, frozenset[str]]] = {
    "x": _words(
        "about compose explore hashtag home i intent jobs login logout messages notifications "
        "privacy search settings share signup tos who_to_follow"
    ),
    "facebook": _words(
        "ads business dialog e events gaming groups hashtag help home.php l.php login login.php "
        "marketplace media messages notes p pages people permalink.php photo photo.php photos pg "
        "plugins policies privacy profile.php reel reels search share share.php sharer sharer.php "
        "stories story.php video video.php videos watch"
    ),
    "instagram": _words("about accounts direct explore p reel reels s share stories tv web"),
    "threads": _words("login post search share t"),
    "tiktok": _words("about discover embed explore foryou live login music search t tag video"),
    "youtube": _words(
        "attribution_link c channel clip embed feed gaming hashtag live playlist post premium "
        "results shorts user v watch"
    ),
    # What the AppView shows for every handle that no longer resolves.
    "bluesky": _words("handle.invalid"),
    "linkedin": frozenset(),
    "mastodon": frozenset(),
}
NOTHING: Final = _words("- n/a na nan none null undefined")

_END = r"(?:[/?].*)?"
_NAME = r"[^/?]+"
_POST_OF = _NAME + r"/(?:{})/[^/?].*"

# Paths in the order they are tried. The groups `handle` and `id` are what was found; a fault says why none.
_PATH_RULES: Final[Mapping[Platform, tuple[tuple[str, Fault | None], ...]]] = {
    "x": (
        (r"i/user/(?P<id>[0-9]+)" + _END, None),
        (r"intent/(?:user|follow)/?\?(?:.*&)?screen_name=@?(?P<handle>[^&]+).*", None),
        (r"intent/(?:user|follow)/?\?(?:.*&)?user_id=(?P<id>[0-9]+).*", None),
        (_POST_OF.format("status|statuses|lists|moments|communities"), "not_a_profile"),
        (rf"(?:#!/)?@?(?P<handle>{_NAME})" + _END, None),
    ),
    "facebook": (
        (r"profile\.php/?\?(?:.*&)?id=(?P<id>[0-9]+)(?:&.*)?", None),
        (rf"(?:people|pages)/{_NAME}/(?P<id>[0-9]+)" + _END, None),
        (rf"pages/category/{_NAME}/[^/?]*-(?P<id>[0-9]{{5,}})" + _END, None),
        (r"p/(?:[^/?]*-)?(?P<id>[0-9]{5,})" + _END, None),
        (rf"pg/(?P<handle>{_NAME})" + _END, None),
        (_POST_OF.format("posts|videos|photos|events|reels?|notes"), "not_a_profile"),
        (r"(?P<id>[0-9]+)" + _END, None),
        # A page without a name of its own carries its title and its id.
        (r"[^/?]*-(?P<id>[0-9]{9,})" + _END, None),
        (rf"@?(?P<handle>{_NAME})" + _END, None),
    ),
    "instagram": (
        (_POST_OF.format("p|reel|tv"), "not_a_profile"),
        (rf"(?:_u/)?@?(?P<handle>{_NAME})" + _END, None),
    ),
    "threads": (
        (_POST_OF.format("post"), "not_a_profile"),
        (rf"@?(?P<handle>{_NAME})" + _END, None),
    ),
    "tiktok": (
        (_POST_OF.format("video|photo|live"), "not_a_profile"),
        (rf"@?(?P<handle>{_NAME})" + _END, None),
    ),
    "youtube": (
        (rf"channel/(?P<id>{_NAME})" + _END, None),
        (rf"@(?P<handle>{_NAME})" + _END, None),
        (rf"(?P<handle>(?:c|user)/{_NAME})" + _END, None),
        (rf"(?P<handle>{_NAME})" + _END, None),
    ),
    "linkedin": (
        (rf"(?:mwlite/)?in/(?P<handle>{_NAME})" + _END, None),
        (rf"(?P<handle>(?:company|school|showcase)/{_NAME})" + _END, None),
        (r"(?:in|company|school|showcase)/?(?:\?.*)?", "empty_profile"),
    ),
    "bluesky": (
        (r"profile/[^/?]+/(?:post|lists|feed|app\.bsky[^/?]*)/.*", "not_a_profile"),
        (r"profile/(?P<id>did:[^/?]+)" + _END, None),
        (rf"profile/@?(?P<handle>{_NAME})" + _END, None),
        (r"profile/?(?:\?.*)?", "empty_profile"),
    ),
    "mastodon": (
        (r"(?:web/)?@[^/?]+/[0-9]+" + _END, "not_a_profile"),
        (r"users/[^/?]+/statuses/.*", "not_a_profile"),
        (rf"(?:web/|deck/)?@(?P<handle>{_NAME})" + _END, None),
        (rf"users/(?P<handle>{_NAME})" + _END, None),
    ),
}
PATHS: Final[dict[Platform, tuple[tuple[re.Pattern[str], Fault | None], ...]]] = {
    platform: tuple((re.compile(pattern, re.IGNORECASE | re.DOTALL), fault) for pattern, fault in rows)
    for platform, rows in _PATH_RULES.items()
}

PROFILE_URLS: Final[dict[Platform, str]] = {
    "x": "https://x.com/{}",
    "facebook": "https://www.facebook.com/{}",
    "instagram": "https://www.instagram.com/{}/",
    "threads": "https://www.threads.com/@{}",
    "tiktok": "https://www.tiktok.com/@{}",
    "youtube": "https://www.youtube.com/@{}",
    "linkedin": "https://www.linkedin.com/in/{}/",
    "bluesky": "https://bsky.app/profile/{}",
}
ID_URLS: Final[dict[Platform, str]] = {
    "x": "https://x.com/i/user/{}",
    "facebook": "https://www.facebook.com/{}",
    "youtube": "https://www.youtube.com/channel/{}",
    "bluesky": "https://bsky.app/profile/{}",
}
SPACE_URLS: Final[dict[Platform, str]] = {
    "youtube": "https://www.youtube.com/{}",
    "linkedin": "https://www.linkedin.com/{}/",
}
