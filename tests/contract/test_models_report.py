"""``docs/models.md`` is what the manifest gives."""

from __future__ import annotations

from pathlib import Path

from smartblood import cli
from smartblood.registry.manifest import read_manifest
from smartblood.settings import MODELS_DIR
from smartblood.training.report import report_of

REPORT = Path(__file__).parents[2] / "docs/models.md"


def test_the_report_is_written_anew():
    # Mend it with: make docs
    assert REPORT.read_text("utf-8") == report_of(read_manifest(MODELS_DIR), MODELS_DIR)


def test_the_command_prints_it_or_writes_it(tmp_path, capsys):
    assert cli.exit_code(["models", "report"]) == 0
    assert capsys.readouterr().out == REPORT.read_text("utf-8")
    assert cli.exit_code(["models", "report", "--out", str(tmp_path / "models.md")]) == 0
    assert (tmp_path / "models.md").read_text("utf-8") == REPORT.read_text("utf-8")
    assert cli.exit_code(["models", "report", "--out", str(tmp_path / "nowhere/models.md")]) == 3
    assert "can't be written" in capsys.readouterr().err
