"""``model_artifacts``: the champion of each model, worked out of all releases, and what its artefact is.

A version whose artefact isn't there with the digest that was released is passed over, as whoever scores does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert

from consumers.recording.rows import ReleaseRow
from smartblood.storage.bulk import Incoming
from smartblood.storage.tables import MODEL_ARTIFACTS, MODEL_RELEASES

RELEASES = Incoming(MODEL_RELEASES, ReleaseRow._fields)
PUT_RELEASES = (
    insert(MODEL_RELEASES)
    .from_select(list(ReleaseRow._fields), select(*RELEASES.rows.c))
    .on_conflict_do_nothing(index_elements=["event_id"])
)
"""An event that was published again is no second word."""


class Artefact(NamedTuple):
    """One version of a model: what its manifest says; ``as_of`` is what its training data ends with, microseconds."""

    version: str
    sha256: str
    path: str
    metadata: Mapping[str, Any]
    as_of: int
    is_default: bool


Artefacts = Callable[[], Mapping[str, list[Artefact]]]
"""Tells what artefacts there are of each model, as far as anything is known of it."""


def no_artefacts() -> Mapping[str, list[Artefact]]:
    """Tell of none."""
    return {}


def settle(connection: Connection, models: Iterable[str], artefacts: Mapping[str, list[Artefact]]) -> None:
    """Show the champion of each of ``models``; none is active where no artefact of it is there.

    What is shown of a model that ``artefacts`` doesn't know stays.
    """
    for model in sorted(set(models)):
        there = artefacts.get(model, [])
        found = _released(connection, model, there) or _default(there)
        if found is not None:
            _put(connection, model, *found)
        elif model in artefacts:
            connection.execute(update(MODEL_ARTIFACTS).filter_by(model_name=model).values(is_active=False))


def released_models(connection: Connection) -> list[str]:
    """Return the models of which anything was ever released."""
    return list(connection.scalars(select(MODEL_RELEASES.c.model_name).distinct()))


def forget_releases(connection: Connection) -> set[str]:
    """Forget all that was ever released, and return the models of which it was."""
    return set(connection.scalars(delete(MODEL_RELEASES).returning(MODEL_RELEASES.c.model_name)))


def _released(connection: Connection, model: str, there: list[Artefact]) -> tuple[Artefact, Any] | None:
    """Return the champion, and since when: of the versions whose last word says so the one released last.

    A version is one with its digest; it is retired whatever its digest.
    """
    known = {(one.version, one.sha256): one for one in there}
    releases = MODEL_RELEASES.c
    later = MODEL_RELEASES.alias("later")
    is_retired = exists().where(
        later.c.model_name == model,
        later.c.version == releases.version,
        later.c.role == "retired",
        later.c.release_offset > releases.release_offset,
    )
    last = (
        select(releases.version, releases.sha256, releases.role, releases.released_at, releases.release_offset)
        .where(releases.model_name == model, releases.role != "retired", ~is_retired)
        .ext(distinct_on(releases.version, releases.sha256))
        .order_by(releases.version, releases.sha256, releases.release_offset.desc())
        .subquery("last")
    )
    champions = select(last).where(last.c.role == "champion").order_by(last.c.release_offset.desc())
    for row in connection.execute(champions):
        artefact = known.get((row.version, row.sha256))
        if artefact is not None:
            return artefact, row.released_at
    return None


def _default(there: list[Artefact]) -> tuple[Artefact, None] | None:
    return next(((one, None) for one in there if one.is_default), None)


def _put(connection: Connection, model: str, artefact: Artefact, released_at: Any) -> None:  # noqa: ANN401 - a row's
    as_of = func.to_timestamp(literal(artefact.as_of / 1e6)) if released_at is None else released_at
    statement = insert(MODEL_ARTIFACTS).values(
        model_name=model,
        version=artefact.version,
        artifact_path=artefact.path,
        metadata_json=dict(artefact.metadata),
        is_active=True,
        deployed_at=released_at,
        created_at=as_of,
        updated_at=as_of,
    )
    changed = ("version", "artifact_path", "metadata_json", "is_active", "deployed_at", "updated_at")
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["model_name"], set_={name: statement.excluded[name] for name in changed}
        )
    )
