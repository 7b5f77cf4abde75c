"""Posts of the fictional country: who wrote what and when, who replied, and how engagement grows.

Here belong posts as facts, on both platforms alike. Who the accounts are is in `network_accounts`; how a
platform shows a post is in the `…_answers` modules.

The facts tell the story that the research tells: councils post in office hours, councillors in the evening and
at weekends; there is little middle ground between those who post every day and those who hardly ever do.
"""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from statistics import NormalDist
from typing import Final, Literal

from pipelines.sample.facts import Tier
from pipelines.sample.network_accounts import (
    CANARY,
    END,
    START,
    Account,
    Platform,
    followers_at,
    host_troubles,
    listed_accounts,
    strangers,
    taken_down_stranger,
)
from pipelines.sample.people import fraction

Kind = Literal["post", "reply", "quote", "repost"]

# Until this moment British clocks are an hour ahead of UTC; then one hour comes twice.
CLOCKS_BACK: Final = dt.datetime(2026, 10, 25, 1, tzinfo=dt.UTC)
_HOUR: Final = dt.timedelta(hours=1)
_WEEKS: Final = 12


@dataclass(frozen=True, slots=True, eq=False)
class Post:
    """Something that an account posted; two are the same only if they are one object.

    `number` stands in its canary and belongs to it alone. `claimed_at` is what the author's program says,
    `seen_at` when the platform took it in. `likes`, `reposts` and `quotes` by strangers are what it ends with;
    `slowness` is the time in which about two thirds of them come. `parent` is what it replies to, `subject`
    what it quotes or reposts. `text` holds link, hashtag and mention where there are any; a link may stand
    beside the text instead. `counts_missing`: the platform leaves two of the counts out. `is_walled`: its author
    blocked the author of the conversation.
    """

    number: int
    author: Account
    kind: Kind
    claimed_at: dt.datetime
    seen_at: dt.datetime
    text: str = ""
    language: str | None = None
    link: str | None = None
    link_in_text: bool = True
    hashtag: str | None = None
    mention: Account | None = None
    deleted_at: dt.datetime | None = None
    likes: int = 0
    reposts: int = 0
    quotes: int = 0
    slowness: dt.timedelta = _HOUR
    parent: Post | None = None
    subject: Post | None = None
    counts_missing: bool = False
    is_walled: bool = False

    @property
    def sort_at(self) -> dt.datetime:
        """The time by which the platform orders it: the claim, but never after its own time."""
        return min(self.claimed_at, self.seen_at)

    @property
    def root(self) -> Post:
        """The post that the conversation began with."""
        post = self
        while post.parent is not None:
            post = post.parent
        return post

    def exists(self, now: dt.datetime) -> bool:
        """Whether the platform holds it at a moment, whatever became of its author."""
        return self.seen_at <= now and (self.deleted_at is None or now < self.deleted_at)

    def is_shown(self, now: dt.datetime) -> bool:
        """Whether anybody who asks sees it at a moment; a repost falls with what it reposts."""
        if not self.exists(now) or not self.author.is_shown(now):
            return False
        return self.kind != "repost" or self.subject is None or self.subject.is_shown(now)


@dataclass(frozen=True, slots=True)
class Counts:
    """Engagement with a post at a moment; None where the platform leaves a count out."""

    likes: int | None
    reposts: int | None
    replies: int | None
    quotes: int | None


def grown(final: int, age: dt.timedelta, slowness: dt.timedelta) -> int:
    """Return how much of a final count has come at an age: final × (1 − exp(−age / slowness)), rounded."""
    return round(final * -math.expm1(-(age / slowness))) if age > dt.timedelta(0) else 0


def knows_quotes(account: Account) -> bool:
    """Whether an account's host knows quoting, and so lets people quote: an old version does not."""
    return host_troubles().get(account.host) != "old_version"


