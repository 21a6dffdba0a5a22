"""What the simulated world is like: every number of it, with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from features.districts import DISTRICTS

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The parameters of a simulated Kerala.

    A parameter whose comment says *assumption* has no source; sweep it before you believe what depends on it.

    References
    ----------
    McElfresh et al., Nature Machine Intelligence 2023. Bruhin et al., Transfusion 2015. Ribeirao Preto cohort of
    first-time donors (n = 115,553). Bosnes et al. (Oslo appointments). Lifeblood 2021. Anand 2014-15 (deferrals at an
    Indian centre). Pol-Blood, Kerala Police, 2021-25. GMC Kottayam rare-donor registry.
    """

    # Who is there.
    n_donors: int = 20_000
    history_days: int = 730
    # Mean of two coastal Karnataka studies, per cent; Oh is split by RhD as the rest is. Assumption for Kerala.
    group_percent: tuple[tuple[str, float], ...] = (
        ("O_POS", 39.3),
        ("B_POS", 25.9),
        ("A_POS", 24.2),
        ("AB_POS", 5.1),
        ("O_NEG", 2.3),
        ("B_NEG", 1.5),
        ("A_NEG", 1.4),
        ("AB_NEG", 0.3),
        ("OH_POS", 0.00945),
        ("OH_NEG", 0.00055),
    )
    group_unknown_share: float = 0.005  # assumption: registered before the first typing
    female_share: float = 0.065  # 5-8 % in Indian donor studies
    sex_other_share: float = 0.001  # assumption
    sex_unknown_share: float = 0.004  # assumption
    weight_unknown_share: float = 0.015  # assumption
    uncontactable_share: float = 0.03  # assumption
    apheresis_willing_share: float = 0.12  # assumption
    rural_share: float = 0.25  # assumption: of donors who live between the towns, not around one
    joined_within_history_share: float = 0.35  # assumption
    tenure_years_mean: float = 3.0  # assumption, of those who joined before
    never_gave_share: float = 0.12  # assumption, of those who joined before
    permanent_deferral_share: float = 0.004  # assumption

    # Two kinds of donors: Bruhin 2015, base rate and what a call adds to it.
    keen_share: float = 0.271
    keen_rate: float = 0.594 + 0.099
    other_rate: float = 0.058 + 0.058
    rate_concentration: float = 14.0  # assumption: Beta around the kind's rate
    decay_km_least: float = 5.0  # exp(-d/k), k of 5-20 km: simulations of McElfresh 2023
    decay_km_most: float = 20.0
    keen_show_up: float = 0.59  # Oslo
    other_show_up: float = 0.50  # Lifeblood 2021
    show_up_concentration: float = 8.0  # assumption
    cancelled_share: float = 0.75  # of those who don't come: a third cancel, 10 % are silent (Lifeblood 2021)

    # Giving unasked. 70 % ever return; 40 % within a year, 53 % within two (Ribeirao Preto).
    returns_share: float = 0.70
    keen_donations_per_year: float = 2.0  # assumption; the mixture is tested against the three figures above
    other_donations_per_year: float = 0.55
    gives_on_joining_share: float = 0.5  # assumption: joined at a drive
    leaving_per_year: float = 0.08  # assumption
    left_factor: float = 0.05  # assumption: what is left of the probability to answer

    # Answering an alert.
    fatigue_factor: float = 0.9  # on the odds, for each unanswered alert. Assumption: sweep it
    fatigue_half_life_days: float = 21.0  # 2-4 weeks. Assumption: sweep it
    urgency_odds: tuple[float, float, float, float] = (0.8, 1.0, 1.2, 1.5)  # LOW to CRITICAL. Assumption
    # By the request's district; 1 is as everywhere. No district is known to differ: for whoever wants to see what a
    # region does that answers in its own way.
    district_odds: tuple[tuple[str, float], ...] = tuple((district.name, 1.0) for district in DISTRICTS)
    other_group_odds: float = 0.8  # assumption: an appeal that names another group moves less
    night_odds: float = 0.5  # assumption: 23 to 6 o'clock
    office_odds: float = 0.85  # assumption: weekdays 9 to 17
    evening_odds: float = 1.2  # assumption: 17 to 21
    weekend_odds: float = 1.15  # assumption
    opened_share: float = 0.35  # assumption, of alerts without an answer
    declined_share: float = 0.22  # assumption, of alerts that are not accepted
    answer_minutes_median: float = 20.0  # with travel within the 30-60 min of GMC Kottayam's near list
    answer_minutes_spread: float = 0.6  # assumption: sd of the log of donors' medians
    answer_spread: float = 0.9  # assumption: sd of the log of one donor's answers
    alert_life_hours: float = 24.0  # assumption: unanswered until then, an alert has expired
    travel_km_per_hour: float = 25.0  # assumption: town traffic
    on_site_minutes: float = 35.0  # assumption: form, check, giving

    # At the door: 12.3 % deferred, women 58.7 %, men 8.9 % (Anand 2014-15).
    deferred_female: float = 0.587
    deferred_other: float = 0.089

    # Requests: Pol-Blood has 38 a day, 1.61 units each. The shares are assumptions.
    requests_per_day: float = 38.0
    units_mean: float = 1.61
    units_most: int = 10
    component_share: tuple[tuple[str, float], ...] = (
        ("RED_CELLS", 0.50),
        ("WHOLE_BLOOD", 0.30),
        ("PLATELETS", 0.15),
        ("PLASMA", 0.05),
    )
    urgency_share: tuple[tuple[str, float], ...] = (("LOW", 0.1), ("MEDIUM", 0.45), ("HIGH", 0.33), ("CRITICAL", 0.12))
    request_type_share: tuple[tuple[str, float], ...] = (("DIRECTED", 0.55), ("REPLACEMENT", 0.35), ("STOCK", 0.1))
    patient_group_unknown_share: float = 0.01
    patient_anti_d_share: float = 0.03  # of RhD-negative patients
    sign_off_share: float = 0.03

    # Who is asked in the history: not by one policy, so that nothing is learned from the chosen alone. Assumptions.
    alerts_per_donor_year: float = 1.5
    alerts_per_request: int = 16
    policy_share: tuple[tuple[str, float], ...] = (("RANDOM", 0.5), ("NEAREST", 0.3), ("RESPONSIVE", 0.2))

    updates_per_donor_year: float = 0.1  # assumption: absences, weights, willingness
