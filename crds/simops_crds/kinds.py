"""The two kinds as data: names, columns, and the rules about values of free type that only an admission policy can check."""

from dataclasses import dataclass
from typing import Any

from simops_crds.base import INDEX_RANGES, PARAMETER_NAME, Model
from simops_crds.names import FINAL_PHASES
from simops_crds.v1alpha1 import (
    SimulationJobSpec,
    SimulationJobStatus,
    SimulationSweepSpec,
    SimulationSweepStatus,
)
from simops_crds.v1alpha1.sweep import AXIS_KINDS, RERUN_WORDS


@dataclass(frozen=True)
class Column:
    """One column of ``kubectl get``. Columns of priority 1 are shown with ``-o wide`` only."""

    name: str
    json_path: str
    type: str = "string"
    priority: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the column as the CRD writes it."""
        out: dict[str, Any] = {"name": self.name, "jsonPath": self.json_path, "type": self.type}
        # The API server drops a zero, and a file that differs from what is kept looks changed for ever.
        return out | ({"priority": self.priority} if self.priority else {})


@dataclass(frozen=True)
class PolicyRule:
    """A rule of the admission policy; ``expression`` is true for good objects.

    ``culprits``, where given, is a CEL list of strings that the message names.
    """

    expression: str
    path: str
    message: str
    culprits: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the validation as the policy writes it. The plain message is for when the other one cannot be made."""
        out = {"expression": self.expression, "message": f"{self.path}: {self.message}"}
        if self.culprits:
            words = self.message.replace("'", "\\'")
            out["messageExpression"] = f"'{self.path}: ' + ({self.culprits}).join(', ') + ': {words}'"
        return out


@dataclass(frozen=True)
class Kind:
    """Everything about a kind that is not its fields."""

    kind: str
    plural: str
    short_names: tuple[str, ...]
    description: str
    spec: type[Model]
    status: type[Model]
    name_limit: int
    columns: tuple[Column, ...]
    variables: tuple[tuple[str, str], ...]
    """Parts of the object, which the rules of the policy call ``variables.<name>``; each may use those before it."""
    policy: tuple[PolicyRule, ...]


MAX_PARAMETER_BYTES = 65_536
MAX_PROCESS_BYTES = 262_144
"""Of command, args and env together. Operator and gateway keep them in memory, of each object that is not finished."""
MAX_LABELS = 64
MAX_POINTS = 1_000_000
MAX_VALUES = 25_000
"""Values that are written out in a space, all together: more than that and a rule about each costs more than the API server allows."""
_MAX_AXES = 16
HAS_FEW_LABELS = f"!has(object.metadata.labels) || object.metadata.labels.size() <= {MAX_LABELS}"

_NAME_MESSAGE = "a parameter's name must start with a letter or '_' and have only letters, digits, '_', '.' and '-', at most 63 of them"
_SCALAR_MESSAGE = "the value of a parameter must be a number, a boolean or a string of at most 4096 characters without NUL, not a list, an object or null"


def _named(name: str) -> str:
    return f"{name}.matches('{PARAMETER_NAME}')"


def _scalar(value: str) -> str:
    others = " || ".join(f"type({value}) == {name}" for name in ("double", "int", "bool"))
    return f"({others} || type({value}) == string && {value}.size() <= 4096 && !{value}.contains('\\u0000'))"


def _params_rules(path: str) -> tuple[PolicyRule, ...]:
    params = "variables.params"
    value = f"{params}[k]"
    bad_names, bad_values = f"{params}.filter(k, !{_named('k')})", f"{params}.filter(k, !{_scalar(value)})"
    return (
        PolicyRule(f"{params}.all(k, {_named('k')})", path, _NAME_MESSAGE, bad_names),
        PolicyRule(f"{params}.all(k, {_scalar(value)})", path, _SCALAR_MESSAGE, bad_values),
        # They become one annotation of the Pod, and all its annotations together have 256 KiB.
        PolicyRule(
            f"{params}.map(k, type({value}) == string ? bytes({value}).size() : 0).sum() <= {MAX_PARAMETER_BYTES}",
            path,
            f"the strings among the parameters have at most {MAX_PARAMETER_BYTES} bytes together: put long texts into the image",
        ),
    )