@dataclass(frozen=True, slots=True)
class Conversations:
    """All posts, and what others made of each: moments of replies, reposts and quotes, oldest first."""

    by_author: dict[Account, tuple[Post, ...]]
    replies: dict[Post, tuple[Post, ...]]
    replied_at: dict[Post, list[dt.datetime]]
    reposted_at: dict[Post, list[dt.datetime]]
    quoted_at: dict[Post, list[dt.datetime]]

    def counts(self, post: Post, now: dt.datetime) -> Counts:
        """Return the engagement with a post at a moment; no count is ever smaller later."""
        age = now - post.seen_at
        likes = grown(post.likes, age, post.slowness)
        quotes = grown(post.quotes, age, post.slowness) + _until(now, self.quoted_at.get(post))
        return Counts(
            None if post.counts_missing else likes,
            grown(post.reposts, age, post.slowness) + _until(now, self.reposted_at.get(post)),
            _until(now, self.replied_at.get(post)),
            None if post.counts_missing or not knows_quotes(post.author) else quotes,
        )


def _until(now: dt.datetime, moments: list[dt.datetime] | None) -> int:
    """Return how many of the moments are past."""
    return bisect_right(moments, now) if moments else 0


# --- when -----------------------------------------------------------------------------------------------------


def _office_weight(hour: int) -> float:
    """Return how often an officer posts in an hour of the week; hour 0 is Monday from midnight to one."""
    day, of_day = divmod(hour, 24)
    if day < 5 and 9 <= of_day < 17:
        return 10
    if 7 <= of_day < 21:
        return 1.6 if day < 5 else 0.8
    return 0.05


def _evening_weight(hour: int) -> float:
    """Return how often a councillor posts in an hour of the week."""
    day, of_day = divmod(hour, 24)
    if of_day < 6:
        return 0.3
    if day >= 5 or 17 <= of_day < 23:
        return 5
    return 1.4


_OFFICE: Final = tuple(accumulate(_office_weight(h) for h in range(168)))
_EVENING: Final = tuple(accumulate(_evening_weight(h) for h in range(168)))
_ALL_WEEKS: Final = tuple(range(_WEEKS))
# Weeks that lie within one month each, for accounts that post once a month.
_MONTHS: Final = ((1, 2, 3), (5, 6, 7), (9, 10, 11))


def _moment(hours: Sequence[float], weeks: Sequence[int], *labels: object) -> dt.datetime:
    """Return a moment in some of the weeks, at an hour of the week in local time that the owner likes."""
    week = weeks[int(fraction("week", *labels) * len(weeks))]
    hour = bisect_right(hours, fraction("hour", *labels) * hours[-1])
    within = int(fraction("within", *labels) * 3_600_000)
    local = START.replace(tzinfo=None) + dt.timedelta(weeks=week, hours=hour, milliseconds=within)
    return _from_local(local, second_time=fraction("fold", *labels) < 0.5)


def _from_local(local: dt.datetime, *, second_time: bool = False) -> dt.datetime:
    """Return a British local time in UTC; `second_time` says which of the two where clocks went back between."""
    moment = local.replace(tzinfo=dt.UTC)
    if moment < CLOCKS_BACK or (moment < CLOCKS_BACK + _HOUR and not second_time):
        return moment - _HOUR
    return moment


def _next_office_hour(moment: dt.datetime) -> dt.datetime:
    """Return a moment, or the next working day's morning where it is outside Mon–Fri 09–17 local time."""
    local = moment.replace(tzinfo=None) + (_HOUR if moment < CLOCKS_BACK else dt.timedelta(0))
    if local.hour >= 17:
        local = local.replace(hour=9) + dt.timedelta(days=1)
    elif local.hour < 9:
        local = local.replace(hour=9)
    while local.weekday() >= 5:
        local = local.replace(hour=9) + dt.timedelta(days=1)
    return _from_local(local)


# --- how many -------------------------------------------------------------------------------------------------

