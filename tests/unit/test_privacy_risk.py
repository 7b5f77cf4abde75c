"""Risk of record-level tables: published numbers, small examples by hand, and missing values as a class."""

from __future__ import annotations

import pandas as pd
import pytest

from pipelines.privacy import risk
from tests.conftest import REAL

PEOPLE = pd.DataFrame(
    {
        "age": ["young", "young", "young", "old", "old", None],
        "place": ["town", "town", "town", "town", "coast", "coast"],
        "says": ["yes", "yes", "no", "no", "no", None],
    }
)
COUNTRY = pd.DataFrame(
    {
        "age": ["young"] * 30 + ["old"] * 20 + ["old"] * 4 + [None] * 5,
        "place": ["town"] * 50 + ["coast"] * 9,
    }
)
KNOWN = ["age", "place"]


@pytest.mark.real
def test_adult_has_the_risks_that_arx_states() -> None:
    """All nine columns as quasi-identifiers; to the last digit."""
    adult = pd.read_csv(REAL / "privacy_oracles" / "adult.csv", sep=";", keep_default_na=False)
    columns = list(adult.columns)
    assert (len(adult), len(risk.class_sizes(adult, columns))) == (30_162, 19_502)
    assert risk.prosecutor_risk(adult, columns) == 0.6465751607983555
    assert risk.sample_uniqueness(adult, columns) == 0.5142895033485844
    assert risk.highest_prosecutor_risk(adult, columns) == 1


def test_a_missing_value_makes_a_class_of_its_own() -> None:
    """Leaving it out would report k = 2 for a table in which one record is alone."""
    people = pd.DataFrame({"age": ["young", "young", None]})
    assert risk.k_anonymity(people, ["age"]) == 1
    assert risk.sample_uniqueness(people, ["age"]) == 1 / 3


def test_risks_by_hand() -> None:
    assert list(risk.class_sizes(PEOPLE, KNOWN)) == [1, 1, 3, 1]
    assert risk.prosecutor_risk(PEOPLE, KNOWN) == 4 / 6
    assert risk.journalist_risk(PEOPLE, COUNTRY, KNOWN) == 1 / 4
    assert risk.marketer_risk(PEOPLE, COUNTRY, KNOWN) == pytest.approx((3 / 30 + 1 / 20 + 1 / 4 + 1 / 5) / 6)
    assert risk.delta_presence(PEOPLE, COUNTRY, KNOWN) == 1 / 4


def test_a_class_that_the_frame_does_not_have_is_an_error() -> None:
    with pytest.raises(ValueError, match="one of the two is wrong"):
        risk.journalist_risk(PEOPLE, COUNTRY[COUNTRY["age"] != "old"], KNOWN)


def test_diversity_and_closeness_by_hand() -> None:
    assert risk.l_diversity(PEOPLE, KNOWN, "says") == 1
    assert risk.l_diversity(PEOPLE, ["place"], "says") == 2  # yes and no in town, no and nothing at the coast
    assert risk.largest_share(PEOPLE, ["place"], "says") == 1 / 2
    # Overall yes 2, no 3, missing 1 of 6; at the coast none, 1, 1 of 2: half of 1/3 + 0 + 1/3.
    assert risk.t_closeness(PEOPLE, ["place"], "says") == pytest.approx(1 / 3)
    assert risk.t_closeness(PEOPLE.assign(one=1), ["one"], "says") == 0


def test_there_must_be_something_to_compare() -> None:
    with pytest.raises(ValueError, match="records"):
        risk.class_sizes(PEOPLE, [])
