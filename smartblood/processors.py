"""The wiring: which processor answers to which name, what it is given, and what is told of it.

Everything is imported when it is asked for: recording needs no model, and donor state no database.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from smartblood.beside import Accompanied, Growth, Ones, Watched, Worker
from smartblood.errors import Fatal
from smartblood.models_there import artefacts_there, default_forecaster, references_there
from smartblood.settings import Settings

if TYPE_CHECKING:
    from consumers.releases import Release
    from features.decay import HalfLives
    from features.reach import ReachRules
    from features.scoring import Scorer
    from features.series import Forecaster
    from smartblood.performance.watching import Judging

LINES_MAX, DISTRICT_MAX = 10, 80
"""So many lines of one sort at once, and so many letters of what others named, tell enough."""

FORECAST_POLL_S = 0.5
"""A trigger comes once a week: nobody minds half a second."""


def donor_state(settings: Settings, slot: str) -> Worker:
    """Return a worker that folds events of donors into ``donor-states``."""
    from consumers.donor_state import DonorState  # noqa: PLC0415 - see the module's docstring
    from smartblood.kafka.client import Cluster  # noqa: PLC0415
    from smartblood.kafka.loop import Loop  # noqa: PLC0415
    from smartblood.kafka.schema_registry import LOOP_PATIENCE_S, codec_of  # noqa: PLC0415
    from smartblood.metrics import FACTS_DROPPED, SEEN_IDS_DROPPED  # noqa: PLC0415

    processor = DonorState(
        codec_of(settings, patience_s=LOOP_PATIENCE_S), late_days=settings.late_days, half_lives=half_lives(settings)
    )
    dropped = Growth()

    def look() -> None:
        SEEN_IDS_DROPPED.labels("donor-state").inc(dropped.since(processor.counts, "event_ids_dropped"))
        for what in ("requests", "outcomes", "statements"):
            FACTS_DROPPED.labels("donor-state", what).inc(dropped.since(processor.counts, f"{what}_dropped"))

    return Watched(Loop(processor, Cluster.of(settings), slot), look)


def matching(settings: Settings, slot: str) -> Worker:
    """Return a worker that answers requests with ``matches``; its kernels are compiled before it begins."""
    from consumers.matching import Matching  # noqa: PLC0415
    from features.ranking import ExploringRules  # noqa: PLC0415
    from smartblood.kafka.client import Cluster  # noqa: PLC0415
    from smartblood.kafka.loop import Loop  # noqa: PLC0415
    from smartblood.kafka.schema_registry import LOOP_PATIENCE_S, codec_of  # noqa: PLC0415
    from smartblood.logs import logger  # noqa: PLC0415
    from smartblood.metrics import (  # noqa: PLC0415
        IN_NO_DISTRICT,
        INDEX_BYTES,
        INDEX_DONORS,
        MODEL_VERSION,
        MODELS_REFUSED,
    )
    from smartblood.registry.loading import load_panel, load_released  # noqa: PLC0415

    models_dir, pinned = settings.models_dir, settings.models_map_sha256

    def load(release: Release) -> Scorer:
        return load_released(models_dir, release.model, release.version, release.sha256, pinned=pinned)

    processor = Matching(
        codec_of(settings, patience_s=LOOP_PATIENCE_S),
        load_panel(models_dir, pinned=pinned),
        reach=reach_rules(settings),
        exploring=ExploringRules(share=settings.exploring_share),
        half_lives=half_lives(settings),
        load=load,
        timer=time.perf_counter,
    )
    processor.warm()
    log = logger(processor="matching", slot=slot)
    versions, refused = Ones(MODEL_VERSION), Ones(MODELS_REFUSED)

    def look() -> None:
        INDEX_DONORS.labels("matching", slot).set(processor.index.n_donors)
        INDEX_BYTES.labels("matching", slot).set(processor.index.n_bytes)
        versions.show((one.name, one.version, one.sha256, role) for one, role in processor.models.in_use())
        refused.show(processor.models.refused)
        lost = processor.in_no_district[:]
        del processor.in_no_district[: len(lost)]
        IN_NO_DISTRICT.labels("matching").inc(len(lost))
        for request_id, district in lost[:LINES_MAX]:
            log.warning("a request's district isn't known", request_id=request_id, district=district[:DISTRICT_MAX])
        if len(lost) > LINES_MAX:
            log.warning("more requests' districts aren't known", n_requests=len(lost) - LINES_MAX)
        while processor.alarms:
            log.warning("needs a look", what=processor.alarms.pop(0))

    return Watched(Loop(processor, Cluster.of(settings), slot), look)


def half_lives(settings: Settings) -> HalfLives:
    """Return how fast what a donor did fades."""
    from features.decay import HalfLives  # noqa: PLC0415

    return HalfLives(settings.rate_half_life_days, settings.fatigue_half_life_days)


def reach_rules(settings: Settings) -> ReachRules:
    """Return how far and for whom ``matching`` looks; what has no setting is as the contract says."""
    from features.reach import ReachRules  # noqa: PLC0415

    return ReachRules(
        rings_km=settings.reach_rings_km,
        ring_km_critical=settings.reach_ring_km_critical,
        wide_rings_km=settings.reach_wide_rings_km,
        askable_factor=settings.reach_askable_factor,
        top_k_open_enough=settings.reach_top_k_open_enough,
    )


def recording(settings: Settings, slot: str) -> Worker:
    """Return a worker that keeps the record in Postgres, judges the models by it, and does its maintenance."""
    from smartblood.kafka.schema_registry import LOOP_PATIENCE_S, codec_of  # noqa: PLC0415
    from smartblood.logs import logger  # noqa: PLC0415
    from smartblood.maintenance.watching import Keeping, Maintenance  # noqa: PLC0415
    from smartblood.performance.watching import PerformanceWatch  # noqa: PLC0415
    from smartblood.storage.recorder import Recorder  # noqa: PLC0415
    from smartblood.storage.upkeep import Upkeep  # noqa: PLC0415

    recorder = Recorder(
        settings,
        slot,
        codec=codec_of(settings, patience_s=LOOP_PATIENCE_S),
        tell_artefacts=lambda: artefacts_there(settings),
    )
    log = logger(processor="recording", slot=slot)

    def is_up_to_date() -> bool:
        return recorder.ready and not recorder.is_behind

    watch = PerformanceWatch(
        judging(settings), settings.performance_each_s, is_up_to_date, lambda: recorder.n_recorded, log
    )
    keeping = Keeping(kept_days(settings), settings.rate_half_life_days)
    maintenance = Maintenance(Upkeep(database_url(settings)), keeping, is_up_to_date, log)
    return Accompanied(recorder, watch.run, maintenance.run)


def forecasting(settings: Settings, slot: str) -> Worker:
    """Return a worker that answers ``forecast-triggered``; the model is read when the first one comes."""
    from consumers.forecasting import Forecasting  # noqa: PLC0415
    from smartblood.demand.history import DemandHistory  # noqa: PLC0415
    from smartblood.kafka.client import Cluster  # noqa: PLC0415
    from smartblood.kafka.loop import Loop  # noqa: PLC0415
    from smartblood.kafka.schema_registry import LOOP_PATIENCE_S, codec_of  # noqa: PLC0415
    from smartblood.kafka.tuning import Tuning  # noqa: PLC0415
    from smartblood.logs import logger  # noqa: PLC0415
    from smartblood.metrics import MODEL_VERSION, MODELS_REFUSED  # noqa: PLC0415
    from smartblood.storage.demand_days import DemandDays  # noqa: PLC0415

    models_dir, pinned = settings.models_dir, settings.models_map_sha256

    def load(release: Release) -> Forecaster:
        from smartblood.registry.loading import load_released_forecaster  # noqa: PLC0415 - see LateForecaster

        return load_released_forecaster(models_dir, release.version, release.sha256, pinned=pinned)

    cluster, log = Cluster.of(settings), logger(processor="forecasting", slot=slot)
    record = DemandDays(database_url(settings))
    processor = Forecasting(
        codec_of(settings, patience_s=LOOP_PATIENCE_S),
        default_forecaster(settings),
        DemandHistory(record, cluster, settings.forecast_wait_s, log),
        load=load,
        timer=time.perf_counter,
    )
    versions, refused = Ones(MODEL_VERSION), Ones(MODELS_REFUSED)

    def look() -> None:
        champion = processor.champion.forecaster
        versions.show([(champion.name, champion.version, champion.sha256, "champion")])
        refused.show((release.model, release.version) for release in [*processor.champion.refused])
        while processor.alarms:
            log.warning("needs a look", what=processor.alarms.pop(0))

    return Watched(Loop(processor, cluster, slot, tuning=Tuning(poll_s=FORECAST_POLL_S)), look)


def kept_days(settings: Settings) -> Mapping[str, int]:
    """Return for how many days the record keeps what, by the kinds of ``smartblood.storage.upkeep``."""
    from smartblood.storage.upkeep import REQUEST_EVENTS_DAYS  # noqa: PLC0415

    matches, judgements = settings.keep_matches_days, settings.keep_judgements_days
    return {
        "matches": matches,
        "responses": matches,
        "outcomes": matches,
        "logs": settings.keep_logs_days,
        "refused": settings.keep_refused_days,
        "request_events": REQUEST_EVENTS_DAYS,
        "forecasts": settings.keep_forecasts_days,
        "performance": judgements,
        "drift": judgements,
    }


def database_url(settings: Settings) -> str:
    """Return where Postgres is.

    Raises
    ------
    Fatal
        If nothing says so.
    """
    if not settings.database_url:
        message = "no Postgres is named: set SMARTBLOOD_DATABASE_URL, or use `smartblood up`"
        raise Fatal(message)
    return settings.database_url


def scheduling(settings: Settings, slot: str) -> Worker:
    """Return a worker that fires what is scheduled while it leads, and else stands by."""
    from producers.scheduling.scheduler import Scheduler  # noqa: PLC0415 - see the module's docstring
    from smartblood.kafka.client import Cluster  # noqa: PLC0415
    from smartblood.kafka.schema_registry import LOOP_PATIENCE_S, codec_of  # noqa: PLC0415
    from smartblood.scheduling.file import schedules_in  # noqa: PLC0415
    from smartblood.scheduling.worker import Scheduling  # noqa: PLC0415

    scheduler = Scheduler(schedules_in(settings.schedules_file), codec_of(settings, patience_s=LOOP_PATIENCE_S))
    return Scheduling(scheduler, Cluster.of(settings), slot)


def judging(settings: Settings) -> Judging:
    """Return how models are judged by what is recorded."""
    from smartblood.performance.judgement import Limits  # noqa: PLC0415
    from smartblood.performance.watching import Judging  # noqa: PLC0415
    from smartblood.storage.performance import Judgements  # noqa: PLC0415

    return Judging(
        Judgements(database_url(settings)),
        lambda: references_there(settings),
        Limits(
            settings.performance_requests_min,
            settings.performance_psi_max,
            settings.performance_off_max,
            settings.performance_ece_max,
        ),
        settings.performance_window_days,
        settings.performance_alerts_max,
    )


MAKERS: dict[str, Callable[[Settings, str], Worker]] = {
    "donor-state": donor_state,
    "matching": matching,
    "recording": recording,
    "forecasting": forecasting,
    "scheduling": scheduling,
}
