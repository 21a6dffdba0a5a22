from __future__ import annotations

import os
from pathlib import Path

import pytest

import features.kernels
from tests.nursery import started

CALLED = "from features.kernels import kernel\n\nPART = {part}\n\n@kernel\ndef part():\n    return PART\n"
CALLING = (
    "from features.kernels import kernel\nfrom features.called import part\n\n"
    "@kernel\ndef whole():\n    return 10 * part()\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project of two kernels, one of which calls the other; each test leaves it compiled."""
    folder = tmp_path_factory.mktemp("project") / "features"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "kernels.py").write_text(Path(features.kernels.__file__).read_text("utf-8"), "utf-8")
    (folder / "calling.py").write_text(CALLING, "utf-8")
    (folder / "called.py").write_text(CALLED.format(part=1), "utf-8")
    assert asked(folder) == ["10", "0"]
    return folder


def asked(folder):
    """What a new process gets from the kernel, and how often it took what was compiled before."""
    said = folder.parent / "said"
    cache = {"NUMBA_CACHE_DIR": str(folder.parent / "cache")}
    with said.open("wb") as output:
        process = started("tests.unit.asked_kernel", folder.parent, env={**os.environ, **cache}, output=output)
    assert process.wait(60) == 0, said.read_text()
    return said.read_text().split()


def test_what_was_compiled_is_compiled_anew_when_what_it_calls_changes(folder):
    assert asked(folder) == ["10", "1"]
    (folder / "called.py").write_text(CALLED.format(part=2), "utf-8")
    assert asked(folder) == ["20", "0"]
    (folder / "called.py").write_text(CALLED.format(part=1), "utf-8")
    assert asked(folder) == ["10", "0"]


@pytest.mark.parametrize("ending", [".nbi", ".nbc"], ids=["index", "code"])
@pytest.mark.parametrize("spoil", [lambda kept: kept[: len(kept) // 2], lambda _: b"", lambda kept: bytes(len(kept))])
def test_what_a_power_cut_left_unreadable_is_compiled_anew_and_kept(folder, ending, spoil):
    files = list((folder.parent / "cache").rglob(f"*{ending}"))
    assert files
    for file in files:
        file.write_bytes(spoil(file.read_bytes()))
    assert [asked(folder), asked(folder)] == [["10", "0"], ["10", "1"]]
