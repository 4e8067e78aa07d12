"""What the policy for versions of the CRDs (docs/decisions/0013-crd-versions.md) takes for granted."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from contract.objects import Manifest, job
from contract.server import DEADLINE, Api, Kubectl

from simops_crds.kinds import KINDS, SIMULATION_JOB, Kind
from simops_crds.names import VERSION
from simops_crds.openapi import crd_for

pytestmark = pytest.mark.versions

LATER = "later"
"""A field that the version of this checkout does not have."""


@pytest.mark.parametrize("kind", KINDS, ids=[kind.kind for kind in KINDS])
def test_one_version_is_served_and_stored_and_nothing_is_converted(api: Api, kubectl: Kubectl, kind: Kind) -> None:
    name = crd_for(kind)["metadata"]["name"]
    told = kubectl("get", "crd", name, "--output=jsonpath={.spec.conversion.strategy} {.status.storedVersions[*]}")
    assert told.split() == ["None", VERSION]


def test_a_version_that_objects_were_stored_in_cannot_be_taken_out(api: Api, kubectl: Kubectl) -> None:
    newer = crd()
    newer["spec"]["versions"][0]["name"] = "v1beta1"
    with pytest.raises(AssertionError, match=r"missing from spec\.versions"):
        kubectl("apply", "--dry-run=server", "--filename=-", given=newer)


def crd(**later: Any) -> Manifest:
    """Return the CRD of jobs as a version with one more field would have it."""
    whole = crd_for(SIMULATION_JOB)
    if later:
        whole["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"][LATER] = later
    return whole


def until(what: str, happens: Callable[[], bool]) -> None:
    """Wait until the API server, which reads CRDs in the background, goes by another one."""
    deadline = time.monotonic() + DEADLINE
    while not happens():
        assert time.monotonic() < deadline, f"not after {DEADLINE:.0f} s: {what}"
        time.sleep(0.05)


@pytest.fixture
def upgrade(api: Api, kubectl: Kubectl) -> Iterator[Callable[..., None]]:
    """Change the CRD, and change it back after the test."""

    def change(**later: Any) -> None:
        kubectl("apply", "--filename=-", given=crd(**later))
        probe = job("probe", **{LATER: "x"})
        until("the other CRD", lambda: (api.refusal(probe) is None) == bool(later))

    yield change
    change()


def spec(api: Api) -> Manifest:
    found: Manifest = api.read(job())["spec"]
    return found


def test_a_field_that_is_added_leaves_what_exists_as_it_was(
    api: Api, made: Callable[[Manifest], Manifest], upgrade: Callable[..., None]
) -> None:
    before = made(job())["spec"]
    upgrade(type="string")
    assert spec(api) == before
    assert api.patch(job(), {"spec": {"suspend": True}})["spec"] == before | {"suspend": True}


def test_a_default_of_a_new_field_shows_in_every_object_at_once(
    api: Api, made: Callable[[Manifest], Manifest], upgrade: Callable[..., None]
) -> None:
    # An operator of the version before would refuse it: why the policy gives new fields no default in the CRD.
    made(job())
    upgrade(type="string", default="x")
    until("the default in an object from before", lambda: spec(api).get(LATER) == "x")


def test_after_going_back_a_newer_field_is_hidden_and_lost_with_the_next_write(
    api: Api, made: Callable[[Manifest], Manifest], upgrade: Callable[..., None]
) -> None:
    upgrade(type="string")
    made(job(**{LATER: "x"}))
    upgrade()
    assert LATER not in spec(api)
    upgrade(type="string")
    assert spec(api)[LATER] == "x", "nothing has written it meanwhile"
    upgrade()
    api.patch(job(), {"status": {"phase": "Pending"}}, status=True)
    upgrade(type="string")
    assert LATER not in spec(api)
