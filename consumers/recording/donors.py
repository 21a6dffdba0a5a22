"""``donor-states`` → ``donors`` and the erased; deferral items, being health data, go no further than this module."""

from __future__ import annotations

from collections.abc import Iterable

from consumers.recording.rows import DepartureRow, DonorRow, ErasureRow
from consumers.recording.texts import finite, text_of
from features.compatibility import GROUPS, group_text
from features.eligibility import Procedure, eligible_span, facts_of
from features.rule_set import RuleSet
from schemas.records import Event, Record

LAST_INSTANT = 253_402_300_799_999_999
"""The end of the year 9999: a span that begins or ends later begins or ends never."""

FIRST_INSTANT = -62_135_596_800_000_000
GROUP_TEXT = {group: group_text(group) for group in GROUPS}


def donor_rows(record: Record, event: Event, rules: RuleSet) -> tuple[DonorRow | DepartureRow | ErasureRow, ...]:
    """Return what is to be shown of a donor, and the erasure where there was one.

    Parameters
    ----------
    record : Record
        Where the state lies.
    event : Event
        From ``donor-states``.
    rules : RuleSet
        What the next eligible instants are worked out by.

    Raises
    ------
    InvalidRecord
        If a score is no finite number.
    """
    donor_id, erased_at = event["donor_id"], event["last_erased_at"]
    is_gone = event["registered_at"] is None or event["erased_at"] is not None
    shown = DepartureRow(donor_id) if is_gone else _row(event, rules)
    if erased_at is None:
        return (shown,)
    return shown, ErasureRow(donor_id, erased_at, record.partition, record.offset)


def _row(event: Event, rules: RuleSet) -> DonorRow:
    facts = facts_of(event)
    given = [event["last_whole_blood_at"], *(apheresis["given_at"] for apheresis in event["apheresis"])]
    whole_blood = eligible_span(facts, Procedure.WHOLE_BLOOD, rules)
    apheresis = eligible_span(facts, Procedure.APHERESIS, rules)
    promises_left, kept_left = _promises(event)
    return DonorRow(
        id=event["donor_id"],
        blood_group=GROUP_TEXT[event["blood_group"]],
        district=text_of(event["district"]),
        joined_at=event["joined_at"],
        contactable=event["contactable"],
        apheresis_willing=event["apheresis_willing"],
        total_donations=event["total_donations"],
        last_donation_at=max((at for at in given if at is not None), default=None),
        n_alerts=event["n_alerts"],
        n_answers=event["n_answers"],
        n_promises=event["n_promises"],
        n_kept=event["n_kept"],
        availability_score=finite(event["availability_score"], "availability_score"),
        reliability_score=finite(event["reliability_score"], "reliability_score"),
        reliability_sd=finite(event["reliability_sd"], "reliability_sd"),
        response_time_hours=finite(event["response_time_hours"], "response_time_hours"),
        next_whole_blood_at=_instant(whole_blood[0]),
        whole_blood_until=_instant(whole_blood[1]),
        next_apheresis_at=_instant(apheresis[0]),
        apheresis_until=_instant(apheresis[1]),
        rule_set_version=rules.version,
        updated_at=event["occurred_at"],
        promises_left=promises_left,
        kept_left=kept_left,
        reliability_at=event["occurred_at"],
    )


def _promises(event: Event) -> tuple[float, float]:
    """Return what is left of promises, and of those kept; counts stand in where a state tells of nothing that fades."""
    promises, kept = event["promises_decayed"], event["kept_decayed"]
    if promises is None and event["alerts_decayed"] is None:
        promises, kept = float(event["n_promises"]), float(event["n_kept"])
    return finite(promises or 0.0, "promises_decayed"), finite(kept or 0.0, "kept_decayed")


def _instant(at: int) -> int | None:
    return max(at, FIRST_INSTANT) if at <= LAST_INSTANT else None


def folded_donors(rows: Iterable[DonorRow | DepartureRow]) -> tuple[list[DonorRow], list[DepartureRow]]:
    """Return the last row of each donor, those to be shown and those not, by id; rows come in the order of offsets."""
    last = {row.id: row for row in rows}
    ordered = [last[key] for key in sorted(last)]
    shown = [row for row in ordered if isinstance(row, DonorRow)]
    return shown, [row for row in ordered if isinstance(row, DepartureRow)]


def folded_erasures(rows: Iterable[ErasureRow]) -> list[ErasureRow]:
    """Return the latest erasure of each donor, by id; of records that say the same, the first, by offset."""
    found: dict[int, ErasureRow] = {}
    for row in rows:
        known = found.get(row.donor_id)
        if known is None or row.erased_at > known.erased_at:
            found[row.donor_id] = row
    return [found[key] for key in sorted(found)]
