"""Spec of SimulationJob: one run of a simulation image."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictBool, StringConstraints

from simops_crds.base import Model, Parameters, ProcessText, Quantity, Rule

MAX_KEY = 317
"""Characters of a label's key: a domain, a slash and a name. A schema cannot bound keys, and an object could be a megabyte of one."""
LabelValue = Annotated[str, StringConstraints(max_length=63)]
LabelKey = Annotated[str, StringConstraints(max_length=MAX_KEY)]
ShortText = Annotated[str, StringConstraints(max_length=1024)]
Argument = Annotated[ProcessText, StringConstraints(max_length=4096)]
ObjectName = Annotated[str, StringConstraints(min_length=1, max_length=253)]

LABEL_NAME = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
DOMAIN = "[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
LABEL_KEY = f"^({DOMAIN}/)?{LABEL_NAME}$"
RESOURCE_NAME = f"^(cpu|memory|ephemeral-storage|hugepages-[0-9A-Za-z]+|{DOMAIN}/{LABEL_NAME})$"


class Network(StrEnum):
    """What the simulation may reach over the network."""

    NONE = "None"
    CLUSTER = "Cluster"
    INTERNET = "Internet"


class EnvVar(Model):
    """One environment variable of the simulation: a plain value, never a secret of the namespace."""

    rules: ClassVar = (
        Rule(
            "self.name.matches('^[A-Za-z_][A-Za-z0-9_]*$')",
            "name must be a C identifier: letters, digits and '_', not starting with a digit",
            "name",
        ),
        Rule(
            "!self.name.startsWith('SIMOPS_')",
            "names that start with SIMOPS_ are set by SimOps; choose another name",
            "name",
        ),
    )

    name: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """Name of the variable."""
    value: Annotated[ProcessText, StringConstraints(max_length=32768)] = ""
    """Value of the variable."""


def _keys_rule(field: str, most: int = MAX_KEY) -> Rule:
    expression = f"!has(self.{field}) || self.{field}.all(k, k.size() <= {most})"
    return Rule(expression, f"each key of {field} has at most {most} characters", field)


def _resource_rules(field: str) -> tuple[Rule, ...]:
    absent = f"!has(self.{field})"
    value = f"string(self.{field}[k])"
    return (
        _keys_rule(field),
        Rule(
            f"{absent} || self.{field}.all(k, k.matches('{RESOURCE_NAME}'))",
            f"{field} has an unknown resource: use cpu, memory, ephemeral-storage, hugepages-<size> or a name with a domain such as nvidia.com/gpu",
            field,
        ),
        Rule(
            f"{absent} || self.{field}.all(k, isQuantity({value}) && !quantity({value}).isLessThan(quantity('0')))",
            f"each value of {field} must be a Kubernetes quantity that is not negative, such as 2, 500m or 4Gi",
            field,
        ),
        Rule(
            f"{absent} || self.{field}.all(k, k == 'cpu' || !{value}.matches('[num]$'))",
            f"only cpu is counted in thousandths (500m); write the other values of {field} as whole numbers, such as 512Mi or 4Gi of memory",
            field,
        ),
    )


class Resources(Model):
    """What the simulation container asks for and may use, as in a Pod."""

    rules: ClassVar = (
        *_resource_rules("requests"),
        *_resource_rules("limits"),
        Rule(
            "!has(self.limits) || self.limits.all(k, !isQuantity(string(self.limits[k])) || "
            "quantity(string(self.limits[k])).isGreaterThan(quantity('0')))",
            "a limit must be greater than 0: a container runtime takes 0 as no limit",
            "limits",
        ),
        Rule(
            "!has(self.limits) || !('memory' in self.limits) || !isQuantity(string(self.limits['memory'])) || "
            "!quantity(string(self.limits['memory'])).isLessThan(quantity('1Mi'))",
            "the memory limit is in bytes and must be at least 1Mi; give it a unit, such as 512Mi or 4Gi",
            "limits",
        ),
        Rule(
            "!has(self.requests) || !has(self.limits) || self.requests.all(k, !(k in self.limits) || "
            "!isQuantity(string(self.requests[k])) || !isQuantity(string(self.limits[k])) || "
            "quantity(string(self.requests[k])).compareTo(quantity(string(self.limits[k]))) <= 0)",
            "a request must not be greater than the limit of the same resource: lower the request or raise the limit",
            "requests",
        ),
    )

    requests: Annotated[dict[LabelKey, Quantity], Field(max_length=8)] | None = None
    """What is reserved for the simulation. Default: the installation's."""
    limits: Annotated[dict[LabelKey, Quantity], Field(max_length=8)] | None = None
    """What the simulation may use at most. Default: the installation's."""


class Toleration(Model):
    """A taint of nodes that the Pod accepts, as in a Pod."""

    rules: ClassVar = (
        Rule(
            "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
            "value must be left out when operator is Exists",
            "value",
        ),
        Rule(
            "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
            "a toleration without a key tolerates every taint and needs operator Exists; give a key, or say operator: Exists",
        ),
        Rule(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "tolerationSeconds needs effect NoExecute, the only one that removes a Pod that runs",
            "tolerationSeconds",
        ),
    )

    key: Annotated[str, StringConstraints(max_length=317)] | None = None
    """Taint key; empty with operator Exists tolerates everything."""
    operator: Literal["Exists", "Equal"] | None = None
    """Exists or Equal (the default)."""
    value: LabelValue | None = None
    """Taint value, for Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Taint effect; without it, all of them."""
    toleration_seconds: Annotated[int, Field(ge=0)] | None = None
    """For NoExecute: how long the Pod stays."""


