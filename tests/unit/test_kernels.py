from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import features.kernels

CALLED = "from features.kernels import kernel\n\nPART = {part}\n\n@kernel\ndef part():\n    return PART\n"
CALLING = (
    "from features.kernels import kernel\nfrom features.called import part\n\n"
    "@kernel\ndef whole():\n    return 10 * part()\n"
)


def test_what_was_compiled_is_compiled_anew_when_what_it_calls_changes(tmp_path):
    folder = tmp_path / "features"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "kernels.py").write_text(Path(features.kernels.__file__).read_text("utf-8"), "utf-8")
    (folder / "calling.py").write_text(CALLING, "utf-8")
    answers = []
    for part in (1, 1, 2):
        text = CALLED.format(part=part)
        if not (folder / "called.py").exists() or (folder / "called.py").read_text("utf-8") != text:
            (folder / "called.py").write_text(text, "utf-8")
        code = "from features.calling import whole; print(whole(), sum(whole.stats.cache_hits.values()))"
        answers.append(
            subprocess.run(
                [sys.executable, "-c", code],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
        )
    assert answers == [["10", "0"], ["10", "1"], ["20", "0"]]