def _process_rule(path: str, run: str) -> PolicyRule:
    def size(field: str, text: str) -> str:
        return f"(has({run}.{field}) ? {run}.{field}.map(v, bytes({text}).size()).sum() : 0)"

    return PolicyRule(
        f"{size('command', 'v')} + {size('args', 'v')} + {size('env', 'v.value')} <= {MAX_PROCESS_BYTES}",
        path,
        f"command, args and the values of env have at most {MAX_PROCESS_BYTES} bytes together: put long texts into the image",
    )


_FEW_LABELS = PolicyRule(
    HAS_FEW_LABELS,
    "metadata.labels",
    f"an object of SimOps has at most {MAX_LABELS} labels: put notes into spec.metadata or annotations",
)


def _ranges_rules(path: str, has: str, text: str, words: tuple[str, ...] = ()) -> tuple[PolicyRule, PolicyRule]:
    pattern = "|".join([*(f"^{word}$" for word in words), INDEX_RANGES])
    choices = f"{', '.join(words)} or " if words else ""
    # Only of well-formed ones can the ends be compared.
    backwards = f"{text}.split(',').filter(r, r.contains('-') && int(r.split('-')[0]) > int(r.split('-')[1]))"
    return (
        PolicyRule(
            f"!{has} || {text}.matches('{pattern}')",
            path,
            f"write {choices}index ranges such as 3,7-9, without spaces",
        ),
        PolicyRule(
            f"!{has} || !{text}.matches('{INDEX_RANGES}') || {backwards}.size() == 0",
            path,
            "this range is reversed: the lower index comes first",
            backwards,
        ),
    )


def _size(axis: str) -> str:
    integers = f"({axis}.integers.high - {axis}.integers.low) / {axis}.integers.step + 1"
    return (
        f"(has({axis}.values) ? {axis}.values.size() : has({axis}.linspace) ? {axis}.linspace.num : "
        f"has({axis}.logspace) ? {axis}.logspace.num : has({axis}.integers) ? {integers} : 1)"
    )


def _axes(condition: str) -> str:
    return f"variables.axes.filter(a, {condition}).map(a, a.name)"


_ONE_KIND = f"[{', '.join(f'has(a.{kind})' for kind in AXIS_KINDS)}].filter(b, b).size() == 1"
_BAD_VALUES = f"(has(a.values) && !a.values.all(v, {_scalar('v')}))"
_SHARED = "a.name in variables.params"
_SIZES = f"variables.axes.map(a, a.name + ' has ' + string({_size('a')}))"
# Most lists of points repeat the names of the first point, and a look-up is far cheaper than a regular expression.
_FIRST = "variables.points[0]"
_GOOD_VALUE = _scalar("p[k]")
_FEW_VALUES = f"variables.written <= {MAX_VALUES}"
# CEL cannot multiply the elements of a list; floating point does not overflow.
_PRODUCT = " * ".join(f"(variables.sizes.size() > {i} ? double(variables.sizes[{i}]) : 1.0)" for i in range(_MAX_AXES))

