"""How an event is written, and what nobody can write into one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simops_api.sse import comment, event


@given(st.text())
def test_no_text_can_end_an_event_or_begin_another(text: str) -> None:
    written = event(text, name="line", id="1")
    lines = written.decode().split("\n")
    assert b"\r" not in written
    assert lines[:2] == ["event: line", "id: 1"]
    assert lines[-2:] == ["", ""]
    assert all(line.startswith("data: ") for line in lines[2:-2])
    said = text.encode(errors="replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    assert "\n".join(line.removeprefix("data: ") for line in lines[2:-2]) == said


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b"])
def test_a_name_or_an_id_of_several_lines_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        event("", name=bad)
    with pytest.raises(ValueError, match="one line"):
        event("", id=bad)


def test_a_comment_is_one_line() -> None:
    assert comment("still\ndata: here") == b": still data: here\n\n"
