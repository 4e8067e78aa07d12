"""What a person with kubectl sees, and what the API server thinks of the CRDs themselves."""

import json
from collections.abc import Callable

import pytest
from contract.objects import Manifest, job, sweep
from contract.server import ROOT, Api, Kubectl

from simops_crds.kinds import KINDS, Kind
from simops_crds.names import GROUP

pytestmark = pytest.mark.versions

Make = Callable[[Manifest], Manifest]
EACH = pytest.mark.parametrize("kind", KINDS, ids=[kind.kind for kind in KINDS])
MAKERS = {KINDS[0].kind: job, KINDS[1].kind: sweep}


@EACH
def test_the_api_server_finds_nothing_wrong_with_the_crd(api: Api, kubectl: Kubectl, kind: Kind) -> None:
    crd = json.loads(kubectl("get", "crd", f"{kind.plural}.{GROUP}", "-o", "json"))
    conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions["NamesAccepted"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"


def test_applying_again_changes_nothing_and_server_side_apply_is_accepted_too(api: Api, kubectl: Kubectl) -> None:
    out = kubectl("apply", "-f", str(ROOT / "crds"))
    assert {line.rsplit(" ", 1)[-1] for line in out.splitlines()} == {"unchanged"}
    kubectl("apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f", str(ROOT / "crds"))


@EACH
def test_the_api_server_keeps_the_whole_schema(api: Api, kubectl: Kubectl, kind: Kind) -> None:
    # A part that the API server does not know would be dropped from the CRD without a word.
    diff = kubectl("diff", "-f", str(ROOT / "crds" / f"{GROUP}_{kind.plural}.yaml"))
    assert diff == ""


@EACH
def test_running_ones_can_be_selected(api: Api, made: Make, kubectl: Kubectl, kind: Kind) -> None:
    make = MAKERS[kind.kind]
    for name, phase in (("going", "Running"), ("gone", "Succeeded")):
        made(make(name))
        api.patch(make(name), {"status": {"phase": phase}}, status=True)
    made(make("new"))
    out = kubectl("get", kind.short_names[0], "--field-selector", "status.phase=Running", "-o", "name")
    assert out.split() == [f"{kind.kind.lower()}.{GROUP}/going"]


@EACH
def test_every_name_of_the_kind_works(api: Api, kubectl: Kubectl, kind: Kind) -> None:
    for name in (*kind.short_names, kind.plural, kind.kind.lower(), "simops"):
        kubectl("get", name)


def _table(text: str) -> dict[str, str]:
    head, row = text.splitlines()
    starts = [i for i, c in enumerate(head) if c != " " and (i == 0 or head[i - 1] == " ")]
    ends = [*starts[1:], None]
    return {head[a:b].strip(): row[a:b].strip() for a, b in zip(starts, ends, strict=True)}


def test_a_job_is_listed_usefully(api: Api, made: Make, kubectl: Kubectl) -> None:
    made(job(image="sim:1"))
    status = {
        "phase": "Failed",
        "reason": "ExitCode",
        "message": "it exited with 3",
        "podName": "heat-x",
        "artifacts": {"bundle": "jobs/b.zip"},
    }
    api.patch(job(), {"status": status}, status=True)
    row = _table(kubectl("get", "simjob"))
    assert list(row) == ["NAME", "PHASE", "REASON", "STARTED", "FINISHED", "AGE", "MESSAGE"]
    assert (row["NAME"], row["PHASE"], row["REASON"], row["MESSAGE"]) == (
        "heat",
        "Failed",
        "ExitCode",
        "it exited with 3",
    )
    wide = _table(kubectl("get", "simjob", "-o", "wide"))
    assert (wide["IMAGE"], wide["POD"], wide["BUNDLE"]) == ("sim:1", "heat-x", "jobs/b.zip")


def test_a_sweep_is_listed_usefully(api: Api, made: Make, kubectl: Kubectl) -> None:
    made(sweep())
    status = {"phase": "Running", "message": "half", "points": {"total": 9, "succeeded": 4, "failed": 1, "active": 2}}
    api.patch(sweep(), {"status": status}, status=True)
    row = _table(kubectl("get", "simsweep", "-o", "wide"))
    assert {k: row[k] for k in ("PHASE", "DONE", "TOTAL", "FAILED", "MESSAGE", "ACTIVE", "IMAGE")} == {
        "PHASE": "Running",
        "DONE": "4",
        "TOTAL": "9",
        "FAILED": "1",
        "MESSAGE": "half",
        "ACTIVE": "2",
        "IMAGE": "sim:local",
    }


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("simjob.spec.params", "each becomes"),
        ("simjob.spec.resources.limits", "may use at most"),
        ("simjob.status.artifacts.sha256", "Checksum"),
        ("simsweep.spec.space.axes.linspace.num", "How many values"),
        ("simsweep.spec.rerun", "Run points again"),
    ],
)
def test_kubectl_explains_the_fields(api: Api, kubectl: Kubectl, path: str, words: str) -> None:
    assert words in " ".join(kubectl("explain", path).split())
