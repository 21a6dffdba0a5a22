"""Days of demand from a file: every line that makes no sense is named, and what is read is what stands there."""

import datetime as dt

import pytest

from smartblood import cli
from smartblood.demand.reading import DemandDay, read_days
from smartblood.errors import Fatal

HEADER = "district,blood_group,day,units_requested,units_fulfilled\n"
TODAY = dt.date(2026, 11, 28)


def read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "past.csv"
    path.write_text(text, encoding)
    return read_days(path, TODAY)


def test_days_are_read_in_order_whatever_the_order_of_lines_and_columns(tmp_path):
    text = (
        "note, day ,units_fulfilled,units_requested,blood_group,district\n"
        "x,2024-02-29,3,4,Oh-,Wayanad\n\n"
        '"two,words",2024-01-31,0,0, A+ ,Kollam\n'
        "x,2024-02-29,3,5,unknown,Wayanad\n"
    )
    days, wrong = read(tmp_path, text, "utf-8-sig")
    assert wrong == []
    assert days == [
        DemandDay("Kollam", "A+", dt.date(2024, 1, 31), 0, 0),
        DemandDay("Wayanad", "Oh-", dt.date(2024, 2, 29), 4, 3),
        DemandDay("Wayanad", "unknown", dt.date(2024, 2, 29), 5, 3),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Kolam,A+,2024-01-31,1,1", "district: 'Kolam' is none that is known; did you mean Kollam?"),
        ("kollam,A+,2024-01-31,1,1", "did you mean Kollam?"),
        ("ERNAKULAM,A+,2024-01-31,1,1", "did you mean Ernakulam?"),
        ("Trivandrum,A+,2024-01-31,1,1", "did you mean Thiruvananthapuram?"),
        ("CALICUT,A+,2024-01-31,1,1", "did you mean Kozhikode?"),
        ("Kollam,ab-,2024-01-31,1,1", "did you mean AB-?"),
        ("Kollam,A_POS,2024-01-31,1,1", "blood_group: 'A_POS'"),
        ("Kollam,,2024-01-31,1,1", "blood_group: '' is none that is known; use one of A+, A-"),
        ("Kollam,A+,2023-02-29,1,1", "day: '2023-02-29' is no day such as"),
        ("Kollam,A+,31.01.2024,1,1", "is no day such as"),
        ("Kollam,A+,20240131,1,1", "is no day such as"),
        ("Kollam,A+,1999-12-31,1,1", "is not within 2000-01-01 to 2026-11-28"),
        ("Kollam,A+,2026-11-29,1,1", "is not within"),
        ("Kollam,A+,2024-01-31,-1,1", "units_requested: '-1' is no whole number"),
        ("Kollam,A+,2024-01-31,1.5,1", "units_requested: '1.5'"),
        ("Kollam,A+,2024-01-31,1,", "units_fulfilled: ''"),
        ("Kollam,A+,2024-01-31,1,1000001", "units_fulfilled: '1000001'"),
        ("Kollam,A+,2024-01-31,1,٣", "units_fulfilled"),
        ("Kollam,A+,2024-01-31,1", "4 columns, where the header has 5"),
        ("Kollam,O+,2024-01-30,2,2", "the same district, group and day as line 2"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(tmp_path, line, said):
    days, wrong = read(tmp_path, f"{HEADER}Kollam,O+,2024-01-30,1,1\n{line}\n")
    (only,) = wrong
    assert only.line == 3
    assert said in only.what
    assert len(days) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1 should name district, blood_group"),
        ("district;blood_group;day;units_requested;units_fulfilled\n", "with commas between"),
        ("district,blood_group,day,day,units_requested,units_fulfilled\n", "hasn't day once"),
    ],
)
def test_a_table_of_other_columns_is_refused(tmp_path, text, said):
    with pytest.raises(Fatal, match=said):
        read(tmp_path, text)


def test_what_is_no_text_is_refused(tmp_path):
    (tmp_path / "past.csv").write_bytes(HEADER.encode() + b"\xff\xfe")
    with pytest.raises(Fatal, match="UTF-8"):
        read_days(tmp_path / "past.csv", TODAY)
    with pytest.raises(Fatal, match="can't be read"):
        read_days(tmp_path / "none.csv", TODAY)


def test_the_command_names_each_wrong_line_and_imports_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "past.csv"
    path.write_text(HEADER + "Kolam,O+,2024-01-30,1,1\nKollam,O+,2024-01-30,x,1\n")
    nowhere = "postgresql+psycopg2://nobody@127.0.0.1:9/none"  # it isn't even asked
    assert cli.exit_code(["demand", "import", str(path), "--database-url", nowhere]) == 3
    said = capsys.readouterr()
    assert [line.split(":")[0] for line in said.out.splitlines()] == ["line 2", "line 3"]
    (only,) = said.err.splitlines()
    assert "2 lines are wrong, nothing was imported" in only
    path.write_text(HEADER)
    assert cli.exit_code(["demand", "import", str(path), "--database-url", nowhere]) == 3
    assert "no days" in capsys.readouterr().err
    assert cli.exit_code(["demand", "import", str(path)]) == 3
    assert "SMARTBLOOD_DATABASE_URL" in capsys.readouterr().err
