from __future__ import annotations

import ast
import json
import math
from pathlib import Path

import pytest

import smartblood
from smartblood.plain_json import json_text
from smartblood.registry.manifest import Entry, Manifest

HOUSE = Path(smartblood.__file__).parents[1]


def strict(text):
    return json.loads(text, parse_constant=pytest.fail)


def test_numbers_that_json_does_not_have_are_null():
    value = {"a": [math.nan, 1.5, (math.inf, 2)], "b": {"c": -math.inf, "d": "NaN"}, "e": None, "f": True}
    assert strict(json_text(value)) == {"a": [None, 1.5, [None, 2]], "b": {"c": None, "d": "NaN"}, "e": None, "f": True}
    assert json_text({"ü": 1}, indent=None) == '{"ü": 1}'


def test_a_manifest_is_json_whatever_was_measured():
    entry = Entry("donor_reliability", "9.0.0", "a/b", "0" * 64, (), {}, metrics={"brier_model": [math.nan] * 3})
    text = Manifest({}, (entry,)).as_text()
    assert strict(text)["models"][0]["metrics"] == {"brier_model": [None] * 3}


def test_whoever_writes_json_writes_none_that_others_refuse():
    calls = [
        (path, call)
        for folder in ("schemas", "features", "consumers", "producers", "smartblood")
        for path in sorted((HOUSE / folder).rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {"json.dumps", "json.dump"}
    ]
    assert calls
    loose = [
        f"{path.relative_to(HOUSE)}:{call.lineno}"
        for path, call in calls
        if not any(one.arg == "allow_nan" and ast.unparse(one.value) == "False" for one in call.keywords)
    ]
    assert loose == []