class Artifacts(Model):
    """What becomes of the bundle, the log and the record in the store."""

    delete_with_job: StrictBool = False
    """Remove them from the store when the object is deleted, by the operator's next comparison (10 minutes by default).
    By default they outlive it."""
    expire_after_seconds: Annotated[int, Field(ge=60, le=3_153_600_000)] | None = None
    """Remove bundle and log from the store this many seconds after the run finished; the record stays. Default: never."""

    @property
    def stay(self) -> bool:
        """Whether they stay in the store."""
        return not self.delete_with_job and self.expire_after_seconds is None


class RunSpec(Model):
    """What one run needs, shared by a job and by the template of a sweep."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.image.matches('^[a-z0-9]([a-zA-Z0-9._:@/-]*[a-zA-Z0-9])?$')",
            "image must be an image reference such as sim:local or registry.example.com/team/sim:1.2, without spaces, starting with a "
            "lower-case letter or a digit",
            "image",
        ),
        Rule(
            "!has(self.queueName) || self.queueName.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "queueName must be the name of a Kueue LocalQueue: lower-case letters, digits and '-'",
            "queueName",
        ),
        Rule(
            "!has(self.command) || self.command.size() == 0 || self.command[0] != ''",
            "the first word of command is the program to run and must not be empty; leave command out to run the image's own entrypoint",
            "command",
        ),
        Rule(
            "!has(self.priorityClassName) || self.priorityClassName.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
            "priorityClassName must be the name of a PriorityClass: lower-case letters, digits, '-' and '.'",
            "priorityClassName",
        ),
        Rule(
            "!has(self.priorityClassName) || !self.priorityClassName.startsWith('system-')",
            "priorityClassName must not start with system-: those classes are for what the cluster itself needs, and evict everything else",
            "priorityClassName",
        ),
        _keys_rule("metadata", 253),
        _keys_rule("nodeSelector"),
        Rule(
            f"!has(self.nodeSelector) || self.nodeSelector.all(k, k.matches('{LABEL_KEY}'))",
            "each key of nodeSelector must be a label's key, such as disktype or topology.kubernetes.io/zone",
            "nodeSelector",
        ),
        Rule(
            f"!has(self.nodeSelector) || self.nodeSelector.all(k, self.nodeSelector[k].matches('^({LABEL_NAME})?$'))",
            "each value of nodeSelector must be a label's value: letters, digits, '-', '_' and '.', starting and ending with a letter or digit",
            "nodeSelector",
        ),
    )

    image: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    """The simulation image. It must match a pattern that the installation allows."""
    command: Annotated[list[Argument], Field(max_length=64)] | None = None
    """Replaces the image's entrypoint. An image that has only a CMD needs it, since arguments replace a CMD."""
    args: Annotated[list[Argument], Field(max_length=256)] | None = None
    """Arguments before the parameters."""
    params: Parameters | None = None
    """The parameters: each becomes ``--name value`` after args; all of them are JSON in the file ``$SIMOPS_PARAMS``."""
    env: (
        Annotated[
            list[EnvVar],
            Field(
                max_length=128,
                json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
            ),
        ]
        | None
    ) = None
    """Environment variables of the simulation."""
    resources: Resources | None = None
    """Requests and limits of the simulation."""
    priority_class_name: ObjectName | None = None
    """PriorityClass of the Pod."""
    node_selector: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] | None = None
    """Labels that the node must have."""
    tolerations: Annotated[list[Toleration], Field(max_length=32)] | None = None
    """Taints that the Pod accepts."""
    queue_name: Annotated[str, StringConstraints(min_length=1, max_length=63)] | None = None
    """Kueue LocalQueue that admits the Job."""
    network: Network = Network.NONE
    """What the simulation may reach: None (the store only, through the bundle container's rule), Cluster or Internet."""
    metadata: (
        Annotated[dict[Annotated[str, StringConstraints(max_length=253)], ShortText], Field(max_length=64)] | None
    ) = None
    """Free-form notes; they go into the record of the run."""


class SimulationJobSpec(RunSpec):
    """One run of a simulation image. What defines the run cannot be changed once the object exists."""

    rules: ClassVar = (
        *RunSpec.rules,
        Rule(
            "!oldSelf.cancelled || self.cancelled",
            "cancelled cannot be taken back: make a new SimulationJob to run it again",
            "cancelled",
        ),
    )
    immutable: ClassVar = (
        "image",
        "command",
        "args",
        "params",
        "env",
        "resources",
        "timeoutSeconds",
        "retries",
        "priorityClassName",
        "nodeSelector",
        "tolerations",
        "queueName",
        "network",
        "artifacts",
    )

    timeout_seconds: Annotated[int, Field(ge=1, le=31_536_000)] = 3600
    """Wall clock of one attempt, from when a node accepts the Pod. The installation has a maximum."""
    pending_timeout_seconds: Annotated[int, Field(ge=1, le=31_536_000)] | None = None
    """Give up when an attempt has not started this long after it was created (time in a queue does not count). Default: the installation's."""
    retries: Annotated[int, Field(ge=0, le=100)] = 0
    """How many failed attempts are tried again. Disruptions (drain, preemption, loss of a node) never count."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=3_153_600_000)] | None = None
    """Delete the object this many seconds after it finished; the store keeps its record. Default: the installation's (7 days)."""
    artifacts: Artifacts = Artifacts()
    """What becomes of the results in the store."""
    suspend: StrictBool = False
    """Do not run, or stop running, until this is false again. A run that is suspended starts from the beginning."""
    cancelled: StrictBool = False
    """Stop for good. What has been written by then is kept."""
