"""Judging now and then beside recording, and by command: when it is due, what it writes, what it shows."""

import json
import threading

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from smartblood import cli, metrics
from smartblood.errors import Retryable
from smartblood.logs import logger
from smartblood.performance.judgement import Limits
from smartblood.performance.watching import Judging, PerformanceWatch
from smartblood.storage.performance import Judgements
from tests.integration.recording.judged_world import (
    AVAILABILITY,
    DAY,
    HOUR,
    answer,
    history,
    put,
    rows_of,
    said,
    until,
)
from tests.record_events import AT, MINUTE

pytestmark = pytest.mark.broker

LIMITS = Limits(requests_min=20)


def watch(judgements, references=None, *, limits=LIMITS, each_s=1.0, may_judge=lambda: True, n_recorded=lambda: 0):
    judging = Judging(judgements, lambda: references or {}, limits, 28, 10_000)
    return PerformanceWatch(judging, each_s, may_judge, n_recorded, logger(processor="recording"))


TABLE = "SELECT model_name, version, role, outcome, n_alerts, n_yes, auc, alarm, as_of::text FROM model_performance"


def value(gauge, *labels):
    return gauge.labels(*labels)._value.get()


def test_the_watch_writes_the_table_and_shows_it_and_a_second_worker_shows_the_same(sink, judgements, ask, capsys):
    requests = rows_of(40, true_by=0.4)
    put(sink, *history(requests))
    one = watch(judgements)
    one.look()
    rows = ask(TABLE + " ORDER BY 1, 2, 3, 4")
    assert len(rows) == 8
    assert len({row["as_of"] for row in rows}) == 1
    label = [row.accepted for rows_ in requests for row in rows_]
    score = [row.availability for rows_ in requests for row in rows_]
    key = (AVAILABILITY, "1", "champion")
    assert value(metrics.MODEL_AUC, *key, "accepted") == pytest.approx(roc_auc_score(label, score))
    assert value(metrics.MODEL_OUTCOMES, *key, "accepted") == len(label)
    assert value(metrics.MODEL_CALIBRATION, *key, "accepted", "value") == pytest.approx(sum(label) / sum(score))
    assert value(metrics.MODEL_ALARM, *key, "calibration", "accepted") == 1
    one.look()
    assert capsys.readouterr().err.count("what=accepted") == 1  # said once, not at each look
    metrics.MODEL_AUC.labels(*key, "accepted").set(0)
    watch(judgements, may_judge=lambda: False).look()
    assert value(metrics.MODEL_AUC, *key, "accepted") == pytest.approx(roc_auc_score(label, score))
    assert ask(TABLE + " ORDER BY 1, 2, 3, 4") == rows


