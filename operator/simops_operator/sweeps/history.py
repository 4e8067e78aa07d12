"""What is written of a sweep when it ends, for those who ask when its object is gone, and for later sweeps."""

from collections.abc import Mapping
from typing import Any

from simops_crds.names import SWEEP_ARCHIVE_PREFIX, SWEEP_EXPIRY_PREFIX, archive_key, reusable_sweep_key
from simops_operator.core.reuse import family_of
from simops_operator.core.sweeps.sweep import Sweep
from simops_operator.core.views import parse_time
from simops_operator.store import Store


async def write_record(store: Store, sweep: Sweep, record: Mapping[str, Any]) -> None:
    """Store the record of a sweep, and where it is found. All of it can be written again: the keys are always the same.

    Raises:
        StoreError: the store does not answer.
    """
    # The record first, so that nothing lists what is not there.
    await store.put_json(f"{sweep.prefix}/record.json", record)
    created = int(sweep.created.timestamp())
    spec = sweep.spec
    if spec is None or not spec.artifacts.delete_with_job:  # else the record goes when the object goes
        await store.put_json(archive_key(sweep.namespace, created, sweep.name, sweep.uid, SWEEP_ARCHIVE_PREFIX), {})
    expires = parse_time(record["artifacts"].get("expirationTime"))
    if expires is not None:
        due = f"{int(expires.timestamp()):012d}"
        await store.put_json(f"{SWEEP_EXPIRY_PREFIX}/{due}/{sweep.namespace}/{sweep.name}/{sweep.uid}", {})
    family = family_of(spec.template, batch=spec.template.batch) if spec is not None and spec.artifacts.stay else None
    if family is not None:
        await store.put_json(reusable_sweep_key(sweep.namespace, family, created, sweep.name, sweep.uid), {})