# Where two people post nearly all that a council's councillors post.
DOMINATED_COUNCIL: Final = "ZZO"
_DOMINANT, _OTHERS_THERE = 2, 10
# How many councillors of a council post every day on a platform, by how far its people took to social media.
_BUSY: Final[dict[Platform, dict[Tier, int]]] = {
    "bluesky": {"silent": 0, "middling": 1, "heavy": 3},
    "mastodon": {"silent": 0, "middling": 0, "heavy": 1},
}
_OFFICIAL_POSTS: Final[dict[Tier, tuple[int, int]]] = {"silent": (0, 2), "middling": (24, 38), "heavy": (80, 105)}

Pace = Literal["none", "seldom", "monthly", "steady", "daily", "dominant"]


@cache
def paces() -> dict[Account, Pace]:
    """Return how often each councillor's account posts.

    An account that is `heavy` is so on its owner's first platform; here only a few of each council post every
    day, and the others keep a foot in the door (in councils that took to it) or left.
    """
    by_council: dict[tuple[Platform, str], list[Account]] = defaultdict(list)
    for account in listed_accounts():
        if account.owner == "councillor":
            by_council[account.platform, account.authority_codes[0]].append(account)
    return {
        account: pace
        for (platform, code), accounts in by_council.items()
        for account, pace in _paces_of(platform, code, accounts)
    }


def _paces_of(platform: Platform, code: str, accounts: list[Account]) -> Iterator[tuple[Account, Pace]]:
    """Yield the paces of a council's councillors on one platform."""
    ranked = sorted(accounts, key=lambda account: fraction("busy", account.account_id))
    eager = [a for a in ranked if a.activity == "heavy" and a.is_listed]
    if (platform, code) == ("bluesky", DOMINATED_COUNCIL):
        others = [a for a in ranked if a.is_listed and a not in eager[:_DOMINANT]]
        yield from ((a, "dominant") for a in eager[:_DOMINANT])
        yield from ((a, "monthly" if others.index(a) < _OTHERS_THERE else "none") for a in others)
        return
    busy = eager[: _BUSY[platform][accounts[0].tier]]
    for account in ranked:
        yield account, "daily" if account in busy else _slow_pace(account)


def _slow_pace(account: Account) -> Pace:
    """Return the pace of somebody who does not post every day."""
    if account.activity == "steady":
        return "steady"
    if account.activity == "heavy" and account.tier == "heavy":
        return "monthly"
    return "seldom" if fraction("seldom", account.account_id) < 0.5 else "none"


def _moments(account: Account) -> Iterator[dt.datetime]:
    """Yield when an account posts, in no order; answers to others come on top."""
    name = account.account_id
    if account.owner == "council":
        least, most = _OFFICIAL_POSTS[account.tier]
        for n in range(least + int(fraction("posts", name) * (most - least + 1))):
            yield _moment(_OFFICE, _ALL_WEEKS, name, n)
        return
    pace = paces().get(account, "none")
    if pace == "monthly":
        yield from (_moment(_EVENING, weeks, name, n) for n, weeks in enumerate(_MONTHS))
        return
    drawn = fraction("posts", name)
    many = {
        "none": 0,
        "seldom": 1 + int(drawn * 2),
        "steady": 5 + int(drawn * 7),
        "daily": 100 + int(drawn * 10),
        "dominant": 205 + int(drawn * 10),
    }[pace]
    yield from (_moment(_EVENING, _ALL_WEEKS, name, n) for n in range(many))
    if pace == "daily":
        # Twice between one and two o'clock on the night when clocks go back: before and after.
        within = dt.timedelta(minutes=59 * fraction("night", name))
        yield CLOCKS_BACK - _HOUR + within
        yield CLOCKS_BACK + within


# --- what -----------------------------------------------------------------------------------------------------

