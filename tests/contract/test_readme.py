"""What README.md and docs/ name exists: commands with their options, targets of make, variables, metrics, alarms."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from smartblood.scheduling.file import schedules_in
from smartblood.settings import KAFKA_PREFIX, PREFIX, Settings
from tests.contract.command_lines import all_commands, fault_of, found, is_metric, is_variable

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs/adr").glob("*.md"))]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
TEXTS = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in DOCUMENTS}
PROGRAM = re.compile(r"(\.venv/bin/)?smartblood")
FIELDS = {name: field for name, field in Settings.model_fields.items() if name != "kafka"}


def lines(text):
    """Unindented lines of fenced blocks, cut where a shell cuts them; without comments."""
    for block in FENCE.findall(text):
        for line in block.splitlines()[1:-1]:
            if line and not line[0].isspace():
                yield from (part.strip() for part in re.split(r"&&|\|", re.sub(r"(^|\s)#.*", "", line)))


def spans(text):
    """Inline code, each in one line."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", FENCE.sub("", text))]


def every(of):
    return [(name, one) for name, text in TEXTS.items() for one in sorted(set(of(text)))]


def written_out(text):
    return [line for line in lines(text) if PROGRAM.fullmatch(line.partition(" ")[0])]


def mentioned(text):
    """Commands in running text, with the program's name before them or without."""
    for span in spans(text):
        first, _, rest = span.partition(" ")
        if rest and PROGRAM.fullmatch(first):
            yield span
        elif rest and re.fullmatch(r"[a-z]+", first) and found([first])[0] is not None:
            yield f"smartblood {span}"


def of_others(text):
    """Inline code with flags that isn't a whole command: `--share`, `fire --slot`."""
    whole = {*mentioned(text), *(one.removeprefix("smartblood ") for one in mentioned(text))}
    return [span for span in spans(text) if re.search(r"(^| )--", span) and span not in whole]


def targets(text):
    """Targets of make, in fenced blocks and in inline code."""
    for line in (*lines(text), *spans(text)):
        words = line.split()
        if len(words) == 2 and words[0] == "make":
            yield words[1]


def variables(text):
    return re.findall(rf"\b{PREFIX}[A-Z0-9_…]+", text)


def metrics(text):
    return re.findall(r"\bsmartblood_[a-z_…]+", text)


def alarms(text):
    return re.findall(r"\bSmartblood[A-Z]\w+", text)


@pytest.mark.parametrize(("document", "line"), every(written_out))
def test_every_command_that_is_written_out_would_begin(document, line):
    assert fault_of(shlex.split(line)[1:]) is None, document


@pytest.mark.parametrize(("document", "line"), every(mentioned))
def test_every_command_in_the_text_exists_with_its_flags(document, line):
    assert fault_of(shlex.split(line)[1:], is_mention=True) is None, document


@pytest.mark.parametrize(("document", "span"), every(of_others))
def test_every_flag_in_the_text_is_one_of_a_command(document, span):
    before, flags = span.partition("--")[0].split(), set(re.findall(r"--[a-z-]+", span))
    assert any(
        flags <= {"--help", *(name for one in command.get_params(context) for name in one.opts)}
        for words, command, context in all_commands()
        if not before or list(words[-len(before) :]) == before
    ), document


@pytest.mark.parametrize(("document", "target"), every(targets))
def test_every_target_of_make_exists(document, target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE), document


@pytest.mark.parametrize(("document", "name"), every(variables))
def test_every_variable_is_heard(document, name):
    assert is_variable(name), document


@pytest.mark.parametrize(("document", "name"), every(metrics))
def test_every_metric_is_one_of_the_list(document, name):
    assert is_metric(name), document


@pytest.mark.parametrize(("document", "name"), every(alarms))
def test_every_alarm_is_a_rule(document, name):
    assert f"alert: {name}\n" in (ROOT / "deploy/alerts.yml").read_text("utf-8"), document


@pytest.mark.parametrize("name", [*(PREFIX + name.upper() for name in FIELDS), f"{KAFKA_PREFIX}…"])
def test_every_setting_is_in_the_readme(name):
    assert name in variables(TEXTS["README.md"])


def said_of_defaults():
    """What rows of tables say that a setting is unless set."""
    row = re.compile(rf"^\| `{PREFIX}([A-Z_]+)` \| ([^|]*) \|", re.MULTILINE)
    return [(name.lower(), text.strip()) for name, text in row.findall(TEXTS["README.md"]) if name.lower() in FIELDS]


@pytest.mark.parametrize(("name", "text"), said_of_defaults())
def test_defaults_are_as_the_readme_says(name, text):
    default = FIELDS[name].get_default()
    assert default is not PydanticUndefined
    parts = default if isinstance(default, tuple) else (default,)
    if isinstance(default, str | int | float | tuple):
        assert text == ",".join(one if isinstance(one, str) else f"{one:.10g}" for one in parts)


def test_schedules_in_the_readme_are_such(tmp_path):
    (block,) = re.findall(r"^```toml\n(.*?)^```$", TEXTS["README.md"], re.MULTILINE | re.DOTALL)
    (tmp_path / "schedules.toml").write_text(block, "utf-8")
    assert "hills-daily" in {one.name for one in schedules_in(tmp_path / "schedules.toml")}


def test_nothing_is_overlooked():
    readme = TEXTS["README.md"]
    assert len(list(written_out(readme))) > 20
    assert "smartblood evaluate world --recalibrate lists" in mentioned(readme)
    assert "fire --slot" in of_others(readme)
    assert {"demo", "bench"} <= set(targets(readme))
    assert "SMARTBLOOD_KEEP_LOGS_DAYS" in variables(readme)
    assert "smartblood_model_…" in metrics(readme)
    assert alarms(readme)
    assert len(said_of_defaults()) > 20
    for name, text in TEXTS.items():
        for paragraph in re.split(r"\n\s*\n", FENCE.sub("", text)):
            assert paragraph.count("`") % 2 == 0, f"{name}: {paragraph}"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("up --date x", "No such option"),
        ("update", "no such command"),
        ("models lists", "no such command"),
        ("models", "no command"),
        ("run", "Missing argument"),
        ("run matching --workers many", "not a valid integer"),
        ("run matching --workers", "requires an argument"),
        ("run watching", "is not one of"),
        ("check all", "too many arguments"),
        ("models release MODEL 2.3.0 --role king", "is not one of"),
        ("--helf", "no command"),
        ("run NAME… --workers N", None),
        ("--version", None),
    ],
)
def test_a_command_that_would_not_begin_is_found_out(line, fault):
    said = fault_of(line.split())
    assert said is None if fault is None else fault in said


@pytest.mark.parametrize(
    ("is_known", "name", "known"),
    [
        (is_variable, "SMARTBLOOD_SLOT", True),
        (is_variable, "SMARTBLOOD_SLOTS", False),
        (is_variable, "SMARTBLOOD_RUN_WORKERS", True),
        (is_variable, "SMARTBLOOD_KEEP_…_DAYS", True),
        (is_variable, "SMARTBLOOD_KEPT_…_DAYS", False),
        (is_variable, "SMARTBLOOD_KAFKA_SASL_MECHANISM", True),
        (is_metric, "smartblood_ready", True),
        (is_metric, "smartblood_fenced", False),
        (is_metric, "smartblood_fenced_total", True),
        (is_metric, "smartblood_model_…", True),
        (is_metric, "smartblood_modal_…", False),
    ],
)
def test_a_name_that_nothing_has_is_found_out(is_known, name, known):
    assert is_known(name) == known
