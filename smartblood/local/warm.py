"""What is made once for all brokers of this machine, so that each starts in a second or two."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from smartblood.local.broker import LocalBroker
from smartblood.local.java import aot_cache, bootstrap_template

STOP_WITHIN_S = 120.0


def warm(libs: Path) -> bool:
    """Run a broker once, and keep what it loaded; does nothing where that was done.

    Parameters
    ----------
    libs : Path
        Where the verified jars lie.

    Returns
    -------
    bool
        Whether brokers start quickly now. Where not, they start all the same.

    Raises
    ------
    Fatal
        If the broker can't be started.
    """
    classes, template = aot_cache(libs), bootstrap_template(libs)
    if classes.is_file() and template.is_file():
        return True
    with tempfile.TemporaryDirectory(dir=libs.parent, prefix="warming-") as folder:
        made = Path(folder) / classes.name
        broker = LocalBroker(Path(folder) / "kafka", libs=libs, java_flags=(f"-XX:AOTCacheOutput={made}",))
        try:
            broker.start()
        finally:
            broker.stop(within_s=STOP_WITHIN_S)  # the classes are written when it ends
        _keep(broker.folder / "data" / template.name, template)
        if made.is_file():
            for old in libs.parent.glob("classes-*.aot"):
                old.unlink()
            _keep(made, classes)
    return classes.is_file()


def _keep(path: Path, where: Path) -> None:
    passing = where.with_name(f"{where.name}.{os.getpid()}")
    shutil.copyfile(path, passing)
    passing.replace(where)  # at once, for whoever starts a broker meanwhile
