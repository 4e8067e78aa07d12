"""The client knows every field that the gateway takes and answers, and says by its types what a call returns."""

import inspect
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any, assert_type, get_type_hints

import pytest
from pydantic import BaseModel

import simops_client
from simops_api.artifacts.models import ArtifactList
from simops_api.artifacts.models import File as SentFile
from simops_api.errors import ProblemDocument
from simops_api.jobs import models as sent
from simops_api.jobs.requests import BulkCreated, JobRequest
from simops_api.jobs.requests import Created as SentCreated
from simops_api.jobs.requests import Plan as SentPlan
from simops_api.sweeps import models as sent_sweeps
from simops_api.uploads.lists import Uploaded as SentUploaded
from simops_client import AsyncClient, AsyncJob, AsyncSweep, Client, Job, Picture, SimOpsError, Sweep, models
from simops_client.core.requests import Run, RunFields, SweepFields
from simops_client.models import FINAL, JobInfo, Plan, Point, Stats
from simops_crds.names import FINAL_PHASES

PAIRS: list[tuple[type[BaseModel], type[BaseModel]]] = [
    (sent.Job, models.JobInfo),
    (sent_sweeps.Sweep, models.SweepInfo),
    (sent_sweeps.Point, models.Point),
    (sent_sweeps.PointCounts, models.PointCounts),
    (sent.JobStats, models.Stats),
    (SentPlan, models.Plan),
    (SentCreated, models.Created),
    (BulkCreated, models.Created),
    (SentUploaded, models.Uploaded),
    (ArtifactList, models.Artifacts),
    (SentFile, models.File),
]
# What addresses are made of, or what the client has no use for; it is kept under its name nevertheless.
UNNAMED = {"href", "log", "names"}


@pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=lambda model: model.__name__)
def test_every_field_that_is_answered_is_known(theirs: type[BaseModel], ours: type[BaseModel]) -> None:
    assert set(theirs.model_fields) - set(ours.model_fields) <= UNNAMED


@pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=lambda model: model.__name__)
def test_the_examples_of_the_gateway_are_read(theirs: type[BaseModel], ours: type[BaseModel]) -> None:
    extra: Any = theirs.model_config.get("json_schema_extra") or {}
    for example in extra.get("examples", []):
        ours.model_validate(example)


def test_what_a_newer_gateway_adds_is_kept() -> None:
    found = JobInfo.model_validate({"id": "a", "status": "Frozen", "colour": "red"})
    assert (found.status, found.model_extra) == ("Frozen", {"colour": "red"})


def test_every_field_of_a_request_can_be_given() -> None:
    # `sweep` and `space` are arguments of their own; a run that is cancelled from the start is none.
    theirs = set(JobRequest.model_fields) - {"sweep", "space", "cancelled"}
    assert theirs == set(get_type_hints(SweepFields)) | set(get_type_hints(Run))
    assert set(get_type_hints(RunFields)) < set(get_type_hints(SweepFields))


def test_final_statuses_are_those_of_the_gateway() -> None:
    assert {phase.value for phase in FINAL_PHASES} == FINAL


def test_everything_of_a_problem_is_told() -> None:
    error = SimOpsError("detail")
    assert set(ProblemDocument.model_fields) - {"type"} <= set(vars(error))


@pytest.mark.parametrize(("one", "other"), [(Client, AsyncClient), (Job, AsyncJob), (Sweep, AsyncSweep)])
def test_both_clients_have_the_same_calls_and_each_says_what_it_does(one: type, other: type) -> None:
    def calls(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    assert calls(one) == calls(other)
    for name in calls(one) - {"job_type", "sweep_type"}:
        documented = getattr(one, name)
        assert documented.__doc__, name
        assert documented.__doc__ == getattr(other, name).__doc__


@pytest.mark.parametrize("kind", [Client, AsyncClient, Job, AsyncJob, Sweep, AsyncSweep])
def test_help_names_a_call_as_it_is_called_and_tells_its_parameters(kind: type) -> None:
    for name in vars(kind):
        call = getattr(kind, name)
        if name.startswith("_") or not inspect.isfunction(call):
            continue
        assert (call.__name__, call.__qualname__) == (name, f"{kind.__name__}.{name}")
        assert next(iter(inspect.signature(call).parameters)) == "self"
    assert list(inspect.signature(Job.wait).parameters) == ["self", "timeout", "progress", "check"]


async def _typed(client: Client, other: AsyncClient) -> None:
    """Read by the type checker, and never run."""
    assert_type(client.submit("a", params={"n": 1}), Job)
    assert_type(client.submit("a", dry_run=True), Plan)
    assert_type(client.sweep("a", space={"n": [1]}, parallelism=3), Sweep)
    assert_type(client.sweep("a", space={"n": [1]}, dry_run=True), Plan)
    assert_type(client.submit_many([{"image": "a"}]), list[Job])
    assert_type(client.job("a").wait(timeout=3, check=True), Job)
    assert_type(client.job("a").logs(follow=True), Generator[str, None, None])
    assert_type(client.jobs(status="failed"), Generator[Job, None, None])
    assert_type(client.stats(), Stats)
    assert_type(client.get_sweep("a").points(), Generator[Point, None, None])
    assert_type(client.get_sweep("a").plot("m", "x"), Picture)
    assert_type(await other.submit("a"), AsyncJob)
    assert_type(await other.submit("a", dry_run=True), Plan)
    assert_type(await other.job("a"), AsyncJob)
    assert_type(other.jobs(), AsyncGenerator[AsyncJob, None])
    assert_type(await other.get_sweep("a"), AsyncSweep)
    client.submit("a", prams={"n": 1})  # type: ignore[call-overload]


def test_a_package_says_that_it_has_types() -> None:
    assert (Path(simops_client.__file__).parent / "py.typed").exists()
    assert inspect.iscoroutinefunction(_typed)
