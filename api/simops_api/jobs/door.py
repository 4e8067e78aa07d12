"""What an installation does not take, told before anything is made (pure). The operator and the admission policy hold to the same."""

from simops_api.errors import ProblemError, mistake
from simops_api.jobs.requests import JobRequest
from simops_api.settings import Settings
from simops_crds.images import has_digest, why_not_trusted
from simops_crds.limits import why_too_large, why_too_long

_SWEEPS_ONLY = ("parallelism", "points_per_pod", "retries_per_point", "max_failed_points", "reuse", "batch")


def check(request: JobRequest, image: str, settings: Settings) -> None:
    """Let pass what this installation takes.

    Raises:
        ProblemError: it does not take this; the field is named.
    """
    why = why_not_trusted(image, settings.allowed_images, require_digest=settings.require_digest)
    if why is not None:
        raise mistake("image", f"{image[:512]} {why}")
    why = why_too_long(request.timeout_seconds, settings.max_timeout_seconds)
    if why is not None and "timeout_seconds" in request.model_fields_set:
        raise mistake("timeout_seconds", why)
    if (found := why_too_large(request.resources, settings.max_resources)) is not None:
        raise mistake(f"resources.{found[0]}", found[1])
    if request.sweep is not None or request.space is not None:
        _check_sweep(request)
        if request.reuse and not has_digest(image):
            raise mistake("reuse", f"needs an image given by its digest, such as sim@sha256:…; {image[:512]} has none")
    else:
        _check_single(request)


def _check_sweep(request: JobRequest) -> None:
    if request.sweep is not None and request.space is not None:
        raise mistake("space", "cannot be given together with sweep: sweep is the list of points, space describes them")
    if request.retries_per_point is not None and "retries" in request.model_fields_set:
        raise mistake("retries_per_point", "says the same as retries: give one of them")


def _check_single(request: JobRequest) -> None:
    found = next((name for name in _SWEEPS_ONLY if getattr(request, name) is not None), None)
    if found is not None:
        raise mistake(found, "is for many runs: it needs sweep or space")


def check_bulk(request: JobRequest) -> None:
    """Let pass what may be one of many.

    Raises:
        ProblemError: it is a sweep, or has a name.
    """
    problem: ProblemError | None = None
    if request.name is not None:
        problem = mistake("name", "cannot be given to one of many jobs: send it by itself, or leave the name out")
    elif request.sweep is not None:
        problem = mistake("sweep", "cannot be one of many jobs: send it by itself")
    elif request.space is not None:
        problem = mistake("space", "cannot be one of many jobs: send it by itself")
    if problem is not None:
        raise problem