# Which points there are can change in one way only: a sweep that has finished may have more of them. That its points stay what they are
# the operator checks by the points themselves; here stands what can be said of the spec alone.
_SAME_SPACE = "variables.old == null || variables.old.space == variables.space"
_SEED = "(has({0}.seed) ? {0}.seed : 0)"
_WHERE = "(has({0}.where) ? {0}.where : '')"
_SIZE_OF_LIST = "(has({0}.points) ? {0}.points.size() : has({0}.pointsFrom) ? {0}.pointsFrom.points : 0)"
_OLD, _NEW = "variables.old.space", "variables.space"
_GROWN = " && ".join(
    (
        f"{_OLD}.method == {_NEW}.method",
        f"{_SEED.format(_OLD)} == {_SEED.format(_NEW)}",
        f"{_WHERE.format(_OLD)} == {_WHERE.format(_NEW)}",
        f"(has({_OLD}.samples) ? {_OLD}.samples : 0) <= (has({_NEW}.samples) ? {_NEW}.samples : 0)",
        f"{_SIZE_OF_LIST.format(_OLD)} <= {_SIZE_OF_LIST.format(_NEW)}",
        f"(has({_OLD}.axes) ? {_OLD}.axes : []).map(a, a.name) == variables.axes.map(a, a.name)",
        f"(!has({_NEW}.samples) || {_OLD}.axes == {_NEW}.axes)",
    )
)
_EXTENSION_RULES = (
    PolicyRule(
        f"{_SAME_SPACE} || variables.finished",
        "spec.space",
        "space cannot be changed before the sweep has finished: then it can be extended; or make a new object under another name",
    ),
    PolicyRule(
        f"{_SAME_SPACE} || !variables.finished || ({_GROWN})",
        "spec.space",
        "space cannot be changed but by an extension: the same method, seed, where and axes, with a larger num, high or samples, or with "
        "more values or points at the end",
    ),
)

_SWEEP_RULES = (
    _FEW_LABELS,
    _process_rule("spec.template.env", "variables.spec.template"),
    *_params_rules("spec.template.params"),
    PolicyRule(
        "variables.space.method == 'list' ? has(variables.space.points) != has(variables.space.pointsFrom) && "
        "!has(variables.space.axes) : !has(variables.space.points) && !has(variables.space.pointsFrom)",
        "spec.space",
        "method list needs points or pointsFrom, and no axes; every other method takes axes and no points",
    ),
    PolicyRule(
        f"variables.axes.all(a, {_ONE_KIND})",
        "spec.space.axes",
        f"an axis has exactly one of {', '.join(AXIS_KINDS[:-1])} or {AXIS_KINDS[-1]}",
        _axes(f"!({_ONE_KIND})"),
    ),
    PolicyRule(
        f"!({_FEW_VALUES}) || !variables.axes.exists(a, {_BAD_VALUES})",
        "spec.space.axes[].values",
        _SCALAR_MESSAGE,
        _axes(_BAD_VALUES),
    ),
    PolicyRule(
        f"!variables.axes.exists(a, {_SHARED})",
        "spec.space.axes",
        "a parameter stands in template.params and in an axis; remove one of the two",
        _axes(_SHARED),
    ),
    PolicyRule(
        "variables.space.method != 'zip' || variables.sizes.all(s, s == variables.sizes[0])",
        "spec.space.axes",
        "method zip takes one value of each axis at a time: all axes must have the same number of values",
        _SIZES,
    ),
    PolicyRule(
        f"!(variables.space.method in ['grid', 'zip']) || variables.sizes.all(s, s <= {MAX_POINTS}) && "
        f"(variables.space.method == 'zip' || {_PRODUCT} <= {MAX_POINTS}.0)",
        "spec.space.axes",
        f"a sweep has at most {MAX_POINTS} points: take fewer values, or draw samples by random, latinHypercube or sobol",
        _SIZES,
    ),
    PolicyRule(
        _FEW_VALUES,
        "spec.space",
        f"values and points that are written out are at most {MAX_VALUES} together: describe the axes by linspace, logspace or "
        "integers, or split the sweep",
    ),
    PolicyRule(
        f"!({_FEW_VALUES}) || variables.points.size() == 0 || ({_FIRST}.all(k, {_named('k')}) && "
        f"variables.points.all(p, p.all(k, k in {_FIRST} || {_named('k')})))",
        "spec.space.points",
        _NAME_MESSAGE,
        f"variables.points.map(p, p.filter(k, !{_named('k')})).filter(names, names.size() > 0).map(names, names.join(', '))",
    ),
    PolicyRule(
        f"!({_FEW_VALUES}) || variables.points.all(p, p.all(k, {_GOOD_VALUE}))",
        "spec.space.points",
        _SCALAR_MESSAGE,
        f"variables.points.filter(p, !p.all(k, {_GOOD_VALUE})).map(p, p.filter(k, !{_GOOD_VALUE}).join(', '))",
    ),
    *_ranges_rules("spec.cancelledPoints", "has(variables.spec.cancelledPoints)", "variables.spec.cancelledPoints"),
    *_ranges_rules("spec.rerun.points", "has(variables.spec.rerun)", "variables.spec.rerun.points", RERUN_WORDS),
    *_EXTENSION_RULES,
)

