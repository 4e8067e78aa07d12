"""What somebody has put among the results of their own namespace, and what the gateway holds in memory of it."""

import json
import tracemalloc
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from simops_api.artifacts.service import _parsed
from simops_api.logs.service import _last_lines
from simops_api.sweeps.lines import _value
from simops_crds.space import SpaceError, listed
from simops_operator import resync
from simops_operator.core.views import parse_summary
from simops_operator.sweeps import resync as sweeps


async def chunks(*parts: bytes) -> AsyncGenerator[bytes, None]:
    for part in parts:
        yield part


async def last(number: int, *parts: bytes) -> bytes:
    return b"".join([part async for part in _last_lines(lambda: chunks(*parts), number)])


async def test_the_last_lines_of_a_log_are_those_of_its_end() -> None:
    assert await last(2, b"a\nb", b"b\nc\n", b"d") == b"c\nd"
    assert await last(2, b"a\nb", b"b\nc\n", b"d\n") == b"c\nd\n"
    assert await last(1, b"a\n", b"", b"b") == b"b"
    assert await last(9, b"a\nb\n") == b"a\nb\n"
    assert await last(0, b"a\nb\n") == b""
    assert await last(9) == b""


async def test_of_a_log_nothing_is_kept_however_many_lines_are_wanted() -> None:
    async def bomb() -> AsyncGenerator[bytes, None]:
        for _ in range(200):
            yield b"line\n" * 20_000

    tracemalloc.start()
    try:
        size = 0
        async for part in _last_lines(bomb, 3_900_000):
            size += len(part)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == 3_900_000 * 5
    assert peak < 2_000_000


@pytest.mark.parametrize(
    "manifest",
    [
        {"entries": [], "skippedEntries": 5},
        {"entries": [{"path": "a"}], "skippedEntries": {"a": 1}},
        {"entries": [], "skippedEntries": [{}]},
        {"entries": [{"path": "a", "bytes": "many"}]},
        {"entries": [{"path": 1}]},
        {"entries": {}},
        [],
    ],
)
def test_a_manifest_of_another_shape_is_none(manifest: Any) -> None:
    assert _parsed(json.dumps(manifest).encode()) is None


def test_a_number_that_is_none_makes_no_manifest() -> None:
    assert _parsed(b'{"entries":[{"path":"a","bytes":1e999}]}') is None


def test_a_manifest_of_more_values_than_its_files_can_have_is_not_read() -> None:
    forged = b'{"entries":[' + b",".join([b'{"path":"a"}'] * 600_000) + b"]}"
    tracemalloc.start()
    try:
        assert _parsed(forged) is None
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_manifest_is_its_files_and_what_was_left_out() -> None:
    files = [{"path": "a", "bytes": 1, "crc32": "0"}]
    skipped = [{"path": "b", "why": "a link"}]
    found = _parsed(json.dumps({"entries": files, "skippedEntries": skipped, "x": [{}]}).encode())
    assert found == {"entries": files, "skippedEntries": skipped}


def test_a_pod_that_names_no_run_belongs_to_none() -> None:
    for label, key_of in (("simops.dev/job", resync.key_of), ("simops.dev/sweep", sweeps.key_of)):
        meta = {"name": "p", "namespace": "lab", "labels": {"simops.dev/uid": "u", label: "a"}}
        assert key_of({"metadata": meta}) is not None
        for labels in ({"simops.dev/uid": "u", label: ""}, {"simops.dev/uid": "", label: "a"}, {}):
            assert key_of({"metadata": meta | {"labels": labels}}) is None


HALF = r"\ud800"


def test_of_what_a_single_run_leaves_everything_can_be_written() -> None:
    text = f'{{"bundle":"b{HALF}","error":"{HALF}","metrics":{{"{HALF}":1}},"metricsError":"{HALF}","sha256":"{HALF}"}}'
    summary = parse_summary(text)
    assert summary is not None
    assert (summary.error, summary.metrics, summary.bundle) == ("?", {"?": 1.0}, "b?")
    str(summary).encode()


def test_the_gateways_rows_of_such_results_can_be_written() -> None:
    line = _value(f'{{"index":1,"exitCode":0,"metrics":{{"{HALF}":1}},"reason":"{HALF}"}}'.encode())
    assert line is not None
    json.dumps(line, ensure_ascii=False).encode()


def test_a_point_with_half_of_a_surrogate_pair_is_refused() -> None:
    for text in (f'{{"a":"{HALF}"}}', f'{{"a":"ä{HALF}"}}'):
        with pytest.raises(SpaceError, match="point 1: a: "):
            list(listed.from_lines(text.encode()))
