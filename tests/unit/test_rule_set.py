"""The donor rules, row by row against the domain's table."""

import csv
from pathlib import Path

import pytest

from features.rule_set import INDIA_2020, Above, Range, Rule, RuleSet

TABLE = Path(__file__).parents[3] / "shared/data/rules/india_donor_rules.csv"


def as_the_table_writes_it(value):
    if isinstance(value, Range):
        return f"{value.least}-{value.most}"
    return f">{value.bound}" if isinstance(value, Above) else str(value)


@pytest.mark.skipif(not TABLE.exists(), reason="the domain's table is not on this machine")
def test_every_row_is_that_of_the_domain_table():
    rows = list(csv.DictReader(TABLE.open(encoding="utf-8")))
    ours = [(rule.name, as_the_table_writes_it(rule.value), rule.unit, rule.item) for rule in INDIA_2020.rules]
    assert ours == [(row["rule"], row["value"], row["unit"], row["drugs_rules_1945_item"]) for row in rows]


def test_two_rules_of_one_name_are_refused():
    rule = Rule("age", 18, "years", "item 2")
    with pytest.raises(ValueError, match="two rules have one name"):
        RuleSet("x", (rule, rule))


def test_words_are_no_number():
    with pytest.raises(TypeError, match="epilepsy"):
        _ = INDIA_2020["epilepsy"].number
    with pytest.raises(TypeError, match="donor_age_min"):
        _ = INDIA_2020["donor_age_min"].range
