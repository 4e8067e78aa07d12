"""Objects of both kinds, good and bad: the API server and the models are asked about the same ones.

Builders have defaults, so that each case shows only what matters. A field that is `None` is left out.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from simops_crds.names import API_VERSION

Manifest = dict[str, Any]

JOB = "SimulationJob"
SWEEP = "SimulationSweep"


def _object(kind: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


def job(name: str = "heat", **spec: Any) -> Manifest:
    """Return a SimulationJob."""
    return _object(JOB, name, {"image": "sim:local", **spec})


def sweep(
    name: str = "heat", *, template: Manifest | None = None, space: Manifest | None = None, **spec: Any
) -> Manifest:
    """Return a SimulationSweep."""
    whole = {"image": "sim:local", "command": ["simulate"], **(template or {})}
    axes = {"axes": [{"name": "diffusivity", "values": [0.1, 0.2]}]}
    spec = {
        "template": {k: v for k, v in whole.items() if v is not None},
        "space": axes if space is None else space,
    } | spec
    return _object(SWEEP, name, spec)


def axis(name: str = "x", **how: Any) -> Manifest:
    """Return an axis; without anything else it has two values."""
    return {"name": name, **(how or {"values": [1, 2]})}


def axes(*several: Manifest, **space: Any) -> Manifest:
    """Return a space with these axes."""
    return {"axes": list(several), **space}


@dataclass(frozen=True)
class Bad:
    """An object that must be refused: with this field named, and with these words."""

    what: str
    manifest: Manifest
    path: str
    words: str
    model: bool = False
    """Whether the pydantic model refuses it too."""


@dataclass(frozen=True)
class Good:
    """An object that must be kept as it is."""

    what: str
    manifest: Manifest
    defaults: Manifest = field(default_factory=dict)
    """What is added to the spec, beside the defaults of its kind."""


JOB_DEFAULTS: Manifest = {
    "network": "None",
    "timeoutSeconds": 3600,
    "retries": 0,
    "suspend": False,
    "cancelled": False,
    "artifacts": {"deleteWithJob": False},
}
SWEEP_DEFAULTS: Manifest = {
    "parallelism": 10,
    "pointsPerPod": 1,
    "retriesPerPoint": 0,
    "reuse": False,
    "timeoutSeconds": 3600,
    "suspend": False,
    "cancelled": False,
    "artifacts": {"deleteWithJob": False},
    "template": {"network": "None", "batch": False},
    "space": {"method": "grid"},
}


def with_defaults(spec: Manifest, *defaults: Manifest) -> Manifest:
    """Return the spec with what is missing filled in."""
    out = deepcopy(spec)
    for more in defaults:
        for key, value in more.items():
            if isinstance(value, dict) and isinstance(out.get(key, {}), dict):
                out[key] = with_defaults(out.get(key, {}), value)
            else:
                out.setdefault(key, value)
    return out


def lost(wanted: Any, kept: Any, path: str = "") -> list[str]:
    """Return where something differs from what was wanted of it; the API server may add things and leave out empty ones."""
    if isinstance(wanted, dict) and isinstance(kept, dict):
        return [at for key, value in wanted.items() for at in lost(value, kept.get(key), f"{path}.{key}")]
    if isinstance(wanted, list) and isinstance(kept, list) and len(wanted) == len(kept):
        pairs = enumerate(zip(wanted, kept, strict=True))
        return [at for i, (one, other) in pairs for at in lost(one, other, f"{path}[{i}]")]
    return (
        [] if wanted == kept or (kept is None and wanted in ("", [], {})) else [f"{path}: {wanted!r} became {kept!r}"]
    )


_SCALAR = "must be a number, a boolean or a string"
_NAME = "must start with a letter or '_'"
_VALUE_NAMES = "must be a Kubernetes quantity"


def _limits(**limits: Any) -> Manifest:
    return job(resources={"limits": limits})


def _requests(**requests: Any) -> Manifest:
    return job(resources={"requests": requests})


BAD_JOBS = (
    Bad("a job without an image", job(image=None), "spec.image", "Required value", model=True),
    Bad("an empty image", job(image=""), "spec.image", "at least 1 chars long", model=True),
    Bad("an image with a space", job(image="sim local"), "spec.image", "without spaces"),
    Bad("an image that starts with an option", job(image="--privileged"), "spec.image", "must be an image reference"),
    Bad("an image that is a number", job(image=3), "spec.image", "must be of type string", model=True),
    Bad("an image in capitals", job(image="Sim:local"), "spec.image", "starting with a lower-case letter"),
    Bad(
        "an image reference that never ends", job(image="a" * 513), "spec.image", "may not be more than 512", model=True
    ),
    Bad("a job without a spec", {**job(), "spec": None}, "spec", "Required value", model=True),
    Bad(
        "a command that is one text", job(command="python run.py"), "spec.command", "must be of type array", model=True
    ),
    Bad("a command whose program is empty", job(command=["", "x"]), "spec.command", "leave command out"),
    Bad("args with a number", job(args=["--steps", 3]), "spec.args[1]", "must be of type string", model=True),
    Bad("params as a list", job(params=["length=1"]), "spec.params", "must be of type object", model=True),
    Bad("a parameter that is a list", job(params={"mesh": [1, 2]}), "spec.params: mesh", _SCALAR, model=True),
    Bad("a parameter that is an object", job(params={"mesh": {"size": 1}}), "spec.params: mesh", _SCALAR, model=True),
    Bad("a parameter that is empty", job(params={"mesh": {}}), "spec.params: mesh", _SCALAR, model=True),
    Bad("a parameter that is null", job(params={"mesh": None}), "spec.params", _SCALAR, model=True),
    Bad(
        "a parameter's text that is too long",
        job(params={"t": "x" * 4097}),
        "spec.params: t",
        "at most 4096",
        model=True,
    ),
    Bad("a parameter with NUL", job(params={"mesh": "a\x00"}), "spec.params: mesh", "without NUL", model=True),
    Bad("an argument with NUL", job(args=["a", "b\x00"]), "spec.args[1]", "should match", model=True),
    Bad("a command with NUL", job(command=["\x00"]), "spec.command[0]", "should match", model=True),
    Bad(
        "a variable's value with NUL",
        job(env=[{"name": "A", "value": "\x00"}]),
        "spec.env[0].value",
        "match",
        model=True,
    ),
    Bad("a parameter's name with a space", job(params={"a b": 1}), "spec.params: a b", _NAME, model=True),
    Bad("a parameter's name that is an option", job(params={"-x": 1, "ok": 2}), "spec.params: -x", _NAME, model=True),
    Bad("a parameter without a name", job(params={"": 1}), "spec.params", _NAME, model=True),
    Bad(
        "a parameter's name that is too long",
        job(params={"a" * 64: 1}),
        "spec.params",
        "at most 63 of them",
        model=True,
    ),
    Bad("a parameter's name that is not ASCII", job(params={"α": 1}), "spec.params: α", _NAME, model=True),
    Bad(
        "too many parameters",
        job(params={f"p{i}": i for i in range(257)}),
        "spec.params",
        "must have at most 256 items",
        model=True,
    ),
    Bad(
        "parameters that do not fit into an annotation",
        job(params={f"p{i}": "ü" * 4096 for i in range(9)}),
        "spec.params",
        "at most 65536 bytes together",
    ),
    Bad(
        "a variable whose name is no identifier",
        job(env=[{"name": "1A"}]),
        "spec.env[0].name",
        "must be a C identifier",
    ),
    Bad("a variable of SimOps", job(env=[{"name": "SIMOPS_JOB"}]), "spec.env[0].name", "choose another name"),
    Bad("a variable without a name", job(env=[{"value": "1"}]), "spec.env[0].name", "Required value", model=True),
    Bad(
        "a variable that is a number",
        job(env=[{"name": "A", "value": 1}]),
        "spec.env[0].value",
        "type string",
        model=True,
    ),
    Bad("a variable twice", job(env=[{"name": "A"}, {"name": "A"}]), "spec.env[1]", "Duplicate value"),
    Bad("a quantity with a space", _limits(memory="4 Gi"), "spec.resources.limits", _VALUE_NAMES),
    Bad(
        "a quantity in a unit that does not exist",
        _limits(memory="4GB"),
        "spec.resources.limits",
        "such as 2, 500m or 4Gi",
    ),
    Bad("an empty quantity", _requests(cpu=""), "spec.resources.requests", _VALUE_NAMES),
    Bad("a negative request", _requests(cpu=-1), "spec.resources.requests", "not negative"),
    Bad(
        "a quantity that is a fraction without quotes",
        _limits(cpu=1.5),
        "spec.resources.limits.cpu",
        "must be of type",
        model=True,
    ),
    Bad("memory in thousandths of a byte", _limits(memory="512m"), "spec.resources.limits", "such as 512Mi"),
    Bad("memory without a unit", _limits(memory=512), "spec.resources.limits", "give it a unit"),
    Bad("a CPU limit of zero", _limits(cpu="0"), "spec.resources.limits", "greater than 0"),
    Bad("a memory limit of zero", _limits(memory=0), "spec.resources.limits", "greater than 0"),
    Bad("a resource that does not exist", _limits(mem="1Gi"), "spec.resources.limits", "use cpu, memory"),
    Bad(
        "a request above the limit, one in text and one in numbers",
        job(resources={"requests": {"cpu": 2}, "limits": {"cpu": "1900m"}}),
        "spec.resources.requests",
        "lower the request or raise the limit",
    ),
    Bad("no time at all", job(timeoutSeconds=0), "spec.timeoutSeconds", "greater than or equal to 1", model=True),
    Bad("half a second", job(timeoutSeconds=0.5), "spec.timeoutSeconds", "must be of type integer", model=True),
    Bad("a time with a unit", job(timeoutSeconds="1h"), "spec.timeoutSeconds", "must be of type integer", model=True),
    Bad(
        "a time of two years",
        job(timeoutSeconds=63_072_000),
        "spec.timeoutSeconds",
        "less than or equal to",
        model=True,
    ),
    Bad("no time to start", job(pendingTimeoutSeconds=0), "spec.pendingTimeoutSeconds", "or equal to 1", model=True),
    Bad("negative retries", job(retries=-1), "spec.retries", "greater than or equal to 0", model=True),
    Bad("retries without end", job(retries=101), "spec.retries", "less than or equal to 100", model=True),
    Bad(
        "a negative time to live",
        job(ttlSecondsAfterFinished=-1),
        "spec.ttlSecondsAfterFinished",
        "or equal to 0",
        model=True,
    ),
    Bad(
        "artifacts that expire at once",
        job(artifacts={"expireAfterSeconds": 1}),
        "spec.artifacts.expireAfterSeconds",
        "greater than or equal to 60",
        model=True,
    ),
    Bad(
        "a network that does not exist",
        job(network="Host"),
        "spec.network",
        '"None", "Cluster", "Internet"',
        model=True,
    ),
    Bad("suspend as a text", job(suspend="yes"), "spec.suspend", "must be of type boolean", model=True),
    Bad("a queue's name in capitals", job(queueName="Lab"), "spec.queueName", "name of a Kueue LocalQueue"),
    Bad(
        "a priority of the cluster's own",
        job(priorityClassName="system-node-critical"),
        "spec.priorityClassName",
        "must not start with system-",
    ),
    Bad("a priority class with a blank", job(priorityClassName="very high"), "spec.priorityClassName", "PriorityClass"),
    Bad(
        "a node label's long key",
        job(nodeSelector={f"{'a.' * 200}b/c": ""}),
        "spec.nodeSelector",
        "317 characters",
        model=True,
    ),
    Bad("a note of a long name", job(metadata={"a" * 254: "b"}), "spec.metadata", "253 characters", model=True),
    Bad(
        "a resource of a long name",
        job(resources={"limits": {f"{'a.' * 200}b/c": 1}}),
        "spec.resources.limits",
        "317 characters",
        model=True,
    ),
    Bad("a node label's key with a blank", job(nodeSelector={"disk type": "ssd"}), "spec.nodeSelector", "label's key"),
    Bad("a node label's value with a blank", job(nodeSelector={"disk": "s s"}), "spec.nodeSelector", "label's value"),
    Bad(
        "a toleration with an operator that does not exist",
        job(tolerations=[{"key": "gpu", "operator": "In"}]),
        "spec.tolerations[0].operator",
        '"Exists", "Equal"',
        model=True,
    ),
    Bad(
        "a toleration with a value that is not compared",
        job(tolerations=[{"key": "gpu", "operator": "Exists", "value": "a100"}]),
        "spec.tolerations[0].value",
        "must be left out when operator is Exists",
    ),
    Bad("a toleration without a key", job(tolerations=[{"value": "x"}]), "spec.tolerations[0]", "say operator: Exists"),
    Bad(
        "a toleration that ends without an effect",
        job(tolerations=[{"key": "gpu", "operator": "Exists", "tolerationSeconds": 5}]),
        "spec.tolerations[0].tolerationSeconds",
        "needs effect NoExecute",
    ),
    Bad(
        "a note that is a number",
        job(metadata={"paper": 7}),
        "spec.metadata.paper",
        "must be of type string",
        model=True,
    ),
    Bad("a note that is too long", job(metadata={"a": "x" * 1025}), "spec.metadata.a", "more than 1024", model=True),
    Bad("a job's name of 55 characters", job("a" * 55), "metadata", "at most 54 characters"),
    Bad("a job's name with a dot", job("heat.2"), "metadata", "without dots"),
)

_AXES = "spec.space.axes"

BAD_SWEEPS = (
    Bad(
        "a sweep without a space",
        sweep(space=None) | {"spec": {"template": {"image": "a", "command": ["a"]}}},
        "spec.space",
        "Required value",
        model=True,
    ),
    Bad(
        "a sweep without a template",
        sweep() | {"spec": {"space": axes(axis())}},
        "spec.template",
        "Required value",
        model=True,
    ),
    Bad("a sweep without a command", sweep(template={"command": None}), "spec.template", "needs template.command"),
    Bad("a space without axes", sweep(space={"method": "grid"}), _AXES, "name each parameter to vary"),
    Bad("a space with an empty list of axes", sweep(space=axes()), _AXES, "at least 1 items", model=True),
    Bad(
        "a method that does not exist",
        sweep(space=axes(axis(), method="bayes")),
        "spec.space.method",
        '"latinHypercube"',
        model=True,
    ),
    Bad("an axis without values", sweep(space=axes({"name": "x"})), f"{_AXES}: x", "exactly one of values"),
    Bad(
        "an axis with an empty list of values",
        sweep(space=axes(axis(values=[]))),
        f"{_AXES}[0].values",
        "at least 1",
        model=True,
    ),
    Bad(
        "an axis that is two things",
        sweep(space=axes(axis(values=[1], linspace={"start": 0, "stop": 1, "num": 2}))),
        f"{_AXES}: x",
        "exactly one of values",
    ),
    Bad("an axis without a name", sweep(space=axes({"values": [1]})), f"{_AXES}[0].name", "Required value", model=True),
    Bad(
        "an axis whose name is no parameter",
        sweep(space=axes(axis("1x"))),
        f"{_AXES}[0].name",
        "must be a parameter's name",
    ),
    Bad("an axis twice", sweep(space=axes(axis(), axis())), f"{_AXES}[1]", "Duplicate value"),
    Bad(
        "seventeen axes", sweep(space=axes(*(axis(f"x{i}") for i in range(17)))), _AXES, "at most 16 items", model=True
    ),
    Bad(
        "a value that is a list", sweep(space=axes(axis(values=[1, [2]]))), f"{_AXES}[].values: x", _SCALAR, model=True
    ),
    Bad("a value with NUL", sweep(space=axes(axis(values=["\x00"]))), f"{_AXES}[].values: x", "NUL", model=True),
    Bad(
        "a point with NUL",
        sweep(space={"method": "list", "points": [{"a": "\x00"}]}),
        "spec.space.points: a",
        "without NUL",
        model=True,
    ),
    Bad("a value that is null", sweep(space=axes(axis(values=[1, None]))), f"{_AXES}[].values: x", _SCALAR, model=True),
    Bad(
        "a parameter both shared and varied",
        sweep(template={"params": {"x": 1, "k": 2}}, space=axes(axis("k"), axis("z"))),
        f"{_AXES}: k:",
        "remove one of the two",
    ),
    Bad(
        "a shared parameter that is a list",
        sweep(template={"params": {"m": []}}),
        "spec.template.params: m",
        _SCALAR,
        model=True,
    ),
    Bad("a template with an image of blanks", sweep(template={"image": " "}), "spec.template.image", "without spaces"),
    Bad(
        "a range with no steps",
        sweep(space=axes(axis(linspace={"start": 0, "stop": 1, "num": 0}))),
        "linspace.num",
        "or equal to 1",
        model=True,
    ),
    Bad(
        "a ratio from zero",
        sweep(space=axes(axis(logspace={"start": 0, "stop": 1, "num": 3}))),
        "logspace.start",
        "should be greater than 0",
        model=True,
    ),
    Bad(
        "integers downwards",
        sweep(space=axes(axis(integers={"low": 3, "high": 1}))),
        f"{_AXES}[0].integers",
        "low must not be greater than high",
    ),
    Bad(
        "integers without a step",
        sweep(space=axes(axis(integers={"low": 1, "high": 3, "step": 0}))),
        "integers.step",
        "or equal to 1",
        model=True,
    ),
    Bad(
        "integers that JSON readers round",
        sweep(space=axes(axis(integers={"low": 0, "high": 2**53}))),
        "integers.high",
        "less than or equal to",
        model=True,
    ),
    Bad(
        "an interval of nothing",
        sweep(space=axes(axis(uniform={"low": 1, "high": 1}), method="random", samples=3)),
        f"{_AXES}[0].uniform",
        "low must be less than high",
    ),
    Bad(
        "magnitudes below zero",
        sweep(space=axes(axis(logUniform={"low": -1, "high": 1}), method="sobol", samples=4)),
        "logUniform.low",
        "should be greater than 0",
        model=True,
    ),
    Bad(
        "an interval in a grid",
        sweep(space=axes(axis(uniform={"low": 0, "high": 1}))),
        _AXES,
        "use linspace or logspace",
    ),
    Bad(
        "a grid's steps among samples",
        sweep(space=axes(axis(linspace={"start": 0, "stop": 1, "num": 3}), method="random", samples=3)),
        _AXES,
        "use uniform or logUniform",
    ),
    Bad("samples without a number", sweep(space=axes(axis(), method="sobol")), "spec.space", "they need it"),
    Bad("a grid with samples", sweep(space=axes(axis(), samples=3)), "spec.space", "no other method takes it"),
    Bad("a grid with a seed", sweep(space=axes(axis(), seed=3)), "spec.space.seed", "seed is for the methods random"),
    Bad(
        "no samples",
        sweep(space=axes(axis(), method="random", samples=0)),
        "spec.space.samples",
        "or equal to 1",
        model=True,
    ),
    Bad(
        "axes of different lengths side by side",
        sweep(
            space=axes(axis("a", values=[1, 2, 3]), axis("b", integers={"low": 1, "high": 7, "step": 2}), method="zip")
        ),
        f"{_AXES}: a has 3, b has 4",
        "the same number of values",
    ),
    Bad(
        "a grid of a hundred million points",
        sweep(space=axes(*(axis(f"x{i}", integers={"low": 1, "high": 100}) for i in range(4)))),
        f"{_AXES}: x0 has 100, x1 has 100",
        "at most 1000000 points",
    ),
    Bad(
        "a grid whose size no integer holds",
        sweep(space=axes(*(axis(f"x{i}", linspace={"start": 0, "stop": 1, "num": 1_000_000}) for i in range(16)))),
        _AXES,
        "at most 1000000 points",
    ),
    Bad(
        "more values written out than can be checked",
        sweep(space=axes(*(axis(f"x{i}", values=[0] * 10_000) for i in range(3)), method="zip")),
        "spec.space",
        "at most 25000 together",
    ),
    Bad("a list without points", sweep(space={"method": "list"}), "spec.space", "method list needs points"),
    Bad("a list with axes", sweep(space=axes(axis(), method="list", points=[{"x": 1}])), "spec.space", "no axes"),
    Bad("a grid with points", sweep(space=axes(axis(), points=[{"x": 1}])), "spec.space", "axes and no points"),
    Bad(
        "a list of no points",
        sweep(space={"method": "list", "points": []}),
        "spec.space.points",
        "at least 1",
        model=True,
    ),
    Bad(
        "a point that is a list",
        sweep(space={"method": "list", "points": [{"x": 1}, {"x": [2]}]}),
        "spec.space.points: x",
        _SCALAR,
        model=True,
    ),
    Bad(
        "a point's name with a blank",
        sweep(space={"method": "list", "points": [{"x": 1}, {"x y": 2}]}),
        "spec.space.points: x y",
        _NAME,
        model=True,
    ),
    Bad(
        "a bad name in the first point",
        sweep(space={"method": "list", "points": [{"x y": 1}]}),
        "spec.space.points: x y",
        _NAME,
        model=True,
    ),
    Bad(
        "a constraint that says nothing",
        sweep(space=axes(axis(), where="")),
        "spec.space.where",
        "at least 1 chars",
        model=True,
    ),
    Bad(
        "a list that is written out and named",
        sweep(
            space={"method": "list", "points": [{"x": 1}], "pointsFrom": {"digest": "sha256:" + "0" * 64, "points": 1}}
        ),
        "spec.space",
        "method list needs points or pointsFrom",
    ),
    Bad(
        "a grid with a list",
        sweep(space=axes(axis(), pointsFrom={"digest": "sha256:" + "0" * 64, "points": 1})),
        "spec.space",
        "every other method takes axes and no points",
    ),
    Bad(
        "a list whose digest is none",
        sweep(space={"method": "list", "pointsFrom": {"digest": "sha256:abc", "points": 1}}),
        "spec.space.pointsFrom.digest",
        "should match",
        model=True,
    ),
    Bad("reuse behind a tag", sweep(reuse=True), "spec.reuse", "reuse needs an image given by its digest"),
    Bad("no Pods at once", sweep(parallelism=0), "spec.parallelism", "greater than or equal to 1", model=True),
    Bad("packs of no points", sweep(pointsPerPod=0), "spec.pointsPerPod", "'auto' or a number from 1", model=True),
    Bad("packs of a word", sweep(pointsPerPod="many"), "spec.pointsPerPod", "'auto' or a number from 1", model=True),
    Bad(
        "packs of a number in quotes",
        sweep(pointsPerPod="8"),
        "spec.pointsPerPod",
        "'auto' or a number from 1",
        model=True,
    ),
    Bad(
        "cancelled points that are words",
        sweep(cancelledPoints="first"),
        "spec.cancelledPoints",
        "index ranges such as 3,7-9",
        model=True,
    ),
    Bad(
        "cancelled points with a blank",
        sweep(cancelledPoints="3, 7"),
        "spec.cancelledPoints",
        "without spaces",
        model=True,
    ),
    Bad(
        "a range of points backwards",
        sweep(cancelledPoints="3,9-7"),
        "spec.cancelledPoints: 9-7",
        "the lower index comes first",
        model=True,
    ),
    Bad("a range of ten and nine", sweep(cancelledPoints="10-9"), "spec.cancelledPoints: 10-9", "reversed", model=True),
    Bad(
        "a rerun of nothing",
        sweep(rerun={"points": "", "id": "a"}),
        "spec.rerun.points",
        "failed, missing or index ranges",
        model=True,
    ),
    Bad(
        "a rerun backwards", sweep(rerun={"points": "5-2", "id": "a"}), "spec.rerun.points: 5-2", "reversed", model=True
    ),
    Bad("a rerun without an id", sweep(rerun={"points": "failed"}), "spec.rerun.id", "Required value", model=True),
    Bad("a sweep's name of 44 characters", sweep("a" * 44), "metadata", "at most 43 characters"),
)

BAD = (*BAD_JOBS, *BAD_SWEEPS)

_ODD_PARAMS: Manifest = {
    "tiny": 5e-324,
    "huge": 1.7976931348623157e308,
    "third": 0.1,
    "negative": -2.5e-7,
    "beyond32": 2**40,
    "int64": 2**63 - 1,
    "least": -(2**63),
    "yes": True,
    "no": False,
    "zero": 0,
    "unicode": "Ångström – 温度 – 🔥",
    "empty": "",
    "quotes": "a 'b' \"c\" \\ $(HOME) `d`\n\ttab",
    "long": "x" * 4096,
    "looks_like_a_number": "1e3",
    "_private.name-2": 1,
    "m" * 63: 1,
}

GOOD = (
    Good("the least job", job()),
    Good("a job with odd parameters", job(params=_ODD_PARAMS)),
    Good("a job with as many parameters as there may be", job(params={f"p{i}": i / 7 for i in range(256)})),
    Good("a job with no parameters, no command and no notes", job(params={}, command=[], args=[], env=[], metadata={})),
    Good(
        "a job with every field",
        job(
            "a" * 54,
            image="registry.example.com:5000/team/Sim.2@sha256:" + "0" * 64,
            command=["python", "-m", "x"],
            args=["", "--flag", "ü"],
            params={"length": 1.5},
            env=[{"name": "_A", "value": "ü=1\n2"}, {"name": "B2", "value": ""}],
            resources={
                "requests": {"cpu": 0, "memory": "0.5Gi", "nvidia.com/gpu": 1},
                "limits": {"cpu": "2", "memory": 1073741824, "ephemeral-storage": "1e9", "nvidia.com/gpu": "1"},
            },
            timeoutSeconds=31_536_000,
            pendingTimeoutSeconds=1,
            retries=100,
            priorityClassName="very-high.lab",
            nodeSelector={"topology.kubernetes.io/zone": "eu-1a", "disk": "", "a.b_c": "X_y.Z"},
            tolerations=[
                {"operator": "Exists"},
                {"key": "gpu", "operator": "Equal", "value": "a100", "effect": "NoSchedule"},
                {"key": "gone", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0},
            ],
            queueName="lab-1",
            network="Internet",
            ttlSecondsAfterFinished=0,
            artifacts={"deleteWithJob": True, "expireAfterSeconds": 3_153_600_000},
            suspend=True,
            cancelled=True,
            metadata={"paper": "doi:10/1", "": "empty key", "温度": "ü" * 1024},
        ),
    ),
    Good("a variable without a value", job(env=[{"name": "A", "value": ""}])),
    Good("an artifact rule alone", job(artifacts={"expireAfterSeconds": 60})),
    Good(
        "a request that equals the limit in other words",
        job(resources={"requests": {"cpu": "1000m"}, "limits": {"cpu": 1}}),
    ),
    Good("the least sweep", sweep()),
    Good(
        "a list of a million points",
        sweep(space={"method": "list", "pointsFrom": {"digest": "sha256:" + "0a" * 32, "points": 1_000_000}}),
    ),
    Good(
        "a sweep with every field",
        sweep(
            "b" * 43,
            template={
                "image": "sim@sha256:" + "0a" * 32,
                "params": {"length": 1.5, "name": "ü"},
                "batch": True,
                "command": None,
                "pendingTimeoutSeconds": 9,
            },
            space=axes(
                axis("v", values=[1, 2.5, True, "ü", -(2**40)]),
                axis("lin", linspace={"start": -1.5, "stop": 1e6, "num": 3}),
                axis("log", logspace={"start": 1e-12, "stop": 1e3, "num": 7}),
                axis("int", integers={"low": -3, "high": 2**53 - 1, "step": 2**52}),
                where="v * lin <= 0.5",
            ),
            parallelism=10_000,
            pointsPerPod="auto",
            retriesPerPoint=2,
            reuse=True,
            maxFailedPoints=0,
            timeoutSeconds=1,
            suspend=True,
            cancelled=True,
            cancelledPoints="3,7-9,0000011-12",
            rerun={"points": "0,4-4,9999999", "id": "again 1"},
            ttlSecondsAfterFinished=3_153_600_000,
            artifacts={"deleteWithJob": True},
        ),
    ),
    Good(
        "samples of every kind of axis",
        sweep(
            space=axes(
                axis("u", uniform={"low": -1e-3, "high": 1}),
                axis("l", logUniform={"low": 1e-9, "high": 1e9}),
                axis("i", integers={"low": 1, "high": 1, "step": 1}),
                axis("v", values=["a", "b"]),
                method="sobol",
                samples=1_000_000,
                seed=2**53 - 1,
            )
        ),
    ),
    Good("a Latin hypercube", sweep(space=axes(axis(), method="latinHypercube", samples=1))),
    Good(
        "a list of unlike points that override what is shared",
        sweep(template={"params": {"x": 0}}, space={"method": "list", "points": [{}, {"x": 1}, {"y": "ü", "z": True}]}),
    ),
    Good(
        "axes side by side",
        sweep(
            space=axes(
                axis("a", values=[1, 2, 3]),
                axis("b", integers={"low": 1, "high": 6, "step": 2}),
                axis("c", logspace={"start": 1, "stop": 8, "num": 3}),
                method="zip",
            )
        ),
    ),
    Good("a grid of a million points", sweep(space=axes(*(axis(f"x{i}", values=list(range(10))) for i in range(6))))),
    Good("a rerun of what failed", sweep(rerun={"points": "failed", "id": "x"})),
    Good(
        "a sweep of two thousand points",
        sweep(space={"method": "list", "points": [{"x": i, "y": 0.5} for i in range(2000)]}),
    ),
)


BREAKOUTS: Manifest = {
    "volumes": [{"name": "node", "hostPath": {"path": "/"}}],
    "volumeMounts": [{"name": "node", "mountPath": "/node"}],
    "volumeDevices": [{"name": "disk", "devicePath": "/dev/sda"}],
    "hostNetwork": True,
    "hostPID": True,
    "hostIPC": True,
    "hostUsers": True,
    "hostAliases": [{"ip": "203.0.113.7", "hostnames": ["store"]}],
    "shareProcessNamespace": True,
    "privileged": True,
    "securityContext": {"privileged": True, "runAsUser": 0, "capabilities": {"add": ["SYS_ADMIN"]}},
    "serviceAccountName": "cluster-admin",
    "serviceAccount": "cluster-admin",
    "automountServiceAccountToken": True,
    "envFrom": [{"secretRef": {"name": "simops-store"}}],
    "imagePullSecrets": [{"name": "of-another"}],
    "containers": [{"name": "other", "image": "evil:1"}],
    "initContainers": [{"name": "other", "image": "evil:1"}],
    "ephemeralContainers": [{"name": "other", "image": "evil:1"}],
    "lifecycle": {"postStart": {"exec": {"command": ["sh"]}}},
    "livenessProbe": {"exec": {"command": ["sh"]}},
    "ports": [{"containerPort": 80, "hostPort": 80}],
    "nodeName": "control-plane",
    "schedulerName": "of-another",
    "affinity": {"nodeAffinity": {}},
    "priority": 2_000_000_000,
    "runtimeClassName": "runc",
    "resourceClaims": [{"name": "device"}],
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["203.0.113.7"]},
    "terminationGracePeriodSeconds": 31_536_000,
    "activeDeadlineSeconds": 31_536_000,
    "labels": {"simops.dev/network": "Internet"},
    "annotations": {"eks.amazonaws.com/skip-containers": ""},
    "podTemplate": {"spec": {"hostNetwork": True}},
    "podSpec": {"hostNetwork": True},
}
"""What the description of a Pod could have that would let a simulation out of it, or get it what is not its own. Neither kind has such a field."""

BREAKOUTS_WITHIN: dict[str, Manifest] = {
    "env[0].valueFrom": {
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "simops-store", "key": "secret-key"}}}]
    },
    "resources.claims": {"resources": {"claims": [{"name": "device"}]}},
    "tolerations[0].nodeName": {"tolerations": [{"operator": "Exists", "nodeName": "control-plane"}]},
    "artifacts.key": {"artifacts": {"key": "jobs/of/another"}},
}
"""The same within fields that there are: path of the field, and a SimulationJob's spec that has it."""
