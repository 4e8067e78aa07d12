"""What a spec asks for beyond what the installation allows, if the admission policy was gone around (pure)."""

from simops_crds.limits import why_too_large, why_too_long
from simops_crds.v1alpha1.job import RunSpec
from simops_operator.core.config import JobConfig


def why_above_maximum(path: str, run: RunSpec, timeout_seconds: int, config: JobConfig) -> str | None:
    """Return why a run is not started, as a sentence that starts with the field; None: it asks for no more than it may.

    Args:
        path: where in the object the run is described.
        run: its resources count.
        timeout_seconds: how long one attempt or point may take.
        config: the installation's settings.
    """
    if (why := why_too_long(timeout_seconds, config.max_timeout_seconds)) is not None:
        return f"spec.timeoutSeconds: {why}"
    if (found := why_too_large(run.resources, config.max_resources)) is not None:
        return f"{path}.resources.{found[0]}: {found[1]}"
    return None
