"""Sweeps whose points are a list in the store: read once, believed in nothing, extended by their points."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from builders import NAMESPACE
from sweepworld import PREFIX, SweepWorld
from world import run_now
from worldclock import TimedWorld, world_time

from simops_crds.names import upload_key
from simops_crds.space import listed


@pytest.fixture(autouse=True)
def _world_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield from world_time(monkeypatch)


def points(count: int) -> list[dict[str, Any]]:
    return [{"x": x, "name": f"p{x}"} for x in range(count)]


def upload(world: SweepWorld, made: list[dict[str, Any]], namespace: str = NAMESPACE) -> dict[str, Any]:
    """Put a list into the store; return the space that names it."""
    data = listed.to_lines(made)
    digest = listed.digest_of(data)
    world.objects[upload_key(namespace, digest)] = data
    return {"method": "list", "pointsFrom": {"digest": digest, "points": len(made)}}


def world_of(made: list[dict[str, Any]], **spec: Any) -> TimedWorld:
    """Return a world with a sweep over an uploaded list."""
    scratch = TimedWorld(points=1)
    space = upload(scratch, made) | spec.pop("more", {})
    world = TimedWorld(space=space, **({"pointsPerPod": 4} | spec))
    world.objects |= scratch.objects
    return world


def test_the_points_of_a_list_are_run() -> None:
    world = world_of(points(10))
    world.be_fair()
    assert (world.status["phase"], world.status["succeededPoints"]) == ("Succeeded", "0-9")
    assert (
        world.objects[f"{PREFIX}/points/0000000.jsonl"].splitlines()[3] == b'{"index":3,"params":{"name":"p3","x":3}}'
    )
    world.check_the_end()


def test_where_leaves_points_of_a_list_out() -> None:
    world = world_of(points(10), more={"where": "x >= 7"})
    world.be_fair()
    assert world.status["points"]["total"] == 3


def refused(world: SweepWorld, words: str, reason: str = "InvalidSpace") -> None:
    world.be_fair()
    assert (world.status["phase"], world.status["reason"], world.jobs_made) == ("Failed", reason, 0)
    assert words in world.status["message"]


def test_a_list_that_is_not_there_is_told() -> None:
    world = world_of(points(10))
    world.objects.clear()
    refused(world, "there is no list sha256:")


def test_a_list_of_another_namespace_is_not_there() -> None:
    world = world_of(points(10))
    world.objects = {key.replace(f"/{NAMESPACE}/", "/elsewhere/"): value for key, value in world.objects.items()}
    refused(world, f"for namespace {NAMESPACE}")


def test_a_list_that_is_not_what_its_digest_says_is_not_run() -> None:
    world = world_of(points(10))
    (key,) = [key for key in world.objects if key.startswith("uploads/")]
    world.objects[key] += b'{"x":10}\n'
    refused(world, "is not what its digest")


def test_a_list_whose_count_is_another_is_not_run() -> None:
    world = world_of(points(10))
    world.change_spec(space=world.sweeps["grid"]["spec"]["space"] | {})
    world.sweeps["grid"]["spec"]["space"]["pointsFrom"]["points"] = 9
    world.change_spec()
    refused(world, "has 10 points, and spec.space.pointsFrom.points says 9")


def test_a_list_with_something_that_is_no_point_is_not_run() -> None:
    world = world_of([{"x": 1}, {"x": [1]}])
    refused(world, "point 2")


def test_a_list_that_is_too_long_is_refused_before_it_is_read() -> None:
    world = world_of(points(10))
    world.max_points = 9
    world.restart()
    refused(world, "it has 10 points", "TooManyPoints")
    assert "get_bytes" not in world.calls.log


def test_an_outage_of_the_store_is_waited_for() -> None:
    world = world_of(points(10))
    world.store_is_up = False
    for _ in range(5):
        world.step()
    assert world.status["reason"] == "StoreUnavailable"
    world.be_fair()
    assert world.status["phase"] == "Succeeded"


def test_a_longer_list_runs_the_new_points_only() -> None:
    world = world_of(points(6))
    world.be_fair()
    world.change_spec(space=upload(world, points(9)))
    world.be_fair()
    assert world.status["succeededPoints"] == "0-8"
    assert world.ran == dict.fromkeys(range(9), 1)


def test_a_list_that_was_written_out_may_go_on_as_one_in_the_store() -> None:
    world = TimedWorld(space={"method": "list", "points": points(3)})
    world.be_fair()
    world.change_spec(space=upload(world, points(5)))
    world.be_fair()
    assert (world.status["succeededPoints"], set(world.ran.values())) == ("0-4", {1})


@pytest.mark.parametrize("other", [points(9)[::-1], [{"x": 0}, *points(9)[1:]]])
def test_a_list_that_does_not_begin_with_the_points_that_there_are_is_refused(other: list[dict[str, Any]]) -> None:
    world = world_of(points(6))
    world.be_fair()
    world.change_spec(space=upload(world, other))
    world.be_fair()
    assert "must begin with them" in world.status["message"]
    assert (world.status["succeededPoints"], len(world.ran)) == ("0-5", 6)


def test_lists_go_after_a_week_unless_a_sweep_waits_for_them() -> None:
    world = world_of(points(4), suspend=True)
    upload(world, points(2))
    upload(world, points(3))
    keys = [key for key in world.objects if key.startswith("uploads/")]
    wanted, old, young = keys
    world.written = dict.fromkeys((wanted, old), world.now - timedelta(days=8)) | {young: world.now - timedelta(days=6)}

    world.has_bucket = True
    run_now(world.resync.run((NAMESPACE,)))
    assert {wanted, young} == {key for key in world.objects if key.startswith("uploads/")}
    assert old not in world.objects
    world.change_spec(suspend=False)
    world.be_fair()
    assert world.status["phase"] == "Succeeded"
