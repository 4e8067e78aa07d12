"""A request becomes the object to create (pure: what makes its name unique is given)."""

import json
import re
from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from simops_api.errors import ProblemError, mistake, mistakes
from simops_api.jobs import door
from simops_api.jobs.ids import is_name
from simops_api.jobs.requests import JobRequest
from simops_api.settings import Settings
from simops_api.uploads.lists import List, Uploaded, list_of
from simops_crds.kinds import MAX_VALUES, SIMULATION_JOB, SIMULATION_SWEEP, Kind
from simops_crds.names import ANNOTATION_IDEMPOTENCY, API_VERSION
from simops_crds.space import SpaceError, check, count, expand
from simops_crds.v1alpha1 import Method, SimulationJobSpec, SimulationSweepSpec, Space, SweepTemplate

Manifest = dict[str, Any]

_PREFIX_LIMIT = 30
_MAX_OBJECT_BYTES = 1_400_000
"""etcd takes 1.5 MiB, and the API server adds to an object."""
_MAX_POINTS = 10_000
"""Points that are written into an object, by its schema."""
_TRIED = 1000
"""Of spaces with no more points than this, ``where`` is tried before the object is made; a thousand take milliseconds."""
_TEMPLATE_FIELDS = frozenset(SweepTemplate.model_fields)
_JOB_FIELDS = frozenset(SimulationJobSpec.model_fields)
_SWEEP_FIELDS = (_JOB_FIELDS | frozenset(SimulationSweepSpec.model_fields)) - _TEMPLATE_FIELDS - {"space"}


def name_for(image: str, suffix: str) -> str:
    """Return the name of an object: what the image is called, and a suffix that nobody else has."""
    last = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    slug = re.sub(r"[^a-z0-9]+", "-", last.lower())[:_PREFIX_LIMIT].strip("-")
    return f"{slug or 'job'}-{suffix}"


def is_sweep(request: JobRequest) -> bool:
    """Whether many runs are asked for."""
    return request.sweep is not None or request.space is not None


def manifest_of(
    request: JobRequest,
    settings: Settings,
    suffix: str,
    *,
    name: str = "",
    digest: str = "",
    upload: Uploaded | None = None,
) -> tuple[Kind, Manifest]:
    """Return the kind of the object that a request asks for, and the object.

    Its name is that of the request, or what the image is called and ``suffix``, or, for a request with an idempotency key, a ``name`` that is given; the
    ``digest`` of such a request is kept with the object. ``upload`` is where its points are, if they are too many for the object (``upload_of``).

    Raises:
        ProblemError: the request contradicts itself, or this installation.
    """
    image = request.image or settings.default_container_image
    if not image:
        raise mistake("image", "is needed: this installation has no default image (SIMOPS_DEFAULT_CONTAINER_IMAGE)")
    namespace = request.namespace or settings.default_namespace
    if namespace not in settings.namespaces:
        raise mistake("namespace", f"is not served here; served: {', '.join(settings.namespaces)}")
    door.check(request, image, settings)
    kind = SIMULATION_SWEEP if is_sweep(request) else SIMULATION_JOB
    if request.name is not None:
        name = _checked_name(request.name, kind)
    spec = _sweep_spec(request, image, settings, upload) if is_sweep(request) else _job_spec(request, image)
    if request.timeout_seconds > settings.max_timeout_seconds:
        # Nobody asked for it: it is the default, which the API server would refuse.
        spec["timeoutSeconds"] = settings.max_timeout_seconds
    manifest = {
        "apiVersion": API_VERSION,
        "kind": kind.kind,
        "metadata": {"name": name or name_for(image, suffix), "namespace": namespace}
        | ({"labels": request.labels} if request.labels else {})
        | ({"annotations": {ANNOTATION_IDEMPOTENCY: digest}} if digest else {}),
        "spec": spec,
    }
    if len(json.dumps(manifest)) > _MAX_OBJECT_BYTES:
        raise ProblemError(413, "this becomes an object that is larger than Kubernetes takes: split the sweep")
    return kind, manifest


def _checked_name(name: str, kind: Kind) -> str:
    # The API server says the same of metadata.name, which a request has not.
    if len(name) > kind.name_limit or not is_name(name):
        letters = "lower-case letters, digits and '-', with a letter or digit at both ends"
        raise mistake("name", f"must have at most {kind.name_limit} characters: {letters}")
    return name


def _dump(request: JobRequest, fields: Collection[str]) -> Manifest:
    # Only what was said: the defaults are the API server's.
    return request.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True, include=set(fields))


def _job_spec(request: JobRequest, image: str) -> Manifest:
    return {**_dump(request, _JOB_FIELDS), "image": image}


def _sweep_spec(request: JobRequest, image: str, settings: Settings, upload: Uploaded | None) -> Manifest:
    template = {**_dump(request, _TEMPLATE_FIELDS), "image": image}
    if not template.get("command") and image == settings.default_container_image:
        template |= {"command": list(settings.default_container_command)} if settings.default_container_command else {}
    if not template.get("command") and not request.batch:
        rule = next(rule for rule in SweepTemplate.rules if "template.command" in rule.message)
        raise mistake("command", rule.message.replace("template.command", "command"))
    spec = _dump(request, _SWEEP_FIELDS)
    if "retries" in spec:
        spec["retriesPerPoint"] = spec.pop("retries")
    if request.sweep is not None:
        points = points_of(request)
        varied = frozenset[str]().union(*points)
        template["params"] = {k: v for k, v in (request.params or {}).items() if k not in varied}
        where = {"pointsFrom": upload.model_dump(include={"digest", "points"})} if upload else {"points": points}
        spec["space"] = {"method": Method.LIST.value, **where}
    elif request.space is not None:
        spec["space"] = request.space.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    spec["template"] = template
    try:
        parsed = SimulationSweepSpec.model_validate(spec)
        shared = parsed.template.params or {}
        check(parsed.space, shared, settings.max_sweep_points)
        if _is_soon_tried(parsed.space):
            # One that leaves no point is refused at once.
            expand(parsed.space, shared, settings.max_sweep_points)
    except ValidationError as error:
        raise mistakes(error.errors(include_url=False, include_input=False), "body") from error
    except SpaceError as error:
        text = str(error).removeprefix(f"{error.field}: ")
        raise mistake(error.field.removeprefix("spec."), text) from error
    return spec


def _is_soon_tried(space: Space) -> bool:
    """Whether ``where`` is tried for all points in no time; drawing samples loads scipy."""
    return space.where is not None and space.points_from is None and space.samples is None and count(space) <= _TRIED


def upload_of(request: JobRequest) -> List | None:
    """Return the points of ``sweep`` as a list of their own if they are too many for an object."""
    points = points_of(request)
    is_short = len(points) <= _MAX_POINTS and sum(map(len, points)) <= MAX_VALUES
    return None if is_short else list_of(points)


def points_of(request: JobRequest) -> list[dict[str, Any]]:
    """Return the points of ``sweep``: a parameter that some points set has its value of ``params`` in the others."""
    points = request.sweep or []
    varied = frozenset[str]().union(*points)
    defaults = {k: v for k, v in (request.params or {}).items() if k in varied}
    return [defaults | point for point in points]


def mapping_of(request: JobRequest, ids: list[str]) -> dict[str, dict[str, Any]]:
    """Return the id of each job → all its parameters."""
    if not is_sweep(request):
        return {ids[0]: dict(request.params or {})}
    return {job_id: {**(request.params or {}), **point} for job_id, point in zip(ids, points_of(request), strict=True)}
