"""Merging categories: in declared order, as far as the rules ask, and over time only towards the coarser."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.privacy.categories import Hierarchy, choose_level, read_hierarchies, recode
from pipelines.privacy.evidence import Withheld
from pipelines.privacy.rules import DisclosureError, Rules
from pipelines.settings import project_folder

VOCABULARY = yaml.safe_load((project_folder("data_contracts") / "interviews.yml").read_text(encoding="utf-8"))
HIERARCHIES = read_hierarchies(VOCABULARY["attributes"])
SENIORITY, PARTY, TYPE = (HIERARCHIES[name] for name in ("seniority", "party", "authority_type"))


def column(**counts: int) -> pd.Series[str]:
    """A column that has each category so many times."""
    return pd.Series([category for category, number in counts.items() for _ in range(number)], dtype=str)


def without(*names: str) -> Rules:
    """The default rules with some of them switched off."""
    return Rules(off=frozenset(names))


def test_the_vocabulary_is_read_in_its_order() -> None:
    assert list(HIERARCHIES) == list(VOCABULARY["attributes"])
    assert SENIORITY.of == "councillor"
    assert SENIORITY.always_merged == {"mayor"}
    assert SENIORITY.top == 3


def test_a_category_merges_step_by_step() -> None:
    given_ = column(mayor=1, committee_chair=1, backbench=1, not_stated=1)
    shown = [list(recode(given_, SENIORITY, level)) for level in range(4)]
    assert shown == [
        ["mayor", "committee_chair", "backbench", "not_stated"],
        ["executive", "committee_chair", "backbench", "not_stated"],
        ["office_holder", "office_holder", "backbench", "not_stated"],
        ["office_holder", "office_holder", "backbench_or_not_stated", "backbench_or_not_stated"],
    ]


@given(st.sampled_from(sorted(HIERARCHIES)), st.data())
def test_levels_are_nested_and_merging_twice_changes_nothing(name: str, data: st.DataObject) -> None:
    hierarchy = HIERARCHIES[name]
    categories = data.draw(st.lists(st.sampled_from(sorted(hierarchy.categories)), min_size=2, max_size=30))
    finer, coarser = sorted(data.draw(st.tuples(*[st.integers(0, hierarchy.top)] * 2)))
    fine, coarse = (recode(pd.Series(categories), hierarchy, level) for level in (finer, coarser))
    assert all(len(set(coarse[fine == category])) == 1 for category in set(fine))
    assert list(recode(coarse, hierarchy, coarser)) == list(coarse)


def test_the_finest_level_with_ten_interviews_each_is_chosen() -> None:
    assert choose_level(column(labour=20, conservative=15, liberal_democrat=10), PARTY, Rules()) == 0
    assert choose_level(column(labour=20, conservative=15, snp=4, plaid_cymru=6), PARTY, Rules()) == 1
    assert choose_level(column(labour=20, conservative=15, snp=4, green=6), PARTY, Rules()) == 2
    assert choose_level(column(labour=20, conservative=15, snp=4, green=6), PARTY, without("D4")) == 0


def test_an_attribute_that_is_small_at_every_level_is_withheld_without_a_value() -> None:
    found = choose_level(column(labour=41, conservative=9), PARTY, Rules())
    assert isinstance(found, Withheld)
    assert (found.rule, found.table) == ("D4", "party")
    assert not any(word in found.reason for word in ("labour", "conservative", "9", "41"))


def test_a_category_of_a_broader_level_lifts_the_whole_attribute() -> None:
    assert choose_level(column(leader=20, committee_chair=20), SENIORITY, Rules()) == 0
    assert choose_level(column(leader=20, executive=20), SENIORITY, Rules()) == 1
    assert choose_level(column(leader=20, office_holder=20), SENIORITY, Rules()) == 2


def test_a_finest_category_that_others_merge_into_lifts_nothing() -> None:
    assert choose_level(column(labour=20, other=20), PARTY, Rules()) == 0
    plain = Hierarchy("party", PARTY.merges, PARTY.always_merged, PARTY.of)
    assert choose_level(column(labour=20, other=20), plain, Rules()) == 1, (
        "not told the finest, it takes no chance"
    )


def test_an_unknown_category_is_refused_without_being_shown() -> None:
    with pytest.raises(DisclosureError, match=r"^D13: party: a category is not in the vocabulary$"):
        choose_level(column(labour=20, whig=20), PARTY, Rules())


def test_mayors_and_single_council_types_never_stand_alone_however_many() -> None:
    assert choose_level(column(mayor=30, backbench=30), SENIORITY, Rules()) == 1
    assert choose_level(column(CC=30, MD=30), TYPE, Rules()) == 1
    assert choose_level(column(mayor=1, backbench=30), SENIORITY, without("D8")) == 0


def test_few_holders_in_the_country_merge_upwards() -> None:
    held = column(leader=10, cabinet_member=10, committee_chair=10, backbench=10, not_stated=10)
    everywhere = {"mayor": 16, "leader": 333, "cabinet_member": 2500, "committee_chair": 3000, "backbench": 12000}
    assert choose_level(held, SENIORITY, Rules(), everywhere) == 0
    assert choose_level(held, SENIORITY, Rules(), {**everywhere, "leader": 9}) == 1
    assert choose_level(held, SENIORITY, Rules(), {**everywhere, "committee_chair": 0}) == 2
    assert choose_level(held, SENIORITY, Rules(), {"leader": 333, "backbench": 12000}) == 2, "absent means none"
    assert choose_level(held, SENIORITY, Rules(), {}) == 0, "a frame that does not know the attribute"


def test_a_group_without_register_has_two_categories_at_most() -> None:
    types = column(UA=12, MD=12, CTY=12)
    assert choose_level(types, TYPE, Rules()) == 0
    assert choose_level(types, TYPE, Rules(), at_most_categories=2) == 2
    assert choose_level(types, TYPE, without("D9"), at_most_categories=2) == 0
    single = choose_level(column(labour=20, conservative=20, other=20), PARTY, Rules(), at_most_categories=2)
    assert isinstance(single, Withheld)
    assert single.rule == "D9"


def test_an_attribute_is_never_shown_finer_than_before() -> None:
    parties = column(labour=20, conservative=15, liberal_democrat=10)
    assert [choose_level(parties, PARTY, Rules(), at_least=level) for level in range(5)] == [0, 1, 2, 3, 4]
    beyond = choose_level(parties, PARTY, Rules(), at_least=5)
    assert isinstance(beyond, Withheld)


@given(
    st.dictionaries(st.sampled_from(sorted(PARTY.categories)), st.integers(1, 40), min_size=1), st.integers(0, 4)
)
def test_what_is_chosen_holds_and_nothing_finer_does(counts: dict[str, int], floor: int) -> None:
    given_ = column(**counts)
    chosen = choose_level(given_, PARTY, Rules(), at_least=floor)
    smallest = [int(recode(given_, PARTY, level).value_counts().min()) for level in range(PARTY.top + 1)]
    if isinstance(chosen, Withheld):
        assert all(count < 10 for count in smallest[floor:])
    else:
        assert chosen >= floor
        assert smallest[chosen] >= 10
        assert all(count < 10 for count in smallest[floor:chosen])
