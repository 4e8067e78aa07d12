"""What a file is said to be, and what a browser may do with it."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simops_api.artifacts.media import content_type, disposition, media_type


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/result.csv", "text/csv; charset=utf-8"),
        ("meta.json", "application/json"),
        ("solver.log", "text/plain; charset=utf-8"),
        ("temperature_field.npy", "application/octet-stream"),
        ("PLOT.PNG", "image/png"),
        ("page.html", "text/html; charset=utf-8"),
        ("table.csv.gz", "application/gzip"),
        ("noname", "application/octet-stream"),
        (".csv/x", "application/octet-stream"),
        ("data:text/html,x", "application/octet-stream"),
    ],
)
def test_the_name_says_what_it_is(path: str, expected: str) -> None:
    assert content_type(path) == expected


@pytest.mark.parametrize("path", ["page.html", "plot.svg", "x.xml", "x.xhtml", "script.js", "x.pdf", "x", "x.mht"])
def test_what_a_browser_could_run_is_not_shown_in_place(path: str) -> None:
    assert disposition(path).startswith("attachment;")


@pytest.mark.parametrize("path", ["a.png", "a.csv", "a.txt", "a.json"])
def test_what_it_cannot_run_is(path: str) -> None:
    assert disposition(path).startswith("inline;")


@given(path=st.text(max_size=40))
def test_a_name_cannot_break_out_of_its_header(path: str) -> None:
    header = disposition(path)
    assert header.isascii()
    assert header.isprintable()
    plain = header.split('filename="', 1)[1].split('"', 1)[0]
    assert "/" not in plain
    assert "\\" not in plain
    assert content_type(path).isascii()
    assert content_type(path).isprintable()


@given(name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=40))
def test_any_name_is_told_whole(name: str) -> None:
    header = disposition("folder/" + name)
    found = unquote(header.split("UTF-8''", 1)[1]) if "UTF-8''" in header else header.split('"')[1]
    assert found == name
    assert media_type(name)