_SUBJECTS: Final = (
    ("Bins", "Bin collections change after the bank holiday"),
    ("Budget", "Next year’s budget: have your say"),
    ("Buses", "The 14 bus runs until midnight from Monday"),
    ("Libraries", "The library opens on Sundays again 📚"),
    ("Roads", "Road works on the High Street start tonight & end on Friday"),
    ("Planning", "Three planning applications go to committee"),
    ("Parks", "New benches in the park; mind the wet paint"),
    ("Flooding", "Flood warning for the lower town"),
    ("Schools", "School places: the deadline is in two weeks"),
    ("Council", "Tonight’s full council is streamed live"),
)
_WELSH: Final = ("Cyngor", "Cyfarfod y cyngor heno: ŵ, ŷ a phopeth")
_WELSH_COUNCIL: Final = "ZZY"
_TALK: Final = (
    "When will this be done in our street?",
    "Thank you, that helps.",
    "Nobody answers the phone.",
    "Is that true for the villages as well?",
    "About time 🙂",
    "Who decided this?",
)
_ANSWERS: Final = (
    "Thanks for asking; it is planned for next month.",
    "Sorry about that. We have passed it on to the team.",
    "Yes, for the whole area.",
    "You can report it on our website.",
)


@dataclass(slots=True)
class _Draft:
    """A post being written; every draw is under the labels of that post. A reply says one of its `words`."""

    author: Account
    labels: tuple[object, ...]
    claimed_at: dt.datetime
    kind: Kind = "post"
    parent: Post | None = None
    subject: Post | None = None
    words: Sequence[str] = ()

    def draw(self, label: str) -> float:
        """Return a number from 0 up to 1 of this post's own."""
        return fraction(label, *self.labels)

    def finish(self) -> Post:
        """Return the post as a fact."""
        number = int(self.draw("post") * 10**12)
        bare = Post(
            number, self.author, self.kind, self.claimed_at, self._seen_at(), deleted_at=self._deleted_at()
        )
        if self.kind == "repost":
            return replace(bare, subject=self.subject)
        link = f"https://canary-link.example/{number}" if not self.words and self.draw("link") < 0.4 else None
        in_text = self.author.platform == "mastodon" or self.draw("link place") < 0.5
        mention = self._mention()
        words, hashtag, language = self._words()
        tail = (f"#{hashtag}" if hashtag else "", link if link and in_text else "")
        start = f"@{mention.name_at(self.claimed_at)} " if mention else ""
        likes, reposts, quotes = self._finals()
        return replace(
            bare,
            text=" ".join(part for part in (f"{start}{words}\n{CANARY}-text-{number}", *tail) if part),
            language=language,
            link=link,
            link_in_text=in_text,
            hashtag=hashtag,
            mention=mention,
            likes=likes,
            reposts=reposts,
            quotes=quotes,
            slowness=dt.timedelta(hours=4 + 60 * self.draw("slowness") ** 3),
            parent=self.parent,
            subject=self.subject,
            counts_missing=self.author is part("counts missing") and self.draw("missing") < 0.2,
            is_walled=self._is_walled(),
        )

    def _seen_at(self) -> dt.datetime:
        """When the platform took it in: a moment after the claim on Bluesky, the same moment on Mastodon."""
        if self.author.platform == "mastodon":
            return self.claimed_at
        return self.claimed_at + dt.timedelta(milliseconds=200 + int(3000 * self.draw("delay")))

    def _deleted_at(self) -> dt.datetime | None:
        """When it was deleted: three in a hundred are.

        A reply to a listed account stays, and so does what such an account is quoted in: their counts only grow.
        """
        about = self.parent or self.subject
        if about is not None and about.author.owner != "stranger":
            return None
        if self.author.owner == "stranger" and (self.parent or self.author.platform == "mastodon"):
            return None
        if self.draw("deleted") >= 0.03:
            return None
        hours = 2 + int(900 * self.draw("deleted after") ** 2)
        return self._seen_at() + dt.timedelta(hours=hours)

    def _is_walled(self) -> bool:
        """Whether a reply is hidden because its author blocked whom it replies to, which Bluesky says openly."""
        stranger = self.author.owner == "stranger" and self.author.platform == "bluesky"
        return stranger and self.parent is not None and self.draw("walled") < 0.01

    def _mention(self) -> Account | None:
        """Whom the text names: on Mastodon whoever is replied to, on Bluesky somebody now and then."""
        if self.author.platform == "mastodon":
            return self.parent.author if self.parent and self.parent.author is not self.author else None
        if self.words or self.author.owner == "stranger" or self.draw("mention") >= 0.08:
            return None
        others = strangers("bluesky")
        return others[int(self.draw("whom") * len(others))]

    def _words(self) -> tuple[str, str | None, str | None]:
        """Return what the text says, the hashtag that follows it and the language claimed."""
        claims = self.draw("language")
        if self.words:
            return self.words[int(self.draw("words") * len(self.words))], None, "en" if claims < 0.8 else None
        welsh = _WELSH_COUNCIL in self.author.authority_codes and self.draw("welsh") < 0.5
        tag, words = _WELSH if welsh else _SUBJECTS[int(self.draw("words") * len(_SUBJECTS))]
        language = "cy" if welsh else "en-GB" if claims < 0.1 and self.author.platform == "bluesky" else "en"
        return words, tag if self.draw("tag") < 0.3 else None, language if claims < 0.93 else None

    def _finals(self) -> tuple[int, int, int]:
        """Return how many likes, reposts and quotes it ends with: few, and now and then very many."""
        # What is worth reposting was seen by many.
        seen_by_many = self.author.owner == "stranger" and self.parent is None
        followers = 60_000 if seen_by_many else followers_at(self.author, self.claimed_at)
        middle = math.log1p(followers / (1500 if self.parent else 300))
        likes = int(math.exp(NormalDist(middle, 1.1).inv_cdf(0.0005 + 0.999 * self.draw("likes"))) - 0.7)
        return max(0, likes), int(likes * 0.4 * self.draw("reposts")), int(likes * 0.12 * self.draw("quotes"))


