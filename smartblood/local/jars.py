"""The local broker's jars: a locked list, fetched once, never used unverified.

``jars.tsv`` names every artefact by its Maven coordinate and SHA-256. All are named one by one and fetched without
asking for what they depend on: mediation differs between resolvers, the list doesn't. They are hashed again before
each start of a broker, which costs less than a tenth of a second.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_chain, wait_fixed

from smartblood.errors import Fatal

HERE = Path(__file__).parent
KAFKA_VERSION = "4.3.1"
N_DOWNLOADS_AT_ONCE = 8
TIMEOUT_S = 30

PAUSES_S = (1.0, 3.0)
"""Before a download that failed is tried again: of some ninety one does now and then, where a name isn't found."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One artefact of the list; ``sha256`` in lower-case hex."""

    group: str
    artefact: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """``group:artefact:version``."""
        return f"{self.group}:{self.artefact}:{self.version}"

    @property
    def file_name(self) -> str:
        """What the file is called, here and in a repository."""
        return f"{self.artefact}-{self.version}.jar"


def listed(path: Path = HERE / "jars.tsv") -> tuple[Jar, ...]:
    """Read the locked list."""
    jars = []
    for line in path.read_text("utf-8").splitlines():
        coordinate, sha256 = line.split("\t")
        group, artefact, version = coordinate.split(":")
        jars.append(Jar(group, artefact, version, sha256))
    return tuple(jars)


def local_folder() -> Path:
    """Return where this project keeps what it fetched and what it started: ``.local`` in a checkout.

    Installed without a checkout, it is the user's cache folder.
    """
    checkout = HERE.parents[1]
    if (checkout / "pyproject.toml").is_file():
        return checkout / ".local"
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "smartblood-stream"


def default_folder() -> Path:
    """Return where the jars lie."""
    return local_folder() / f"kafka-{KAFKA_VERSION}" / "libs"


def verified(folder: Path, jars: tuple[Jar, ...] | None = None) -> list[Path]:
    """Return the jars' paths, once each was found to be what the list says.

    Raises
    ------
    Fatal
        If a jar is missing, or its digest differs.
    """
    jars = listed() if jars is None else jars
    missing = [jar for jar in jars if not (folder / jar.file_name).is_file()]
    if missing:
        message = f"{len(missing)} of the broker's {len(jars)} jars are not in {folder}; run `make install`"
        raise Fatal(message)
    with ThreadPoolExecutor(N_DOWNLOADS_AT_ONCE) as pool:  # hashing lets go of the interpreter
        return list(pool.map(lambda jar: _checked(folder / jar.file_name, jar), jars))


def fetch(
    folder: Path, jars: tuple[Jar, ...] | None = None, *, progress: Callable[[int, int], None] = lambda _n, _of: None
) -> list[Path]:
    """Bring the jars that ``folder`` lacks, check every digest, and return the paths.

    Parameters
    ----------
    folder : Path
        Where they belong; made where it isn't.
    jars : tuple of Jar, optional
        Those of the locked list unless given.
    progress : callable, optional
        Told how many of how many were brought.

    Raises
    ------
    Fatal
        If the repository can't be reached, the disk is full, or a digest differs. What differs is not kept.
    """
    jars = listed() if jars is None else jars
    missing = [jar for jar in jars if not (folder / jar.file_name).is_file()]
    if missing:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix="unverified-") as unverified:
                _download(missing, Path(unverified), folder, progress)
        except OSError as error:
            raise Fatal(_disk_trouble(error, folder)) from error
    return verified(folder, jars)


def _download(jars: list[Jar], unverified: Path, folder: Path, progress: Callable[[int, int], None]) -> None:
    from jgo.maven import MavenContext  # noqa: PLC0415 - only where something is to be fetched

    context = MavenContext(repo_cache=unverified, timeout=TIMEOUT_S)

    retrying = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, (OSError, RuntimeError)) and not _is_ours(error)),
        wait=wait_chain(*map(wait_fixed, PAUSES_S)),
        stop=stop_after_attempt(1 + len(PAUSES_S)),
        reraise=True,
    )

    def bring(jar: Jar) -> None:
        artefact = context.project(jar.group, jar.artefact).at_version(jar.version).artifact()
        try:
            path = Path(retrying(artefact.resolve))
        except (OSError, RuntimeError) as error:
            if _is_ours(error):
                raise
            raise Fatal(_why_not(jar, error)) from error
        _checked(path, jar)
        path.replace(folder / jar.file_name)

    with ThreadPoolExecutor(N_DOWNLOADS_AT_ONCE) as pool:
        try:
            for n_done, _ in enumerate(pool.map(bring, jars), start=1):
                progress(n_done, len(jars))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _checked(path: Path, jar: Jar) -> Path:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        message = (
            f"{path.name}: SHA-256 is {found}, the locked list says {jar.sha256}; "
            f"it is not used: delete {path} and run `make install`, and if it differs again, trust neither"
        )
        raise Fatal(message)
    return path


def _is_ours(error: BaseException) -> bool:
    """Tell trouble of this machine, such as a full disk, from that of the network."""
    return isinstance(error, OSError) and error.errno is not None  # the HTTP client's errors are OSErrors without


def _why_not(jar: Jar, error: OSError | RuntimeError) -> str:
    if isinstance(error, OSError):
        return f"can't fetch {jar.coordinate} from Maven Central: {_cause(error)}; check the network, try again"
    return f"can't fetch {jar.coordinate}: Maven Central doesn't have it or didn't answer; try again later"


def _cause(error: BaseException) -> str:
    """Return the innermost reason, which is what a reader can act on."""
    text = " ".join(str(error).split())
    for mark in ("NameResolutionError", "NewConnectionError", "ConnectTimeoutError", "SSLError", "ProxyError"):
        if mark in text:
            return {
                "NameResolutionError": "its name can't be resolved",
                "NewConnectionError": "no connection",
                "ConnectTimeoutError": "it doesn't answer",
                "SSLError": "its certificate isn't trusted here",
                "ProxyError": "the proxy refuses",
            }[mark]
    return type(error).__name__


def _disk_trouble(error: OSError, folder: Path) -> str:
    if error.errno == errno.ENOSPC:
        free = shutil.disk_usage(folder.parent if folder.parent.exists() else Path("/")).free
        return f"the disk is full ({free // 2**20} MB left at {folder}); the broker's jars take 60 MB: make room"
    return f"can't write the broker's jars to {folder}: {error.strerror}; make it writable"
