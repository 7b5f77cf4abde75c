"""A small world in a real Bluesky network: accounts that post, reply, like, repost and quote, and the odd cases.

Belongs here: who did what, the same on every run. Does not belong here: what the AppView makes of it.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from tests.servers.network import BlueskyNetwork, Owner, Record

T = TypeVar("T")
R = TypeVar("R")

START = dt.datetime(2026, 1, 5, 8, tzinfo=dt.UTC)
LONG_AGO = dt.datetime(1985, 10, 26, 1, 21, tzinfo=dt.UTC)
TO_COME = dt.datetime(2085, 10, 26, 1, 21, tzinfo=dt.UTC)
LINK = {"$type": "app.bsky.richtext.facet#link", "uri": "https://example.org/bins"}
FACET = {"index": {"byteStart": 0, "byteEnd": 5}, "features": [LINK]}
# The servers' work is one process; more hands than this only wait.
HANDS = 4


@dataclass
class World:
    """What was written. `owners` are ordinary accounts; the others are one account for each odd case.

    `posts` are theirs, in the order of their claimed times, each with its author's position among `owners`.
    """

    owners: list[Owner]
    posts: list[tuple[int, Record]] = field(default_factory=list)
    replies: list[Record] = field(default_factory=list)
    quotes: list[Record] = field(default_factory=list)
    reposts: list[Record] = field(default_factory=list)
    # How often something was done to a post, by its address.
    likes: Counter[str] = field(default_factory=Counter)
    reposted: Counter[str] = field(default_factory=Counter)
    replied: Counter[str] = field(default_factory=Counter)
    quoted: Counter[str] = field(default_factory=Counter)
    renamed: Owner | None = None  # with the handle that it has now
    old_handle: str = ""
    deleted: Owner | None = None
    deactivated: Owner | None = None
    taken_down: Owner | None = None
    opted_out: Owner | None = None
    long_ago: Record | None = None  # a post of the first owner, dated 1985
    to_come: Record | None = None  # a post of the first owner, dated far ahead
    pinned: Record | None = None  # an early post of the first owner
    deleted_post: Record | None = None  # a post of the first owner that is no more
    asked: Record | None = None  # a post of the second owner, with replies


def seed_world(network: BlueskyNetwork, accounts: int = 20, posts: int = 80, *, seed: int = 7) -> World:
    """Write a world of `accounts` accounts, five of them odd cases, and `posts` posts of the others.

    Every sixth post is a reply and every fifth quotes; every ordinary account likes, reposts and follows. The same
    seed gives the same world, but for ids.
    """
    chance = random.Random(seed)  # noqa: S311 - a world to look at, no secret
    everybody = _all(network.create_account, [f"council-{number:02d}" for number in range(accounts)])
    world = World(owners=everybody[: accounts - 5])
    _all(network.set_profile, everybody)
    _write_posts(network, world, posts, chance)
    _write_engagement(network, world, chance)
    _write_odd_posts(network, world)
    _write_odd_accounts(network, world, everybody[accounts - 5 :])
    network.settle()
    return world


def _write_posts(network: BlueskyNetwork, world: World, count: int, chance: random.Random) -> None:
    """One post after the other: who replies must know what is there."""
    for number in range(count):
        author = number % len(world.owners)
        target = chance.choice(world.posts)[1] if world.posts else None
        reply_to, quote = (target if number % 6 == 5 else None), (target if number % 5 == 4 else None)
        record = network.post(
            world.owners[author],
            f"Post {number}: bins, libraries & buses – ŵ",
            at=START + dt.timedelta(minutes=97 * number),
            reply_to=reply_to,
            quote=quote,
            langs=[("en", "cy-GB")[number % 2]],
            facets=[FACET] if number % 4 == 0 else [],
        )
        world.posts.append((author, record))
        if reply_to:
            world.replies.append(record)
            world.replied[reply_to.uri] += 1
        elif quote:
            world.quotes.append(record)
        if quote:
            world.quoted[quote.uri] += 1


def _write_engagement(network: BlueskyNetwork, world: World, chance: random.Random) -> None:
    plans = [
        (
            owner,
            [record for _, record in chance.sample(world.posts, 8)],
            [record for _, record in chance.sample(world.posts, 2)],
            chance.sample(world.owners, 3),
        )
        for owner in world.owners
    ]

    def act(plan: tuple[Owner, list[Record], list[Record], list[Owner]]) -> list[Record]:
        owner, liked, reposted, followed = plan
        for record in liked:
            network.like(owner, record)
        for other in followed:
            if other != owner:
                network.follow(owner, other)
        return [network.repost(owner, record) for record in reposted]

    for _, liked, reposted, _ in plans:
        world.likes.update(record.uri for record in liked)
        world.reposted.update(record.uri for record in reposted)
    world.reposts = [record for records in _all(act, plans) for record in records]


def _write_odd_posts(network: BlueskyNetwork, world: World) -> None:
    first, second, third, fourth = world.owners[:4]
    world.pinned = world.posts[0][1]
    network.set_profile(first, pinned=world.pinned)
    world.long_ago = network.post(first, "Long ago", at=LONG_AGO)
    world.to_come = network.post(first, "To come", at=TO_COME)
    world.deleted_post = network.post(first, "Not for long")
    network.delete(first, world.deleted_post)
    # A question with an answered reply, one that somebody else answers, one without an answer, and one's own.
    monday = START + dt.timedelta(days=60)
    world.asked = network.post(second, "What do you think?", at=monday)

    def reply(owner: Owner, text: str, hours: int, to: Record) -> Record:
        world.replied[to.uri] += 1
        return network.post(owner, text, at=monday + dt.timedelta(hours=hours), reply_to=to)

    answered = reply(third, "Well", 1, world.asked)
    other = reply(fourth, "And?", 2, world.asked)
    reply(fourth, "Hello?", 3, world.asked)
    reply(second, "By the way", 4, world.asked)
    reply(third, "I know", 5, other)
    reply(second, "Later", 9, answered)
    reply(second, "Thanks", 6, answered)


def _write_odd_accounts(network: BlueskyNetwork, world: World, odd: list[Owner]) -> None:
    for owner in odd:
        network.post(owner, "Something to lose")
    renamed, world.deleted, world.deactivated, world.taken_down, world.opted_out = odd
    world.old_handle = renamed.handle
    world.renamed = network.rename(renamed, "renamed")
    network.settle()
    network.delete_account(world.deleted)
    network.deactivate(world.deactivated)
    network.take_down(world.taken_down)
    network.set_profile(world.opted_out, labels=["!no-unauthenticated"])


def _all(act: Callable[[T], R], things: Iterable[T]) -> list[R]:
    """Do something to everything, a few at a time; the first failure is raised."""
    with ThreadPoolExecutor(HANDS) as hands:
        return list(hands.map(act, things))