# --- special parts --------------------------------------------------------------------------------------------

Part = Literal["burst", "odd dates", "counts missing", "pinned"]
_PARTS: Final[tuple[Part, ...]] = ("burst", "odd dates", "counts missing", "pinned")

# So many reposts in a row that some page of a hundred holds nothing else, however the pages fall.
BURST: Final = 240
_BURST_FROM: Final = dt.datetime(2026, 9, 15, 1, tzinfo=dt.UTC)
_ODD_DATES: Final = (
    ("1985", dt.datetime(1985, 10, 26, 8, 21, tzinfo=dt.UTC), dt.datetime(2026, 9, 24, 19, 5, tzinfo=dt.UTC)),
    ("future", dt.datetime(2031, 1, 1, 12, tzinfo=dt.UTC), dt.datetime(2026, 10, 8, 20, 40, tzinfo=dt.UTC)),
)


@cache
def _players() -> dict[Part, Account]:
    """Return which account on Bluesky plays which part: people who post daily, and a council for odd dates."""
    free = [account for account in listed_accounts() if account.platform == "bluesky" and not account.trouble]
    free.sort(key=lambda account: fraction("part", account.account_id))
    daily = [account for account in free if paces().get(account) == "daily"]
    councils = [account for account in free if account.owner == "council" and account.tier == "heavy"]
    return {**dict(zip(_PARTS, daily, strict=False)), **dict(zip(("odd dates",), councils, strict=False))}


def part(name: Part) -> Account | None:
    """Return the account that plays a part; None only where the facts have too few busy accounts."""
    return _players().get(name)


# --- the whole ------------------------------------------------------------------------------------------------


@cache
def conversations() -> Conversations:
    """Return every post there is, with who made what of it."""
    world = _World()
    # Councils first: their councillors repost them.
    for account in sorted(listed_accounts(), key=lambda account: account.owner != "council"):
        world.add_own(account)
    world.add_burst()
    world.add_odd_dates()
    return world.finish()


