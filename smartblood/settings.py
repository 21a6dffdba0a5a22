"""What can be set from outside: ``SMARTBLOOD_…`` in the environment, or in a file ``.env``.

The environment wins over the file, a flag over both. Addresses and credentials are kept out of every ``repr``, and
errors name the variable, never its value.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from smartblood import dot_env
from smartblood.errors import Fatal
from smartblood.local.ports import LOOPBACK

PREFIX = dot_env.PREFIX
KAFKA_PREFIX = "SMARTBLOOD_KAFKA_"
MODELS_DIR = Path(__file__).parents[1] / "models_artifacts"

KM_MAX = 20_000.0
DAYS_MAX = 36_500.0
"""Nothing on earth is much farther."""

DISTANCES_MEANT = "use distances in km with commas between, each above the one before, from above 0 to 20000"

UNDERSCORED = {"log.level": "log_level"}
"""The librdkafka properties whose names have an underscore, which a variable's name can't tell from a dot."""


def _address(text: str) -> str:
    host_and_port(text)
    return text


def _slot(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,180}", text):
        message = "use letters, digits, dots, underscores and hyphens, at most 180"
        raise ValueError(message)
    return text


def _topic_prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,100}", text):
        message = "use letters, digits, dots, underscores and hyphens, at most 100"
        raise ValueError(message)
    return text


def _distances(given: object) -> object:
    """Read distances as text has them, with commas between."""
    if not isinstance(given, str):
        return given
    try:
        return tuple(float(part) for part in given.split(","))
    except ValueError:
        raise ValueError(DISTANCES_MEANT) from None


def _ascending(distances_km: tuple[float, ...]) -> tuple[float, ...]:
    bounds_km = (0.0, *distances_km)
    # Said in this way, what is no number is refused too.
    if not distances_km or not all(a < b <= KM_MAX for a, b in pairwise(bounds_km)):
        raise ValueError(DISTANCES_MEANT)
    return distances_km


class BadSettingError(Fatal):
    """A setting makes no sense: {variable}: {what}.

    Parameters
    ----------
    name : str
        The field of ``Settings``.
    what : str
        What is wrong with it, without its value.
    """

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{PREFIX}{name.upper()}: {what}")
        self.name = name
        self.what = what


Address = Annotated[str, AfterValidator(_address)]
Partitions = Annotated[int, Field(ge=1, le=1_000)]
Distances = Annotated[tuple[float, ...], NoDecode, BeforeValidator(_distances), AfterValidator(_ascending)]


class Settings(BaseSettings):
    """All settings, with their defaults.

    ``kafka`` holds every other ``SMARTBLOOD_KAFKA_…`` as the librdkafka property of that name, with dots for
    underscores. ``slot`` is None where it isn't set: see ``slot_of``. ``exploring_share`` is the share of lists that
    give their last place to somebody who was left out; ``reach_…`` are the rules of the same names in
    ``features.reach``, and all workers of ``matching`` need the same of both. ``late_days`` is how much older than the
    latest known of a donor an event may be to count in rates; all workers of ``donor-state`` need the same. How fast
    what a donor did fades is ``rate_half_life_days`` and ``fatigue_half_life_days``: see ``features.decay``; all
    workers of ``donor-state`` and ``matching`` need the same, and models were trained with the defaults.

    Models are judged by what came of the alerts of the last ``performance_window_days``, at most
    ``performance_alerts_max``, every ``performance_each_s``. On ``performance_requests_min`` requests or more it alarms
    where a feature's population stability index is above ``performance_psi_max``, the whole 95 % interval of observed ÷
    expected is farther than ``performance_off_max`` from 1, or the expected calibration error is more than
    ``performance_ece_max`` above what chance gives.

    ``schedules_file`` is a TOML file that changes and adds schedules: see ``producers.scheduling.tables``; all workers
    of ``scheduling`` need the same.

    ``forecast_wait_s`` is how long ``forecasting`` waits, once it has seen a trigger, for recording to take in what was
    there before. ``keep_…_days`` is for how long the record keeps what: matches with what came of them, logs of scoring
    runs, refused records, forecasts by the day that they speak of, judgements of models. Matches and logs are kept for
    longer than their topics are: what is read from there again must be known again.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    kafka_bootstrap_servers: str | None = None
    kafka: Annotated[Mapping[str, str], NoDecode] = Field(default_factory=dict, repr=False)
    database_url: str | None = Field(default=None, repr=False)
    schema_registry_url: str | None = Field(default=None, repr=False)
    http_address: Address | None = None
    metrics_address: Address | None = None
    api_keys_file: Path | None = None
    topic_prefix: Annotated[str, AfterValidator(_topic_prefix)] = ""
    slot: Annotated[str, AfterValidator(_slot)] | None = None
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    donor_partitions: Partitions = 12
    request_partitions: Partitions = 12
    output_partitions: Partitions = 12
    replication_factor: int = Field(default=1, ge=1, le=10)
    replay_horizon_days: int = Field(default=7, ge=1, le=365)
    models_dir: Path = MODELS_DIR
    models_map_sha256: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{64}$")
    exploring_share: float = Field(default=0.05, ge=0, le=1)
    reach_rings_km: Distances = (5.0, 10.0, 20.0, 35.0, 50.0)
    reach_ring_km_critical: float = Field(default=35.0, gt=0, le=KM_MAX)
    reach_wide_rings_km: Distances = (100.0, 250.0)
    reach_askable_factor: int = Field(default=2, ge=1, le=1_000)
    reach_top_k_open_enough: int = Field(default=200, ge=1, le=1_000_000)
    late_days: int = Field(default=30, ge=1, le=365)
    rate_half_life_days: float = Field(default=365.0, gt=0, le=DAYS_MAX)
    fatigue_half_life_days: float = Field(default=21.0, gt=0, le=DAYS_MAX)
    performance_window_days: int = Field(default=28, ge=1, le=3_650)
    performance_alerts_max: int = Field(default=20_000, ge=100, le=1_000_000)
    performance_each_s: float = Field(default=600.0, ge=1, le=86_400)
    performance_requests_min: int = Field(default=200, ge=1, le=1_000_000)
    performance_psi_max: float = Field(default=0.25, gt=0, le=100)
    performance_off_max: float = Field(default=0.3, gt=0, le=100)
    performance_ece_max: float = Field(default=0.05, gt=0, le=1)
    schedules_file: Path | None = None
    forecast_wait_s: float = Field(default=3_600.0, ge=0, le=86_400)
    keep_matches_days: int = Field(default=730, ge=120, le=36_500)
    keep_logs_days: int = Field(default=90, ge=8, le=36_500)
    keep_refused_days: int = Field(default=90, ge=1, le=36_500)
    keep_forecasts_days: int = Field(default=730, ge=35, le=36_500)
    keep_judgements_days: int = Field(default=730, ge=35, le=36_500)

    @field_validator("reach_ring_km_critical")
    @classmethod
    def _leaves_a_ring(cls, last_km: float, others: ValidationInfo) -> float:
        rings_km = others.data.get("reach_rings_km")
        if rings_km and last_km < rings_km[0]:
            message = "should not be less than the first ring of SMARTBLOOD_REACH_RINGS_KM"
            raise ValueError(message)
        return last_km

    @field_validator("reach_wide_rings_km")
    @classmethod
    def _begins_beyond(cls, wide_km: tuple[float, ...], others: ValidationInfo) -> tuple[float, ...]:
        rings_km = others.data.get("reach_rings_km")
        if rings_km and wide_km[0] <= rings_km[-1]:
            message = "should begin beyond the last ring of SMARTBLOOD_REACH_RINGS_KM"
            raise ValueError(message)
        return wide_km

    def topic(self, name: str) -> str:
        """Return the name that the cluster has for the contract's topic ``name``."""
        return self.topic_prefix + name

    def slot_of(self, worker: int, n_workers: int) -> str:
        """Return the stable name of a worker among its kind.

        Parameters
        ----------
        worker : int
            Its number, from 1.
        n_workers : int
            How many are started together; a single worker has the name that is set, as it stands.
        """
        if self.slot is not None:
            return self.slot if n_workers == 1 else f"{self.slot}-{worker}"
        host = re.sub(r"[^A-Za-z0-9._-]", "-", platform.node() or "host")
        return f"{host}-{worker}"

    def changed(self, **changes: Any) -> Settings:  # noqa: ANN401 - fields have types of their own
        """Return a copy with other values; what stands in the environment doesn't come in again."""
        return self.model_copy(update=changes)

    def environment(self) -> dict[str, str]:
        """Return the variables that make a child process see these very settings."""
        variables: dict[str, str] = {}
        for name, value in self:
            if name == "kafka":
                for key, text in self.kafka.items():
                    variables[KAFKA_PREFIX + key.replace(".", "_").upper()] = text
            elif isinstance(value, tuple):
                variables[PREFIX + name.upper()] = ",".join(map(str, value))
            else:
                variables[PREFIX + name.upper()] = "" if value is None else str(value)
        return variables


def load(**flags: Any) -> Settings:  # noqa: ANN401 - fields have types of their own
    """Read the settings; ``flags`` that are not None win.

    Raises
    ------
    BadSettingError
        If one of them makes no sense.
    Fatal
        If ``.env`` can't be read.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(kafka=_librdkafka_properties(), **given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        what = first["msg"].removeprefix("Value error, ")
        raise BadSettingError(str(first["loc"][0]), what[0].lower() + what[1:]) from None


def host_and_port(address: str) -> tuple[str, int]:
    """Split ``host:port``; without a host it is loopback.

    Raises
    ------
    ValueError
        If there is no port from 0 to 65535. Port 0 means any free one.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:
        message = "should be host:port, with a port from 0 to 65535"
        raise ValueError(message)
    return host.strip("[]") or LOOPBACK, int(port)


def _librdkafka_properties() -> dict[str, str]:
    variables = dot_env.variables() | {name.upper(): value for name, value in os.environ.items() if value}
    found = {}
    for name, value in variables.items():
        if name.startswith(KAFKA_PREFIX):
            key = name[len(KAFKA_PREFIX) :].lower().replace("_", ".")
            if key != "bootstrap.servers":
                found[UNDERSCORED.get(key, key)] = value
    return found
