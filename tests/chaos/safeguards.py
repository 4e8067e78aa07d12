"""What keeps the operator's promises, and how each is switched off: the tests must then find the promise broken."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from simops_crds.names import FIELD_MANAGER, Phase, Reason
from simops_io.kube import JSON_PATCH
from simops_operator import reconcile
from simops_operator.cluster import JOBS_PLURAL, Cluster, _runs
from simops_operator.core import actions, endings


def one_name_for_a_job() -> None:
    """A Job's name follows from its run, so that whoever makes it again makes the same one."""
    apply = Cluster.apply_job

    async def apply_any(self: Cluster, manifest: Any) -> Any:
        meta = manifest["metadata"] | {"name": f"{manifest['metadata']['name'][:40]}-{uuid.uuid4().hex[:8]}"}
        return await apply(self, manifest | {"metadata": meta})

    Cluster.apply_job = apply_any  # type: ignore[method-assign]


def only_what_was_read_is_written_over() -> None:
    """A status is written only over the one that it was decided by."""

    async def write_over(
        self: Cluster, namespace: str, name: str, version: int, uid: str, status: Any, plural: str = JOBS_PLURAL
    ) -> Any:
        body = [{"op": "add", "path": "/status", "value": status}]
        path = _runs(namespace, name, "status", plural)
        return await self._call(
            "PATCH", path, query={"fieldManager": FIELD_MANAGER}, body=body, content_type=JSON_PATCH
        )

    Cluster.write_status = write_over  # type: ignore[method-assign]


def logs_before_the_end() -> None:
    """A log is in the store before its run is called finished, as its Pod may go from then on."""

    async def no_log(self: reconcile.Reconciler, run: Any, pod: str) -> bool:
        return False

    reconcile.Reconciler._archive_log = no_log  # type: ignore[method-assign]


def success_means_stored() -> None:
    """A run has succeeded only when its bundle is in the store."""
    ending = endings.ending

    def generous(*given: Any, is_success: bool, **more: Any) -> Any:
        outcome = ending(*given, is_success=is_success, **more)
        if is_success and outcome.phase != "Succeeded":
            outcome = replace(outcome, phase=Phase.SUCCEEDED, reason=Reason.COMPLETED)
        return outcome

    endings.ending = generous


def the_record_before_the_end() -> None:
    """The record is in the store before the run is called finished."""
    apply_one = reconcile.Reconciler._apply_one

    async def without_record(self: reconcile.Reconciler, run: Any, action: Any, memory: Any) -> None:
        if not isinstance(action, actions.WriteRecord):
            await apply_one(self, run, action, memory)

    reconcile.Reconciler._apply_one = without_record  # type: ignore[method-assign]


SAFEGUARDS: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (
        one_name_for_a_job,
        only_what_was_read_is_written_over,
        logs_before_the_end,
        success_means_stored,
        the_record_before_the_end,
    )
}
