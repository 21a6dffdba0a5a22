"""The donor rules in force, each with its item, as versioned data.

A blood centre decides in the end, and asks for far more than a stream of events can know (pulse, haemoglobin, the last
meal). All rules are stated here all the same, so that a deferral's item can be told in words and a test can compare
the table as a whole.

References
----------
Drugs Rules 1945, Schedule F Part XII-B as amended 2020; National Blood Transfusion Council, Guidelines for Blood Donor
Selection and Blood Donor Referral, 2017.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

from features.local_time import DAY_US

PERMANENT: Final = "permanent"


class Range(NamedTuple):
    """From ``least`` to ``most``, both included."""

    least: int
    most: int


class Above(NamedTuple):
    """Strictly more than ``bound``."""

    bound: int


Value = int | float | Range | Above | str
"""A number, a range of them, or, where the rules give no number, words."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Parameters
    ----------
    name : str
        What refusals call it.
    value : Value
        In ``unit``.
    unit : str
        ``years``, ``kg``, ``days``, …; empty where the value is words.
    item : str
        Where it stands in the Drugs Rules, such as ``item 60``.
    """

    name: str
    value: Value
    unit: str
    item: str

    @property
    def number(self) -> int:
        """The value, where it is a whole number.

        Raises
        ------
        TypeError
            If it is none.
        """
        if not isinstance(self.value, int):
            message = f"rule {self.name}: {self.value!r} is no whole number"
            raise TypeError(message)
        return self.value

    @property
    def range(self) -> Range:
        """The value, where it is a range.

        Raises
        ------
        TypeError
            If it is none.
        """
        if not isinstance(self.value, Range):
            message = f"rule {self.name}: {self.value!r} is no range"
            raise TypeError(message)
        return self.value


class Limits(NamedTuple):
    """The numbers of a rule set that decide who may give (items 2, 3 and 4).

    An interval of n days is n times 24 hours from the instant of giving. For whole blood after whole blood men have an
    interval of their own; everybody else has that of women.
    """

    age_min_years: int
    age_max_years: int
    age_max_first_years: int
    age_apheresis_min_years: int
    age_apheresis_max_years: int
    weight_min_whole_blood_kg: int
    weight_min_apheresis_kg: int
    whole_blood_to_whole_blood_male_us: int
    whole_blood_to_whole_blood_us: int
    apheresis_to_whole_blood_us: int
    unreturned_apheresis_to_whole_blood_us: int
    whole_blood_to_apheresis_us: int
    apheresis_to_apheresis_us: int
    n_apheresis_a_week: int
    n_apheresis_a_year: int


@dataclass(frozen=True)
class RuleSet:
    """A version of the rules.

    Parameters
    ----------
    version : str
        What ``matches`` calls it.
    rules : tuple of Rule
        All of them, in the order of their items.
    """

    version: str
    rules: tuple[Rule, ...]
    _by_name: dict[str, Rule] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the rules by name.

        Raises
        ------
        ValueError
            If two rules have one name.
        """
        by_name = {rule.name: rule for rule in self.rules}
        if len(by_name) != len(self.rules):
            message = f"rule set {self.version}: two rules have one name"
            raise ValueError(message)
        object.__setattr__(self, "_by_name", by_name)

    def __getitem__(self, name: str) -> Rule:
        """Return the rule of that name."""
        return self._by_name[name]

    @cached_property
    def limits(self) -> Limits:
        """The numbers that decide who may give, in the units that sums are done in."""
        return Limits(
            age_min_years=self["donor_age_min"].number,
            age_max_years=self["donor_age_max"].number,
            age_max_first_years=self["donor_age_max_first_time"].number,
            age_apheresis_min_years=self["donor_age_apheresis"].range.least,
            age_apheresis_max_years=self["donor_age_apheresis"].range.most,
            weight_min_whole_blood_kg=self["weight_min_350ml"].number,
            weight_min_apheresis_kg=self["weight_min_apheresis"].number,
            whole_blood_to_whole_blood_male_us=self["interval_wb_male"].number * DAY_US,
            whole_blood_to_whole_blood_us=self["interval_wb_female"].number * DAY_US,
            apheresis_to_whole_blood_us=self["wb_after_apheresis"].number * DAY_US,
            unreturned_apheresis_to_whole_blood_us=self["wb_after_apheresis_incomplete"].number * DAY_US,
            whole_blood_to_apheresis_us=self["apheresis_after_wb"].number * DAY_US,
            apheresis_to_apheresis_us=self["interval_apheresis"].number * DAY_US,
            n_apheresis_a_week=self["max_apheresis_per_week"].number,
            n_apheresis_a_year=self["max_apheresis_per_year"].number,
        )


