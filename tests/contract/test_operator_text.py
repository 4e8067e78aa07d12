"""The operator's server-side apply carries any text to a real API server unchanged."""

import json

import pytest

from simops_crds.v1alpha1 import SimulationJobSpec
from simops_operator.cluster import Cluster
from simops_operator.core.config import JobConfig
from simops_operator.core.jobs import job_for

pytestmark = pytest.mark.versions

ODD = {
    "emoji": "🚀 𝛼",
    "line separators": "e\u0085f c\u2029 d q \u2028 r",
    "control characters": "\x01\x1b\x7f\x9f\ufeff\ufffe",
    "escapes": "\\ud83d\\ude80 \\U0001F680 \\n",
    "quotes and braces": "\"'{}[]:#&*!|>%@` - ? \t\n",
    "dollars": "$(HOME) $$5",
}


@pytest.mark.parametrize("kind", ODD)
async def test_odd_text_in_an_argument_is_kept(cluster: Cluster, kind: str) -> None:
    spec = SimulationJobSpec(image="sim:local", args=[ODD[kind]], params={"text": ODD[kind]})
    uid = f"{list(ODD).index(kind):08x}-0000-4000-8000-000000000000"
    manifest = job_for("text", "default", uid, spec, JobConfig())
    made = await cluster.apply_job(manifest)
    again = await cluster.apply_job(manifest)
    container = made["spec"]["template"]["spec"]["containers"][0]
    literal = ODD[kind].replace("$", "$$")
    assert container["args"] == [literal, "--text", literal]
    assert json.loads(made["spec"]["template"]["metadata"]["annotations"]["simops.dev/params"]) == {"text": ODD[kind]}
    assert again["metadata"]["uid"] == made["metadata"]["uid"]
    await cluster.delete_job("default", made["metadata"]["name"])
