"""What a server of the fictional network says: status, headers, body; and how both platforms write times.

Here belongs what the two platforms' answers have in common. What each of them answers to what is in
`bluesky_answers` and `mastodon_answers`.
"""

from __future__ import annotations

import datetime as dt
from base64 import b32encode
from dataclasses import dataclass
from hashlib import sha256

import orjson

from pipelines.sample.posts import Post

JSON = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to one GET request; header names are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


def json_answer(status: int, value: object, headers: dict[str, str] | None = None) -> Answer:
    """Return a value as a JSON answer."""
    return Answer(status, {"content-type": JSON, **(headers or {})}, orjson.dumps(value))


def stamp(moment: dt.datetime) -> str:
    """Return a moment as both platforms write it: UTC with milliseconds and Z."""
    return f"{moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def spans(post: Post) -> dict[str, tuple[int, int]]:
    """Return where mention, hashtag and link stand in the text of a post, in characters, in their order.

    Their texts appear once each: a canary holds neither `#` nor `@` nor an address.
    """
    wanted = {
        "mention": f"@{post.mention.name_at(post.claimed_at)}" if post.mention else "",
        "tag": f"#{post.hashtag}" if post.hashtag else "",
        "link": post.link if post.link and post.link_in_text else "",
    }
    starts = {kind: post.text.index(text) for kind, text in wanted.items() if text}
    return {kind: (start, start + len(wanted[kind])) for kind, start in starts.items()}


def content_id(text: str) -> str:
    """Return a content identifier in the shape of AT Protocol's: CIDv1, DAG-CBOR, SHA-256, base 32."""
    digest = bytes((0x01, 0x71, 0x12, 0x20)) + sha256(text.encode()).digest()
    return "b" + b32encode(digest).decode().lower().rstrip("=")
