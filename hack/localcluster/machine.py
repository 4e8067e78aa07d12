"""The machine that a native cluster believes to be its own: process, network and mount namespaces held by one process.

Everything that the cluster starts, mounts or configures lives in them and goes when that one process goes, however it
ends. So nothing has to be found and cleaned up afterwards but control groups, and no process is ever killed by name.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcluster.addresses import Addresses
from localcluster.components import Spec
from localcluster.progress import StepError, wait_until

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
SPAWN_SECONDS = 2.0  # from its shell's start to a component's own
# What kubelet wants the kernel to do on a real node. It sees these files; the host keeps its own settings.
KERNEL_SETTINGS = {"vm/overcommit_memory": "1", "kernel/panic": "10", "kernel/panic_on_oops": "1"}


@dataclass(frozen=True)
class Process:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    started: int
    boot: str


def boot_id() -> str:
    """Return what changes with every start of the host."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def start_ticks(stat: str) -> int:
    """Return when a process started, from its `/proc/PID/stat`, whose second field may contain anything."""
    return int(stat.rpartition(")")[2].split()[19])


def identify(pid: int) -> Process:
    """Return the identity of a running process."""
    return Process(pid, start_ticks((PROC / str(pid) / "stat").read_text()), boot_id())


def alive(process: Process) -> bool:
    """Say whether this very process still runs."""
    try:
        return identify(process.pid) == process and _state(process.pid) != "Z"
    except (OSError, ValueError, IndexError):
        return False


def _state(pid: int) -> str:
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]


def run(command: Sequence[str], *, timeout: float = 60, stdin: str | None = None) -> str:
    """Run a short command and return its output; a failure says what the command said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, input=stdin)
    except (subprocess.TimeoutExpired, FileNotFoundError) as error:
        msg = f"{' '.join(command)}: {error}"
        raise StepError(msg) from error
    if done.returncode:
        msg = f"{' '.join(command)}: exit code {done.returncode}\n{(done.stderr or done.stdout).strip()}"
        raise StepError(msg)
    return done.stdout


def enter_command(process: Process, command: Sequence[str]) -> list[str]:
    """Return the command that runs `command` inside the machine."""
    return ["nsenter", f"--target={process.pid}", "--mount", "--net", "--pid", "--", *command]


def inside(process: Process, command: Sequence[str], *, timeout: float = 60, stdin: str | None = None) -> str:
    """Run a short command inside the machine."""
    return run(enter_command(process, command), timeout=timeout, stdin=stdin)


def start_machine(pause: Path, root: Path) -> Process:
    """Start the process that holds the namespaces and reaps what dies inside; return it.

    It carries the cluster's folder as an argument, by which `find_machines` knows it again.
    """
    holder = subprocess.Popen(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", str(pause), str(root)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd="/",
    )
    found: list[int] = []

    def started() -> bool:
        if holder.poll() is not None:
            said = holder.stderr.read() if holder.stderr else ""
            msg = f"unshare failed (are you root, outside a restricted container?): {said.strip()}"
            raise StepError(msg)
        children = (PROC / f"{holder.pid}/task/{holder.pid}/children").read_text().split()
        found.extend(int(child) for child in children if (PROC / child / "comm").read_text().strip() == pause.name)
        return bool(found)

    wait_until("the machine's first process", started, timeout=10, every=0.02)
    return identify(found[0])


def find_machines(root: Path) -> list[Process]:
    """Return the machines of the cluster in that folder: processes that are the first of their own namespace."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
                if arguments[1:2] == [str(root).encode()] and is_first((entry / "status").read_text()):
                    found.append(identify(int(entry.name)))
    return found


def is_first(status: str) -> bool:
    """Say whether a `/proc/PID/status` is that of a process which is number 1 in a process namespace of its own."""
    numbers = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
    return len(numbers) > 1 and numbers[-1] == "1"


def setup_script(spec: Spec) -> str:
    """Return the shell script that makes the namespaces look like a node of its own; `$1` is the state folder."""
    masks = "\n".join(f'mount --bind "$1/config/{name.replace("/", ".")}" /proc/sys/{name}' for name in KERNEL_SETTINGS)
    return f"""set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mount --bind "$1/lib" /var/lib
mount --bind "$1/podlogs" /var/log
mkdir -p /var/lib/cni /var/lib/kubelet /var/log/containers
{masks}
mount --make-rshared /
ip link set lo up
ip address add {spec.addresses.node}/30 dev eth0
ip link set eth0 up
ip route add default via {spec.addresses.host}
echo 1 > /proc/sys/net/ipv4/ip_forward
"""