SIMULATION_JOB = Kind(
    kind="SimulationJob",
    plural="simulationjobs",
    short_names=("simjob", "simjobs"),
    description="One run of a simulation image.",
    spec=SimulationJobSpec,
    status=SimulationJobStatus,
    # A Job is called <name>-<8 characters>, and Kubernetes puts that name into a label of at most 63.
    name_limit=54,
    columns=(
        Column("Phase", ".status.phase"),
        Column("Reason", ".status.reason"),
        Column("Started", ".status.startTime", "date"),
        Column("Finished", ".status.completionTime", "date"),
        Column("Age", ".metadata.creationTimestamp", "date"),
        Column("Message", ".status.message"),
        Column("Image", ".spec.image", priority=1),
        Column("Pod", ".status.podName", priority=1),
        Column("Bundle", ".status.artifacts.bundle", priority=1),
    ),
    variables=(("params", "has(variables.spec.params) ? variables.spec.params : {}"),),
    policy=(_FEW_LABELS, _process_rule("spec.env", "variables.spec"), *_params_rules("spec.params")),
)

SIMULATION_SWEEP = Kind(
    kind="SimulationSweep",
    plural="simulationsweeps",
    short_names=("simsweep", "simsweeps"),
    description="Many runs of a simulation image over a parameter space.",
    spec=SimulationSweepSpec,
    status=SimulationSweepStatus,
    # A Pod's host name is <name>-<8 characters>-r<round>-<pack> with three and five digits, and has at most 63 characters.
    name_limit=43,
    columns=(
        Column("Phase", ".status.phase"),
        Column("Done", ".status.points.succeeded", "integer"),
        Column("Total", ".status.points.total", "integer"),
        Column("Failed", ".status.points.failed", "integer"),
        Column("Age", ".metadata.creationTimestamp", "date"),
        Column("Message", ".status.message"),
        Column("Active", ".status.points.active", "integer", priority=1),
        Column("Image", ".spec.template.image", priority=1),
    ),
    variables=(
        ("before", "oldObject == null ? dyn(null) : dyn(oldObject)"),
        (
            "finished",
            "variables.before != null && has(variables.before.status) && has(variables.before.status.phase) && "
            f"variables.before.status.phase in {sorted(phase.value for phase in FINAL_PHASES)}",
        ),
        ("space", "variables.spec.space"),
        ("axes", "has(variables.space.axes) ? variables.space.axes : []"),
        ("points", "has(variables.space.points) ? variables.space.points : []"),
        ("params", "has(variables.spec.template.params) ? variables.spec.template.params : {}"),
        (
            "written",
            "variables.points.map(p, p.size()).sum() + variables.axes.map(a, has(a.values) ? a.values.size() : 0).sum()",
        ),
        ("sizes", f"variables.axes.map(a, {_size('a')})"),
    ),
    policy=_SWEEP_RULES,
)

KINDS = (SIMULATION_JOB, SIMULATION_SWEEP)
