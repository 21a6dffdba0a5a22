"""What ``donor-state`` knows of a donor, against a computation from scratch over all that came."""

import math

import pytest

from consumers.donor_state.processor import DonorState
from consumers.driver import Driver
from schemas.codec import Codec
from tests.oracle import donors, worlds
from tests.oracle.worlds import DAY

N_APHERESIS, N_PROMISES = 24, 2
SINCE_ASKED = 30 * DAY


def known_after(records, rng):
    """Run the records through the processor, in batches as they come; return the last state of each donor."""
    driver = Driver([DonorState(Codec())])
    for donor_id, (topic, event, timestamp_ms) in records:
        driver.send(topic, str(donor_id), event, timestamp_ms=timestamp_ms)
        if rng.random() < 0.3:
            driver.run(batch_size=int(rng.integers(1, 5)))
    driver.run()
    assert driver.records("dead-letters") == []
    return {state["donor_id"]: state for state in driver.events("donor-states")}


def departures(state, history):
    """What a state says otherwise than the oracle."""
    wanted = donors.facts(history)
    if wanted["erased_at"] is not None or wanted["registered_at"] is None:
        shown = {name: state[name] for name in ("erased_at", "last_erased_at", "registered_at")}
        expected = {name: wanted[name] for name in shown}
        return [] if shown == expected else [f"{shown} instead of {expected}"]
    latest_at = max(event["occurred_at"] for _, event, _ in history if event is not None)
    shown = {name: state[name] for name in wanted if name not in {"apheresis", "deferrals", "promises", "asked"}}
    expected = {name: wanted[name] for name in shown}
    shown["apheresis"] = [(one["given_at"], one["red_cells_returned"]) for one in state["apheresis"]]
    expected["apheresis"] = sorted(wanted["apheresis"].items(), reverse=True)[:N_APHERESIS]
    shown["last_unreturned"] = state["last_unreturned_apheresis_at"]
    expected["last_unreturned"] = max((at for at, back in wanted["apheresis"].items() if not back), default=None)
    today = (latest_at + worlds.KOLKATA) // DAY
    shown["deferrals"] = still_blocking([(one["rule_item"], one["until"]) for one in state["deferrals"]], today)
    expected["deferrals"] = still_blocking(wanted["deferrals"], today)
    shown["promises"] = [one["promised_at"] for one in state["promises"]]
    expected["promises"] = sorted(wanted["promises"].values(), reverse=True)[:N_PROMISES]
    shown["asked"] = {
        one["request_id"]: one["responded_at"]
        for one in state["asked"]
        if one["responded_at"] >= latest_at - SINCE_ASKED
    }
    expected["asked"] = {of: at for of, at in wanted["asked"].items() if at >= latest_at - SINCE_ASKED}
    lines = [f"{name}: {shown[name]} instead of {expected[name]}" for name in shown if shown[name] != expected[name]]
    promises = {one["request_id"]: one["promised_at"] for one in state["promises"]}
    if not promises.items() <= wanted["promises"].items():
        lines.append(f"promises: {promises}, of which not all are open: {wanted['promises']}")
    return lines


def still_blocking(deferrals, today):
    """What still blocks today; unnamed ones of which another outlasts them needn't be told apart."""
    days = {}
    for item, until in deferrals:
        last_day = math.inf if until is None else until
        if last_day >= today:
            days[item] = max(days.get(item, last_day), last_day)
    return days


@pytest.mark.parametrize(
    ("seed", "n_donors"), [(0, 300), *(pytest.param(seed, 3_000, marks=pytest.mark.soak) for seed in range(1, 11))]
)
def test_a_donor_is_known_as_the_oracle_knows_them_whatever_the_order(seed, n_donors):
    rng = worlds.generator(61, seed)
    histories = {
        donor_id: worlds.history(rng, donor_id, int(rng.integers(1, 40))) for donor_id in range(1, n_donors + 1)
    }
    records = [(donor_id, record) for donor_id, history in histories.items() for record in history]
    states = known_after(records, rng)
    wrong = {
        donor_id: found
        for donor_id, history in histories.items()
        if donor_id in states and (found := departures(states[donor_id], history))
    }
    assert wrong == {}
    assert len(states) >= n_donors * 0.95