def attach(process: Process, addresses: Addresses) -> None:
    """Join the machine to the host: a pair of interfaces, and routes to the Pods and services."""
    name = addresses.interface
    remove_interface(name)
    pair = ["ip", "link", "add", name, "mtu", "1400", "type", "veth"]
    run([*pair, "peer", "name", "eth0", "mtu", "1400", "netns", str(process.pid)])
    run(["ip", "address", "add", f"{addresses.host}/30", "dev", name])
    run(["ip", "link", "set", name, "up"])


def add_routes(addresses: Addresses) -> None:
    """Let the host reach Pods and services; the routes go with the interface."""
    for network in (addresses.pods, addresses.services):
        run(["ip", "route", "replace", network, "via", addresses.node, "dev", addresses.interface])


def remove_interface(name: str) -> None:
    """Remove an interface of the host if it is there; its routes go with it."""
    if (Path("/sys/class/net") / name).exists():
        with contextlib.suppress(StepError):  # it also goes by itself, with the other end
            run(["ip", "link", "delete", name])


def prepare(process: Process, spec: Spec) -> None:
    """Set up the inside of a machine that has just been started."""
    for name, value in KERNEL_SETTINGS.items():
        (spec.paths.config / name.replace("/", ".")).write_text(value + "\n")
    for folder in (spec.paths.var_lib, spec.paths.var_log):
        folder.mkdir(parents=True, exist_ok=True)
    attach(process, spec.addresses)
    inside(process, ["sh", "-c", setup_script(spec), "setup", str(spec.paths.root)])
    add_routes(spec.addresses)


def spawn(process: Process, command: Sequence[str], log: Path) -> None:
    """Start a component inside the machine, detached; its output goes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    script = 'log=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 &'
    inside(process, ["sh", "-c", script, "spawn", str(log), *command])
    deadline = time.monotonic() + SPAWN_SECONDS
    while Path(command[0]).name not in programs(process) and time.monotonic() < deadline:
        time.sleep(0.01)


def members(process: Process) -> Iterator[tuple[int, str]]:
    """Yield number and program of every process inside the machine."""
    try:
        namespace = (PROC / str(process.pid) / "ns/pid").readlink()
    except OSError:
        return
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "ns/pid").readlink() == namespace:
                    program = (entry / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
                    yield int(entry.name), Path(program).name


def programs(process: Process) -> set[str]:
    """Return the names of the programs that run inside the machine."""
    return {program for _, program in members(process)}


def stop_machine(process: Process, *, timeout: float = 30) -> None:
    """Kill the machine's first process: the kernel kills every other one, and its mounts and interfaces go."""
    if not alive(process):
        return
    os.kill(process.pid, signal.SIGKILL)
    wait_until("the end of the cluster's processes", lambda: not alive(process), timeout=timeout, every=0.05)


def cgroup_folders(cgroup: str) -> list[Path]:
    """Return the control groups of that name, in every hierarchy of cgroup v1 or in the one of v2."""
    name = cgroup.lstrip("/")
    candidates = [CGROUPS / name, *(folder / name for folder in CGROUPS.iterdir() if folder.is_dir())]
    return [folder for folder in candidates if folder.is_dir()]


def make_cgroup(cgroup: str) -> None:
    """Create the control group that all Pods are below; kubelet wants it to exist."""
    controllers = CGROUPS / "cgroup.controllers"
    if controllers.exists():  # cgroup v2
        wanted = " ".join(f"+{name}" for name in controllers.read_text().split())
        (CGROUPS / "cgroup.subtree_control").write_text(wanted)
        (CGROUPS / cgroup.lstrip("/")).mkdir(exist_ok=True)
        return
    for hierarchy in CGROUPS.iterdir():
        if hierarchy.is_dir() and not hierarchy.is_symlink() and (hierarchy / "cgroup.procs").exists():
            (hierarchy / cgroup.lstrip("/")).mkdir(exist_ok=True)


def remove_cgroup(cgroup: str, *, timeout: float = 15) -> None:
    """Remove the control group and all below it, once its processes have gone."""
    deadline = time.monotonic() + timeout
    while folders := cgroup_folders(cgroup):
        for top in folders:
            nested = sorted((Path(path) for path, _, _ in os.walk(top)), key=lambda path: -len(path.parts))
            for folder in nested:
                with contextlib.suppress(OSError):
                    folder.rmdir()
        if time.monotonic() > deadline:
            msg = f"control groups left behind: {', '.join(map(str, cgroup_folders(cgroup)))}"
            raise StepError(msg)
        time.sleep(0.05)
