import io
import json
import subprocess
import sys

import structlog

from schemas.records import Record
from smartblood import logs

REFUSED = Record("blood-request-created", 3, 17, 0, b"1001", b"secret")


def test_json_is_one_object_a_line_with_the_requests_id() -> None:
    out = io.StringIO()
    logs.configure("json", stream=out)
    logs.logger(processor="matching").warning("records refused", **logs.place(REFUSED))
    line = json.loads(out.getvalue())
    assert line["event"] == "records refused"
    assert (line["level"], line["processor"]) == ("warning", "matching")
    assert (line["topic"], line["partition"], line["offset"], line["request_id"]) == (
        "blood-request-created",
        3,
        17,
        1001,
    )


def test_logs_import_no_rich_and_keep_nobody_from_it() -> None:
    program = (
        "import sys\nfrom smartblood import logs\n"
        "logs.configure()\nlogs.logger(slot='a').warning('said')\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in {'rich', 'pygments'}]\n"
        "import rich.console\nassert rich.console.Console\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, "said" in done.stderr, "Traceback" in done.stderr) == (0, True, False), done.stderr


def test_where_nobody_configured_logs_they_stay_out_of_a_commands_output(capsys) -> None:
    structlog.reset_defaults()
    logs.logger().info("quiet")
    logs.logger().warning("loud")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "loud" in captured.err
    assert "quiet" not in captured.err


def test_a_donors_key_is_not_logged() -> None:
    assert logs.place(REFUSED._replace(topic="donor-registered")) == {
        "topic": "donor-registered",
        "partition": 3,
        "offset": 17,
    }


def test_lines_below_the_level_are_not_written() -> None:
    out = io.StringIO()
    logs.configure("console", level="warning", stream=out)
    logs.logger().info("quiet")
    logs.logger().error("loud")
    assert "quiet" not in out.getvalue()
    assert "loud" in out.getvalue()


def test_librdkafkas_lines_come_out_as_ours() -> None:
    out = io.StringIO()
    logs.configure("json", stream=out)
    logs.ClientLog(logs.logger()).log(30, "%s: %s", "FAIL", "broker down")
    assert json.loads(out.getvalue())["said"] == "FAIL: broker down"


def test_what_librdkafka_says_again_and_again_is_said_once_in_a_while() -> None:
    out, now = io.StringIO(), [0.0]
    logs.configure("json", stream=out)
    log = logs.ClientLog(logs.logger(), clock=lambda: now[0])
    for second in range(25):
        now[0] = float(second)
        log.log(40, "%s [%s] %s", "FAIL", "thread", f"refused {second}")
        log.log(40, "%s [%s] %s", "OTHER", "thread", "else")
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["said"] for line in said if "FAIL" in line["said"]] == [
        "FAIL [thread] refused 0",
        "FAIL [thread] refused 10",
        "FAIL [thread] refused 20",
    ]
    assert said[-1]["n_left_out"] == 9
