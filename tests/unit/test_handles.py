"""What a cell of a source becomes: every rule once by example, the promises by counter-example search."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.identity import PLATFORMS, Account, normalise_account, profile_url

UC = "UC" + "aB3_-" * 4 + "xY"
DID = "did:plc:" + "abcdefgh234567" + "abcdefghij"

USABLE = [
    ("x", "CllrRowanAsh", "cllrrowanash", None),
    ("x", '"CllrRowanAsh"', "cllrrowanash", None),
    ("x", " @CllrRowanAsh, ", "cllrrowanash", None),
    ("x", "https://twitter.com/CllrRowanAsh?s=21&t=abc", "cllrrowanash", None),
    ("x", "https://mobile.twitter.com/CllrRowanAsh/", "cllrrowanash", None),
    ("x", "https://twitter.com/#!/CllrRowanAsh", "cllrrowanash", None),
    ("x", "twitter.com/@CllrRowanAsh", "cllrrowanash", None),
    ("x", "https://x.com/CllrRowanAsh/media", "cllrrowanash", None),
    ("x", "https://twitter.com/intent/user?screen_name=RowanAsh&x=1", "rowanash", None),
    ("x", "https://x.com/i/user/12345", None, "12345"),
    ("facebook", "rowan.ash.for.millbrook", "rowanashformillbrook", None),
    ("facebook", "https://www.facebook.com/Rowan.Ash/?ref=page", "rowanash", None),
    ("facebook", "https://en-gb.facebook.com/pg/RowanAsh/about/", "rowanash", None),
    ("facebook", "https://m.facebook.com/profile.php?v=info&id=61550000000001", None, "61550000000001"),
    ("facebook", "https://www.facebook.com/people/Rowan-Ash/61550000000001/", None, "61550000000001"),
    ("facebook", "https://www.facebook.com/pages/Rowan-Ash/142000000000", None, "142000000000"),
    ("facebook", "https://www.facebook.com/p/Cllr-Rowan-Ash-100070000000001", None, "100070000000001"),
    (
        "facebook",
        "https://www.facebook.com/Rowan-Ash-for-Millbrook-908000000000001/",
        None,
        "908000000000001",
    ),
    ("facebook", "https://fb.com/61579000000001", None, "61579000000001"),
    ("instagram", "https://www.instagram.com/Rowan_Ash.1/?hl=en&igsh=x==", "rowan_ash.1", None),
    ("bluesky", "https://bsky.app/profile/Rowan.bsky.social", "rowan.bsky.social", None),
    ("bluesky", "https://rowan.bsky.social/", "rowan.bsky.social", None),
    ("bluesky", "jo.bsky.social", "jo.bsky.social", None),
    ("bluesky", "@rowan.millbrook.example", "rowan.millbrook.example", None),
    ("bluesky", "\u202arowan.bsky.social\u202c", "rowan.bsky.social", None),
    ("bluesky", f"https://bsky.app/profile/{DID}", None, DID),
    ("bluesky", f"at://{DID}", None, DID),
    ("mastodon", "https://social.example/@Rowan", "@rowan@social.example", None),
    ("mastodon", "https://social.example/users/rowan", "@rowan@social.example", None),
    ("mastodon", "https://social.example/@rowan@toot.example", "@rowan@toot.example", None),
    ("mastodon", "@rowan@social.example", "@rowan@social.example", None),
    ("mastodon", "rowan@mastodon.example", "@rowan@mastodon.example", None),
    ("youtube", f"https://www.youtube.com/channel/{UC}/featured", None, UC),
    ("youtube", UC, None, UC),
    ("youtube", "@RowanAsh", "rowanash", None),
    ("youtube", "RowanAsh", "rowanash", None),
    ("youtube", "https://m.youtube.com/@Rowan-Ash/playlists", "rowan-ash", None),
    ("youtube", "https://www.youtube.com/@Si%C3%A2nAsh", "siânash", None),
    ("youtube", "https://www.youtube.com/c/RowanAsh", "c/rowanash", None),
    ("youtube", "https://www.youtube.com/user/RowanAsh", "user/rowanash", None),
    ("linkedin", "https://uk.linkedin.com/in/Rowan-Ash-1a2b/", "rowan-ash-1a2b", None),
    ("linkedin", "https://www.linkedin.com/company/millbrook-council", "company/millbrook-council", None),
    ("tiktok", "https://www.tiktok.com/@rowan.ash?_r=1&_t=ZN", "rowan.ash", None),
    ("threads", "https://www.threads.net/@RowanAsh", "rowanash", None),
    ("threads", "https://www.threads.com/@RowanAsh", "rowanash", None),
]

REPAIRED = [
    ("instagram", "https://fb.com/RowanAsh", "facebook", "rowanash", "other_platform"),
    ("x", "@rowan@social.example", "mastodon", "@rowan@social.example", "other_platform"),
    ("x", "https://mastodon.example/@rowan", "mastodon", "@rowan@mastodon.example", "other_platform"),
    ("facebook", "https://rowan.bsky.social", "bluesky", "rowan.bsky.social", "other_platform"),
    ("mastodon", "@rowan@threads.net", "threads", "rowan", "other_platform"),
    ("facebook", "https://wwwfacebook.com/RowanAsh", "facebook", "rowanash", "broken_host"),
    ("facebook", "http://http;//www.facebook.com/RowanAsh", "facebook", "rowanash", "broken_host"),
    (
        "facebook",
        "https://www.facebook.com/https://www.facebook.com/RowanAsh",
        "facebook",
        "rowanash",
        "broken_host",
    ),
    ("tiktok", "https://www.ticktok.com/@rowanash", "tiktok", "rowanash", "broken_host"),
    ("facebook", "www.facebook.con/RowanAsh", "facebook", "rowanash", "broken_host"),
    ("instagram", "https://wwwfacebook.com/RowanAsh", "facebook", "rowanash", "other_platform"),
]

REFUSED = [
    ("x", "", "empty_cell"),
    ("x", ' "" ', "empty_cell"),
    ("x", "null", "empty_cell"),
    ("instagram", "https://instagram.com/", "empty_profile"),
    ("bluesky", "https://bsky.app/profile/", "empty_profile"),
    ("linkedin", "https://www.linkedin.com/in/", "empty_profile"),
    ("facebook", "https://www.facebook.com/share/1Aby9f7CHt/?mibextid=x", "not_a_profile"),
    ("facebook", "https://www.facebook.com/groups/millbrook", "not_a_profile"),
    ("facebook", "https://www.facebook.com/RowanAsh/posts/123", "not_a_profile"),
    ("facebook", "https://www.facebook.com/profile.php", "not_a_profile"),
    ("facebook", "https://www.facebook.com/profile.php?id=", "not_a_profile"),
    ("facebook", "https://fb.watch/abc_30/", "not_a_profile"),
    ("x", "https://x.com/search?q=rowan", "not_a_profile"),
    ("x", "https://x.com/RowanAsh/status/1", "not_a_profile"),
    ("x", "@search", "not_a_profile"),
    ("instagram", "https://www.instagram.com/p/Abc/", "not_a_profile"),
    ("youtube", "https://www.youtube.com/watch?v=abc", "not_a_profile"),
    ("youtube", "https://youtu.be/abc", "not_a_profile"),
    ("tiktok", "https://vm.tiktok.com/ZM/", "not_a_profile"),
    ("linkedin", "https://www.linkedin.com/feed/update/1", "not_a_profile"),
    ("bluesky", "https://bsky.app/profile/rowan.bsky.social/post/3k", "not_a_profile"),
    ("bluesky", "handle.invalid", "not_a_profile"),
    ("bluesky", "https://bsky.app/profile/www.bsky.social", "not_a_profile"),
    ("mastodon", "https://social.example/@rowan/109", "not_a_profile"),
    ("mastodon", "@rowan", "incomplete_handle"),
    ("bluesky", "rowan", "incomplete_handle"),
    ("x", "@rowan @ash", "several_accounts"),
    ("x", "Rowan Ash", "bad_characters"),
    ("x", "SixteenCharacter", "too_long"),
    ("instagram", "r" * 31, "too_long"),
    ("youtube", "@" + "r" * 31, "too_long"),
    ("x", "rowan-ash", "bad_characters"),
    ("x", "rówan", "bad_characters"),
    ("facebook", "https://www.facebook.com/Rowan-Ash", "bad_characters"),
    ("bluesky", "https://bsky.app/profile/did:plc:SHORT", "bad_characters"),
    ("youtube", "https://www.youtube.com/channel/UCshort", "bad_characters"),
    ("facebook", "https://www.millbrook.example/rowan", "unknown_host"),
    ("mastodon", "https://medium.com/@rowan", "unknown_host"),
    ("facebook", "https://help.facebook.com/rowan", "unknown_host"),
]

ADDRESSES = [
    "rowan.ash@mail.example",
    '"rowan.ash@mail.example"',
    "mailto:rowan.ash@mail.example",
    "Rowan <rowan.ash@mail.example>",
    "https://www.linkedin.com/in/rowan.ash@mail.example",
    "https://www.linkedin.com/in/rowan.ash%40mail.example",
    "http://rowan.ash@mail.example/",
    "rowan?ash@mail.example",
    "@rowan.ash@gmail.com",
]


@pytest.mark.parametrize(("platform", "text", "handle", "account_id"), USABLE)
def test_cell_is_read(platform: str, text: str, handle: str | None, account_id: str | None) -> None:
    assert normalise_account(platform, text) == Account(platform, handle, account_id, None)


@pytest.mark.parametrize(("platform", "text", "true_platform", "handle", "fault"), REPAIRED)
def test_repair_is_told(platform: str, text: str, true_platform: str, handle: str, fault: str) -> None:
    assert normalise_account(platform, text) == Account(true_platform, handle, None, fault)


@pytest.mark.parametrize(("platform", "text", "fault"), REFUSED)
def test_unusable_cell_names_its_fault(platform: str, text: str, fault: str) -> None:
    account = normalise_account(platform, text)
    assert (account.handle, account.account_id, account.fault) == (None, None, fault)
    assert profile_url(account) is None


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("text", ADDRESSES)
def test_email_address_is_never_repeated(platform: str, text: str) -> None:
    account = normalise_account(platform, text)
    assert account == Account(platform, None, None, "email_address")
    assert "rowan" not in repr(account)


def test_unknown_platform_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="platform 'myspace' is none of x, facebook"):
        normalise_account("myspace", "rowan")


platforms = st.sampled_from(PLATFORMS)
words = st.text(st.sampled_from("abZ019_.-·é@/?=&#%: \"'"), max_size=20)
starts = st.sampled_from(
    [
        "", "@", '"', "https://", "http://http;//", "https://www.", "x.com/", "https://facebook.com/",
        "https://www.facebook.com/p/", "https://facebook.com/profile.php?id=", "https://instagram.com/",
        "https://bsky.app/profile/", "https://social.example/@", "https://youtube.com/", "https://youtube.com/@",
        "https://youtube.com/c/", "https://linkedin.com/in/", "https://linkedin.com/company/",
        "https://tiktok.com/@", "https://threads.net/@", "https://wwwfacebook.com/", "at://", "did:plc:",
    ]
)  # fmt: skip
cells = st.one_of(st.text(max_size=60), st.builds(lambda a, b, c: a + b + c, starts, words, words))


@given(platforms, cells)
def test_no_text_raises_and_results_are_whole(platform: str, text: str) -> None:
    account = normalise_account(platform, text)
    usable = account.handle is not None or account.account_id is not None
    assert usable == (account.fault in (None, "other_platform", "broken_host"))
    assert not (account.handle and account.account_id)
    assert (profile_url(account) is not None) == usable


@given(platforms, cells)
def test_normalising_twice_changes_nothing(platform: str, text: str) -> None:
    account = normalise_account(platform, text)
    clean = Account(account.platform, account.handle, account.account_id, None)
    if account.handle is not None:
        assert normalise_account(account.platform, account.handle) == clean
    url = profile_url(account)
    if url is not None:
        assert normalise_account(account.platform, url) == clean


@given(platforms, cells)
def test_json_quotes_change_nothing(platform: str, text: str) -> None:
    plain = text.strip().strip("\"'")
    assert normalise_account(platform, json.dumps(plain)) == normalise_account(platform, plain)


def is_plain(address: str) -> bool:
    """Not on a fediverse host, and no stray punctuation at its ends, which is taken off first."""
    return "mastodon" not in address and not address.endswith(".social") and address == address.strip("'")


@given(platforms, st.emails().filter(is_plain))
def test_no_email_address_gets_through(platform: str, address: str) -> None:
    account = normalise_account(platform, address)
    assert (account.handle, account.account_id) == (None, None)
