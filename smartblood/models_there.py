"""What models there are, as the manifest lists them, told to whoever needs no more than that.

Nothing that evaluates a model is imported for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from smartblood.errors import Fatal
from smartblood.settings import Settings

if TYPE_CHECKING:
    from features.series import Forecaster
    from smartblood.performance.judgement import References
    from smartblood.storage.artefacts import Artefact


def references_there(settings: Settings) -> References:
    """Tell what drift is measured against, of each version that the manifest lists; of none where it can't be read."""
    from features.drift import from_json  # noqa: PLC0415
    from smartblood.logs import logger  # noqa: PLC0415
    from smartblood.registry.manifest import read_manifest  # noqa: PLC0415

    log, found = logger(processor="recording"), {}
    try:
        entries = read_manifest(settings.models_dir, settings.models_map_sha256).entries
    except Fatal as error:
        log.warning("no drift is measured", why=str(error))
        return {}
    for entry in entries:
        try:
            found[entry.name, entry.version] = from_json(entry.reference)
        except ValueError as error:
            log.warning("no drift is measured", model=entry.name, version=entry.version, why=str(error))
    return found


def artefacts_there(settings: Settings) -> Mapping[str, list[Artefact]]:
    """Tell what artefacts there are of each model that the manifest lists; of none where no manifest can be read.

    A version that whoever scores refuses is passed over: all is looked at that is before an artefact is deserialised.
    """
    from smartblood.logs import logger  # noqa: PLC0415
    from smartblood.registry.checks import checked_bytes  # noqa: PLC0415
    from smartblood.registry.manifest import read_manifest  # noqa: PLC0415
    from smartblood.storage.artefacts import Artefact  # noqa: PLC0415

    found: dict[str, list[Artefact]] = {}
    log = logger(processor="recording")
    try:
        manifest = read_manifest(settings.models_dir, settings.models_map_sha256)
    except Fatal as error:
        log.warning("model_artifacts stays as it is", why=str(error))
        return found
    for entry in manifest.entries:
        listed = found.setdefault(entry.name, [])
        try:
            checked_bytes(settings.models_dir, entry)
        except Fatal as error:
            log.warning("an artefact is passed over", why=str(error))
            continue
        metadata = {name: value for name, value in entry.as_json().items() if name not in {"name", "version", "file"}}
        is_default = manifest.defaults.get(entry.name) == entry.version
        as_of = entry.training_data.get("ends_at", 0)
        listed.append(Artefact(entry.version, entry.sha256, entry.file, metadata, as_of, is_default))
    return found


def default_forecaster(settings: Settings) -> Forecaster:
    """Return the default version of the model of demand, whose artefact is checked now, and read when it is needed.

    Raises
    ------
    Fatal
        If it isn't there, or is refused.
    """
    from consumers.forecasting.champion import MODEL  # noqa: PLC0415
    from smartblood.demand.late import LateForecaster  # noqa: PLC0415
    from smartblood.registry.checks import checked_bytes  # noqa: PLC0415
    from smartblood.registry.manifest import read_manifest  # noqa: PLC0415

    models_dir, pinned = settings.models_dir, settings.models_map_sha256
    entry = read_manifest(models_dir, pinned).entry(MODEL, None)
    # The very bytes that were checked: what becomes of the file until the first trigger stops nobody.
    data = checked_bytes(models_dir, entry)

    def read() -> Forecaster:
        from smartblood.registry.loading import read_forecaster  # noqa: PLC0415

        return read_forecaster(entry, data)

    return LateForecaster(entry.name, entry.version, entry.sha256, read)
