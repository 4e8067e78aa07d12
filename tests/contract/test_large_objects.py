"""What keeps many or large objects from taking the memory of operator and gateway, at a real API server."""

from collections.abc import Callable

import pytest
from contract.objects import Manifest, job, sweep
from contract.server import Api

from simops_crds.kinds import MAX_LABELS, MAX_PROCESS_BYTES

pytestmark = pytest.mark.versions


def labels(count: int) -> dict[str, str]:
    return {f"label{number}": "x" for number in range(count)}


def long_env(size: int) -> list[dict[str, str]]:
    return [{"name": f"E{number}", "value": "x" * 32_768} for number in range(size // 32_768)]


@pytest.mark.parametrize("make", [job, sweep], ids=["job", "sweep"])
def test_an_object_has_so_many_labels_at_most(
    api: Api, made: Callable[[Manifest], Manifest], make: Callable[..., Manifest]
) -> None:
    manifest = make()
    manifest["metadata"]["labels"] = labels(MAX_LABELS + 1)
    refusal = api.refusal(manifest)
    assert refusal is not None
    assert refusal.says("metadata.labels", "at most 64 labels"), refusal.causes
    made(manifest | {"metadata": manifest["metadata"] | {"labels": labels(MAX_LABELS)}})
    with pytest.raises(Exception, match="at most 64 labels"):
        api.patch(manifest, {"metadata": {"labels": labels(MAX_LABELS + 1)}})


def test_what_a_process_is_given_has_so_many_bytes_at_most(api: Api) -> None:
    for fits in (job(env=long_env(MAX_PROCESS_BYTES)), job(args=["x" * 4096] * 64)):
        assert api.refusal(fits) is None
    template = sweep()["spec"]["template"]
    for manifest, path in (
        (job(env=long_env(MAX_PROCESS_BYTES), args=["x"]), "spec.env"),
        (sweep(template=template | {"env": long_env(MAX_PROCESS_BYTES)}), "spec.template.env"),
    ):
        refusal = api.refusal(manifest)
        assert refusal is not None
        assert refusal.says(path, "at most 262144 bytes together"), refusal.causes
