"""What keeps many or large objects from taking the memory of operator and gateway, at a real API server."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import kopf
import pytest
from contract.objects import Manifest, job, sweep
from contract.server import Api

from simops_crds.kinds import MAX_LABELS, MAX_PROCESS_BYTES
from simops_crds.names import GROUP, VERSION
from simops_operator import deep

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


async def test_kopf_tells_of_the_objects_that_there_are_whatever_fits_on_a_page(
    kubeconfig: str, made: Callable[[Manifest], Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its LIST is ours: small pages, one that is too long, and what becomes of the objects afterwards."""
    monkeypatch.setenv("KUBECONFIG", kubeconfig)
    monkeypatch.setattr(deep, "PAGE_BYTES", 40_000)
    names = {made(job(f"told-{number}", args=["x" * 4000] * 2))["metadata"]["name"] for number in range(12)}
    seen, told = set[str](), asyncio.Queue[str]()
    registry, settings, stop = kopf.OperatorRegistry(), kopf.OperatorSettings(), asyncio.Event()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.chunk_size = 500
    settings.watching.field_selectors[GROUP, VERSION, "simulationjobs"] = "status.phase!=Failed"

    @kopf.on.login(registry=registry)
    async def login(**given: Any) -> Any:
        return kopf.login_with_kubeconfig(**given)

    @kopf.on.event(GROUP, VERSION, "simulationjobs", registry=registry)
    async def take(event: kopf.RawEvent, **_: Any) -> None:
        told.put_nowait(cast(Any, event["object"])["metadata"]["name"])

    deep.read_any_objects()
    running = asyncio.create_task(
        kopf.operator(registry=registry, settings=settings, namespaces=["default"], standalone=True, stop_flag=stop)
    )
    try:
        async with asyncio.timeout(30):
            while not names <= seen:
                seen.add(await told.get())
            names |= {made(job("told-later"))["metadata"]["name"]}
            while not names <= seen:
                seen.add(await told.get())
    finally:
        stop.set()
        await running
