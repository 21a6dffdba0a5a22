"""What the file ``.env`` in the working folder says of our variables; whatever else it says is for others.

An empty variable counts as not set, here as in the settings.
"""

from __future__ import annotations

import os
from pathlib import Path

from smartblood.errors import Fatal

PREFIX = "SMARTBLOOD_"
FILE = ".env"


def into_environment() -> None:
    """Put what ``.env`` says of ``SMARTBLOOD_…`` variables that aren't set into the environment.

    The settings read the file by themselves, but flags that belong to one command alone are read by click, which knows
    the environment only.

    Raises
    ------
    Fatal
        If the file can't be read.
    """
    there = {name.upper() for name, value in os.environ.items() if value}
    for name, value in variables().items():
        if name not in there:
            os.environ[name] = value


def variables() -> dict[str, str]:
    """Return what ``.env`` says of ``SMARTBLOOD_…`` variables, by their names in capitals.

    Raises
    ------
    Fatal
        If the file can't be read.
    """
    if not Path(FILE).exists():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 - a command is to start quickly where there is no such file

    try:
        said = dotenv_values(FILE)
    except UnicodeDecodeError as error:
        message = f"{FILE}: byte {error.start} is not UTF-8; write the file anew"
        raise Fatal(message) from None
    except OSError as error:
        message = f"{FILE}: can't be read: {error.strerror}; make it readable, or work in another folder"
        raise Fatal(message) from None
    found = {name.upper(): value for name, value in said.items() if value and name.upper().startswith(PREFIX)}
    for name, value in found.items():
        if "\0" in value:  # no environment can hold it
            message = f"{FILE}: {name} has a zero byte in it; write the file anew"
            raise Fatal(message)
    return found
