"""The contract for simulation images (docs/simulation-images.md) for one run on this machine (pure)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simops_client.models import Scalar

USER = 10001
OUTPUTS, PARAMS = "/simops/outputs", "/simops/params/params.json"
ENGINES = ("docker", "podman", "nerdctl")
JOB = "local"


def arguments(args: Sequence[str], params: "Mapping[str, Scalar]") -> list[str]:
    """Return the simulation's arguments: ``args``, then ``--name value`` for each parameter in alphabetical order."""
    out = list(args)
    for name in sorted(params):
        value = params[name]
        out += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
    return out


def params_file(params: "Mapping[str, Scalar]") -> str:
    """Return what is in the file that ``$SIMOPS_PARAMS`` names."""
    return json.dumps({name: params[name] for name in sorted(params)}, separators=(",", ":"), ensure_ascii=False)


def variables(outputs: str, params: str, attempt: str, home: str) -> dict[str, str]:
    """Return the environment that SimOps sets."""
    own = {"SIMOPS_OUTPUTS": outputs, "SIMOPS_PARAMS": params, "SIMOPS_JOB": JOB, "SIMOPS_ATTEMPT_ID": attempt}
    return {"HOME": home, **own}


@dataclass(frozen=True)
class Container:
    """A run in a container, with an engine of this machine."""

    engine: str
    image: str
    name: str
    outputs: str
    """A folder of this machine."""
    params: str
    """A file of this machine."""
    network: str = "None"

    def command(self, command: Sequence[str], arguments: Sequence[str]) -> list[str]:
        """Return what starts it: no root, no capabilities, nothing writable but outputs and /tmp, as in the cluster."""
        out = [self.engine, "run", "--rm", "--name", self.name, "--read-only", "--tmpfs", "/tmp:mode=1777,exec"]  # noqa: S108 - in the container
        out += ["--user", f"{USER}:{USER}", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
        if self.network == "None":
            out += ["--network", "none"]
        out += ["--volume", f"{self.outputs}:{OUTPUTS}", "--volume", f"{self.params}:{PARAMS}:ro"]
        for name, value in variables(OUTPUTS, PARAMS, self.name, "/tmp").items():  # noqa: S108 - in the container
            out += ["--env", f"{name}={value}"]
        if command:
            out += ["--entrypoint", command[0], self.image, *command[1:]]
        else:
            out.append(self.image)
        return [*out, *arguments]