INDIA_2020: Final = RuleSet(
    version="india-2020.1",
    rules=(
        Rule("donor_age_min", 18, "years", "item 2"),
        Rule("donor_age_max", 65, "years", "item 2"),
        Rule("donor_age_max_first_time", 60, "years", "item 2"),
        Rule("donor_age_apheresis", Range(18, 60), "years", "item 2"),
        Rule("weight_min_350ml", 45, "kg", "item 3"),
        Rule("weight_min_450ml", Above(55), "kg", "item 3"),
        Rule("weight_min_apheresis", 50, "kg", "item 3"),
        Rule("interval_wb_male", 90, "days", "item 4"),
        Rule("interval_wb_female", 120, "days", "item 4"),
        Rule("interval_apheresis", 2, "days", "item 4"),
        Rule("max_apheresis_per_week", 2, "donations", "item 4"),
        Rule("max_apheresis_per_year", 24, "donations", "item 4"),
        Rule("apheresis_after_wb", 28, "days", "item 4"),
        Rule("wb_after_apheresis", 28, "days", "item 4"),
        Rule("wb_after_apheresis_incomplete", 90, "days", "item 4"),
        Rule("after_marrow_harvest", 366, "days", "item 4"),
        Rule("after_pbsc_harvest", 183, "days", "item 4"),
        Rule("bp_systolic", Range(100, 140), "mmHg", "item 5"),
        Rule("bp_diastolic", Range(60, 90), "mmHg", "item 5"),
        Rule("pulse", Range(60, 100), "/min regular", "item 6"),
        Rule("temperature", "afebrile", "37 C / 98.4 F printed", "item 7"),
        Rule("haemoglobin_min", 12.5, "g/dL", "item 9"),
        Rule("meal_before", 4, "hours", "items 10-11"),
        Rule("delivery", 366, "days", "item 15"),
        Rule("abortion", 183, "days", "item 16"),
        Rule("breastfeeding", "while lactating", "", "item 17"),
        Rule("minor_illness", "until symptom-free", "", "items 19-20"),
        Rule("major_surgery", 366, "days", "item 24"),
        Rule("minor_surgery", 183, "days", "item 25"),
        Rule("received_transfusion", 366, "days", "item 26"),
        Rule("cardiac_disease", PERMANENT, "", "items 31-37"),
        Rule("epilepsy", PERMANENT, "", "item 40"),
        Rule("insulin_diabetes", PERMANENT, "", "items 43,101"),
        Rule("hepatitis_A_E", 366, "days", "item 46"),
        Rule("hepatitis_B_C_unknown", PERMANENT, "", "item 46"),
        Rule("close_contact_hepatitis", 366, "days", "items 47,49"),
        Rule("tattoo_piercing_acupuncture", 366, "days", "item 48"),
        Rule("malaria", 92, "days", "item 58"),
        Rule("typhoid", 366, "days", "item 59"),
        Rule("dengue_chikungunya", 183, "days", "item 60"),
        Rule("tuberculosis", 731, "days", "item 62"),
        Rule("bleeding_disorder", PERMANENT, "", "item 75"),
        Rule("malignancy", PERMANENT, "", "item 76"),
        Rule("vaccine_inactivated", 14, "days", "item 79"),
        Rule("vaccine_live", 28, "days", "item 80"),
        Rule("rabies_hbig", 366, "days", "item 82"),
        Rule("aspirin", 3, "days", "item 90"),
        Rule("antibiotics", 14, "days", "item 92"),
        Rule("isotretinoin_finasteride", 31, "days", "items 95-96"),
        Rule("dutasteride", 183, "days", "item 98"),
        Rule("transplant_recipient", PERMANENT, "", "item 103"),
        Rule("foreign_resident", 1096, "days", "item 104"),
    ),
)
"""The rules of India as of the amendment of 2020."""