def test_outcomes_that_come_when_stream_time_rests_are_judged_too(sink, judgements, ask):
    told = history(rows_of(30))
    n_recorded = 0
    one = watch(judgements, n_recorded=lambda: n_recorded)
    put(sink, *told[-2:])  # of others: they bring stream time to its end
    waves = [each for each in told if each[0] in {"matches", "model-released"}]
    late = [each for each in told[:-2] if each[0] not in {"matches", "model-released"}]
    put(sink, *waves, *late[: len(late) // 2])
    n_recorded += 1
    one.look()
    as_of = judgements.as_of()
    before = ask(TABLE + " ORDER BY 1, 2, 3, 4")
    put(sink, *late[len(late) // 2 :])
    n_recorded += 1
    one.look()
    assert ask(TABLE + " ORDER BY 1, 2, 3, 4") == before  # more may be on the way
    one.look()
    after = ask(TABLE + " ORDER BY 1, 2, 3, 4")
    assert judgements.as_of() == as_of
    assert sum(row["n_alerts"] for row in after) > sum(row["n_alerts"] for row in before)
    assert max(row["n_alerts"] for row in after if row["model_name"] == AVAILABILITY) == 240


def test_what_is_told_no_more_is_no_number_and_its_alarm_is_over(sink, judgements):
    put(sink, *history(rows_of(40, true_by=0.4)))
    one = watch(judgements)
    one.look()
    key = (AVAILABILITY, "1", "champion")
    assert value(metrics.MODEL_ALARM, *key, "calibration", "accepted") == 1
    put(sink, *until(AT + 300 * DAY))  # nobody was asked for long
    put(sink, ("matches", answer(rows_of(1)[0], AT + 299 * DAY, wave=7)))
    put(sink, said(rows_of(1)[0][0], "NOTIFIED", AT + 299 * DAY, 7))
    one.look()
    assert value(metrics.MODEL_ALARM, *key, "calibration", "accepted") == 0
    assert np.isnan(value(metrics.MODEL_AUC, *key, "accepted"))
    assert value(metrics.MODEL_UNSETTLED, *key, "accepted") == 1


def test_a_day_has_one_judgement_the_latest_and_an_older_one_changes_nothing(sink, judgements, ask):
    put(sink, *history(rows_of(4)))
    one = watch(judgements)
    one.look()
    days = "SELECT day::text, count(*) AS n FROM model_performance GROUP BY day ORDER BY day"
    assert len(ask(days)) == 1
    at = judgements.as_of()
    put(sink, *until(at + HOUR))
    one.look()
    assert len(ask(days)) == 1
    put(sink, *until(at + DAY))
    one.look()
    assert len(ask(days)) == 2
    assert judgements.judged_as_of() == at + DAY
    assert not judgements.write(at, [], [])
    assert len(ask(days)) == 2


def test_it_is_judged_where_stream_time_went_on_or_came_to_rest(sink, judgements):
    put(sink, *history(rows_of(4)))
    one = watch(judgements, each_s=3_600)
    assert one._is_due()
    one.look()
    at = judgements.judged_as_of()
    assert not one._is_due()
    put(sink, *until(at + 10 * MINUTE))
    assert not one._is_due()
    assert one._is_due()  # nothing came since the last look
    put(sink, *until(at + HOUR))
    assert one._is_due()
    behind = watch(judgements, may_judge=lambda: False)
    behind.look()
    assert judgements.judged_as_of() == at


def test_without_postgres_it_is_tried_again_and_a_failure_of_ours_is_counted(judgements, monkeypatch):
    one = watch(judgements, each_s=0.01)
    failures, n_looks, done = [Retryable("Postgres doesn't answer"), ValueError("a bug")], 0, threading.Event()

    def look(_):
        nonlocal n_looks
        n_looks += 1
        if failures:
            raise failures.pop(0)
        done.set()

    monkeypatch.setattr(PerformanceWatch, "look", look)
    before = value(metrics.OWN_FAILURES, "recording", "model_performance")
    one.run(done)
    assert n_looks == 3
    assert value(metrics.OWN_FAILURES, "recording", "model_performance") == before + 1


def test_where_postgres_does_not_answer_it_is_said_and_tried_again():
    unreachable, done, said = Judgements("postgresql+psycopg2://127.0.0.1:9/nowhere"), threading.Event(), []

    class Log:
        def info(self, what, *, why):
            said.append((what, why))
            if len(said) == 2:
                done.set()

    one = watch(unreachable, each_s=0.05)
    one.log = Log()
    thread = threading.Thread(target=one.run, args=(done,))
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert len(said) == 2
    assert all("is Postgres running" in why for _, why in said)


def test_the_command_prints_what_people_read_and_the_same_as_json(sink, postgres, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["models", "performance", "--database-url", postgres.url_of("sink"), "--requests-min", "20"]
    assert cli.exit_code([*arguments, "--out", "nothing.json"]) == 0
    assert "nothing is known yet" in capsys.readouterr().out
    assert json.loads((tmp_path / "nothing.json").read_text()) == {}
    requests = rows_of(60, true_by=0.4)
    put(sink, *history(requests))
    assert cli.exit_code([*arguments, "--out", "all.json"]) == 0
    said = capsys.readouterr().out
    assert "480 alerts of the 28 days until" in said
    assert "480 settled, 0 not yet" in said
    for word in ("donor_availability", "challenger", "shadow", "Needs a look:", "beyond 1 ± 0.3"):
        assert word in said
    found = json.loads((tmp_path / "all.json").read_text())
    one = next(each for each in found["performances"] if each["model"] == AVAILABILITY)
    assert one["n_alerts"] == 480
    lower, upper = one["intervals"]["auc"][1:]
    assert lower < one["auc"] < upper
    assert cli.exit_code([*arguments, "--window-days", "0"]) == 2