class _World:
    """Posts as they are being made, so that later ones can reply to, quote and repost earlier ones."""

    def __init__(self) -> None:
        self._posts: dict[Account, list[Post]] = defaultdict(list)
        self._taken: set[tuple[Account, dt.datetime]] = set()
        self._of_strangers: dict[tuple[Platform, str], list[Post]] = {}
        self._of_councils: dict[tuple[Platform, str, str], list[Post]] = defaultdict(list)

    def _add(self, draft: _Draft) -> Post:
        """Keep a post. An account posts at most once in a millisecond: platforms page by that."""
        moment = draft.claimed_at
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        while (draft.author, moment) in self._taken:
            moment += dt.timedelta(milliseconds=1)
        self._taken.add((draft.author, moment))
        draft.claimed_at = moment
        post = draft.finish()
        self._posts[post.author].append(post)
        return post

    def add_own(self, account: Account) -> None:
        """Add what an account posts of its own accord, oldest first, and what comes back."""
        for n, moment in enumerate(sorted(_moments(account))):
            post = self._add(self._draft(account, n, moment))
            if post.kind == "post" and account.owner == "council":
                for code in account.authority_codes:
                    self._of_councils[account.platform, account.host, code].append(post)
            if post.kind != "repost":
                self._add_replies(post)

    def _draft(self, account: Account, n: int, moment: dt.datetime) -> _Draft:
        """Return the draft of an account's next post: its kind, and what it refers to."""
        draft = _Draft(account, (account.account_id, n), moment)
        drawn = draft.draw("kind")
        repost, quote, reply = (0.1, 0.16, 0.2) if account.owner == "council" else (0.12, 0.2, 0.42)
        if drawn < repost:
            draft.kind, draft.subject = "repost", self._subject(draft)
        elif drawn < quote and knows_quotes(account):
            draft.kind, draft.subject = "quote", self._subject(draft)
        elif drawn < reply:
            draft.kind, draft.parent = "reply", self._parent(draft)
        return draft

    def _subject(self, draft: _Draft) -> Post:
        """Return what a post quotes or reposts: one of the own council's posts of this week, or a stranger's."""
        author = draft.author
        if author.owner == "councillor" and draft.draw("own council") < 0.4:
            week = dt.timedelta(days=7)
            theirs = [
                post
                for post in self._of_councils[author.platform, author.host, author.authority_codes[0]]
                if draft.claimed_at - week < post.seen_at < draft.claimed_at and post.deleted_at is None
            ]
            if theirs:
                return theirs[int(draft.draw("which") * len(theirs))]
        return self._earlier(draft)

    def _parent(self, draft: _Draft) -> Post:
        """Return what a post replies to: the own latest post, as a thread, or a stranger's."""
        own = [post for post in self._posts[draft.author] if post.kind == "post" and post.deleted_at is None]
        return own[-1] if own and draft.draw("thread") < 0.3 else self._earlier(draft)

    def _earlier(self, draft: _Draft) -> Post:
        """Return a stranger's post from before a moment, mostly of the last days."""
        posts = self._strangers_posts(draft.author.platform, draft.author.host)
        before = bisect_left(posts, draft.claimed_at - dt.timedelta(minutes=5), key=lambda post: post.seen_at)
        there = [post for post in posts[max(0, before - 40) : before] if post.exists(draft.claimed_at)]
        return there[-1 - int(draft.draw("which") ** 2 * len(there))]

    def _strangers_posts(self, platform: Platform, host: str) -> list[Post]:
        """Return strangers' own posts as a host sees them, oldest first: what there is to repost and reply to."""
        key = (platform, host)
        if key not in self._of_strangers:
            # From ten days before the first week, so that its first post finds something.
            found = [
                self._add(_Draft(who, ("stranger's", who.account_id, n), _any_time(who.account_id, n)))
                for who in strangers(platform, host)
                for n in range(4 + int(fraction("many", who.account_id) * 5))
            ]
            self._of_strangers[key] = sorted(found, key=lambda post: post.seen_at)
        return self._of_strangers[key]

    def _add_replies(self, post: Post) -> None:
        """Add what strangers reply to a post, and what a council answers them."""
        is_council = post.author.owner == "council"
        others = strangers(post.author.platform, post.author.host)
        most = math.log1p(post.likes) * (1.5 if is_council else 0.5)
        for n in range(int(most * fraction("replies", post.number))):
            labels = ("reply to", post.number, n)
            who = others[int(fraction("who", *labels) * len(others))]
            after = dt.timedelta(minutes=2) + 14 * _HOUR * -math.log1p(-fraction("after", *labels))
            reply = self._add(_Draft(who, labels, post.seen_at + after, "reply", post, words=_TALK))
            if is_council:
                self._add_answers(reply, post.author)

    def _add_answers(self, reply: Post, council: Account) -> None:
        """Add a council's answer to a reply and what follows; many are never answered, some after days."""
        labels = ("answer to", reply.number)
        share, hours = _ANSWERED[council.tier]
        if reply.is_walled or fraction("answered", *labels) >= share:
            return
        lag = dt.timedelta(minutes=3) + hours * _HOUR * -math.log1p(-fraction("lag", *labels))
        at = _next_office_hour(reply.seen_at + lag)
        if at >= END:
            return
        answer = self._add(_Draft(council, labels, at, "reply", reply, words=_ANSWERS))
        if fraction("thanks", *labels) < 0.15:
            self._add(_Draft(reply.author, ("thanks", *labels), at + _HOUR, "reply", answer, words=_TALK))
        if fraction("again", *labels) < 0.1 and at + 26 * _HOUR < END:
            self._add(_Draft(council, ("again", *labels), at + 26 * _HOUR, "reply", reply, words=_ANSWERS))

    def add_burst(self) -> None:
        """Add a night's reposts of somebody who had been taken down: they leave empty pages behind."""
        account = part("burst")
        for n in range(BURST if account else 0):
            before = START - dt.timedelta(days=40, minutes=n)
            subject = self._add(_Draft(taken_down_stranger(), ("burst subject", n), before))
            moment = _BURST_FROM + dt.timedelta(seconds=5 * n)
            self._add(_Draft(account or subject.author, ("burst", n), moment, "repost", subject=subject))

    def add_odd_dates(self) -> None:
        """Add a post that claims to be from long ago, and one that claims to be from the future."""
        account = part("odd dates")
        if account is None:
            return
        for label, claimed_at, seen_at in _ODD_DATES:
            post = _Draft(account, ("odd", label), seen_at).finish()
            self._posts[account].append(replace(post, claimed_at=claimed_at, seen_at=seen_at, deleted_at=None))

    def finish(self) -> Conversations:
        """Return all posts in order, with the moments of what others made of them."""
        replies: dict[Post, list[Post]] = defaultdict(list)
        reposted: dict[Post, list[dt.datetime]] = defaultdict(list)
        quoted: dict[Post, list[dt.datetime]] = defaultdict(list)
        for posts in self._posts.values():
            for post in posts:
                if post.parent is not None:
                    replies[post.parent].append(post)
                if post.subject is not None:
                    (reposted if post.kind == "repost" else quoted)[post.subject].append(post.seen_at)
        ordered = {post: tuple(sorted(found, key=lambda reply: reply.seen_at)) for post, found in replies.items()}
        return Conversations(
            {author: tuple(sorted(posts, key=lambda post: post.sort_at)) for author, posts in self._posts.items()},
            ordered,
            {post: [reply.seen_at for reply in found] for post, found in ordered.items()},
            {post: sorted(moments) for post, moments in reposted.items()},
            {post: sorted(moments) for post, moments in quoted.items()},
        )


# The share of replies that a council answers, and after how many hours it turns to one, on average.
_ANSWERED: Final[dict[Tier, tuple[float, float]]] = {
    "silent": (0.05, 60),
    "middling": (0.35, 26),
    "heavy": (0.55, 5),
}


def _any_time(*labels: object) -> dt.datetime:
    """Return a moment from ten days before the twelve weeks to their end, at any hour."""
    earliest = START - dt.timedelta(days=10)
    return earliest + (END - earliest) * fraction("any time", *labels)
