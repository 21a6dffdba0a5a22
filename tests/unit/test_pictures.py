"""A picture is a PNG that shows what it was given; what it looks like, a person has to say."""

import datetime as dt
import struct

import numpy as np
import pytest

from features.series import LEVELS
from smartblood.errors import Fatal
from smartblood.pictures.forecast import Picture, draw

FIRST = dt.date(2025, 6, 1)


def picture(n_days=60, n_ahead=14, *, units=4.0, actual=np.nan):
    mean = np.full(n_ahead, units)
    return Picture(
        "Demand for O+ in Kollam",
        "units a day",
        [FIRST + dt.timedelta(n) for n in range(n_days)],
        np.full(n_days, units),
        [FIRST + dt.timedelta(n_days + n) for n in range(n_ahead)],
        mean,
        LEVELS,
        mean[:, None] * np.linspace(0.5, 1.5, len(LEVELS)),
        np.full(n_ahead, actual),
    )


@pytest.mark.parametrize(
    "drawn",
    [picture(), picture(1, 1), picture(units=0.0), picture(actual=3.0), picture(3, 366, units=1e6)],
    ids=["plain", "one day", "nothing", "what came", "much"],
)
def test_it_is_a_png_of_its_size(tmp_path, drawn):
    path = tmp_path / "forecast.png"
    draw(drawn, path)
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (1600, 832)
    assert len(data) > 10_000


def test_what_is_known_and_what_is_not_makes_another_picture(tmp_path):
    known, unknown = picture(), picture()
    unknown.units[:30] = np.nan
    for name, one in (("known", known), ("unknown", unknown)):
        draw(one, tmp_path / name)
    assert (tmp_path / "known").read_bytes() != (tmp_path / "unknown").read_bytes()


def test_a_file_that_can_not_be_written_is_said(tmp_path):
    with pytest.raises(Fatal, match="give another file with --out"):
        draw(picture(), tmp_path / "none" / "forecast.png")
