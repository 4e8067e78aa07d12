"""The native provider: Kubernetes built here, on a Linux machine without a container engine.

`up` brings about what is missing, whatever state it finds: nothing, a healthy cluster, one with a dead component, the
remains of a killed one, or those of one from before a restart of the host.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from localcluster import api, certs, components, machine, manifests
from localcluster.addresses import Addresses
from localcluster.components import Spec
from localcluster.golang import apiserver, tool
from localcluster.images import canonical, program_image, tags_in
from localcluster.machine import Process
from localcluster.packages import SEARCH, cni_plugins, ensure_packages
from localcluster.paths import cache, cluster_paths
from localcluster.progress import StepError, say, step, tail, wait_until
from localcluster.state import State, claim, locked, read_state, write_state

READY_TIMEOUT = 180.0
CONTROLLER_QPS = "SIMOPS_CONTROLLER_QPS"
"""The variable that gives the controllers and the scheduler of a new native cluster more calls a second."""


def wanted_components(spec: Spec, scope: str, volumes: Path | None) -> dict[str, list[str]]:
    """Return the command line of every component of that scope, by program name, in the order of their start."""
    commands = {"etcd": components.etcd(spec), "kube-apiserver": components.apiserver(spec)}
    if scope != "apiserver":
        commands["kube-controller-manager"] = components.controller_manager(spec)
        commands["kube-scheduler"] = components.scheduler(spec)
    if scope == "node":
        commands["containerd"] = components.containerd(spec)
        commands["kubelet"] = components.kubelet(spec)
        commands["kube-proxy"] = components.proxy(spec)
        if volumes:
            commands["volumes"] = components.volumes(spec, volumes)
    return commands


LEASE = timedelta(seconds=40)  # as long as a node may be silent before it counts as lost
NEEDS_NO_API = ("etcd", "kube-apiserver", "containerd")


def missing_requirements() -> list[str]:
    """Return, as sentences, why this machine cannot have a native cluster."""
    reasons = []
    if sys.platform != "linux":
        reasons.append("the native cluster needs Linux")
    elif os.geteuid() != 0:
        reasons.append("the native cluster needs root (namespaces, mounts, control groups)")
    return reasons


def spec_for(name: str, slot: int, folder: Path, other: Path | None = None) -> Spec:
    """Return the description of a cluster in a slot, perhaps with another API server than that in the folder."""
    pace = os.environ.get(CONTROLLER_QPS)
    return Spec(name, Addresses(slot), cluster_paths(name), folder, other, int(pace) if pace else None)


def up(name: str, scope: str = "node", kubernetes: str = "") -> Path:
    """Bring a cluster up and return its kubeconfig."""
    if reasons := missing_requirements():
        raise StepError("; ".join(reasons))
    if cache().is_relative_to("/var/lib") or cache().is_relative_to("/run"):
        msg = f"{cache()} is below /var/lib or /run, which a cluster replaces by its own: set SIMOPS_CACHE elsewhere"
        raise StepError(msg)
    os.environ["PATH"] = SEARCH
    ensure_packages()
    with locked(name):
        other = apiserver(kubernetes) if kubernetes else None
        state = claim(name, scope, kubernetes)
        spec = spec_for(name, state.slot, tool("kubectl").parent, other)
        pause = tool("pause")
        dns, volumes = (tool("coredns"), tool("volumes")) if state.scope == "node" else (None, None)
        commands = wanted_components(spec, state.scope, volumes)
        if healthy(spec, state, commands):
            say(f"Cluster {name} is up already")
            return spec.paths.kubeconfig
        with step(f"Starting cluster {name}"):
            process = _ensure_machine(spec, state, pause)
            _start(spec, process, commands, pause, dns)
    return spec.paths.kubeconfig


def healthy(spec: Spec, state: State, commands: dict[str, list[str]]) -> bool:
    """Say whether every component runs and the cluster answers as it should."""
    if state.process is None or not machine.alive(state.process) or not spec.paths.kubeconfig.exists():
        return False
    if not set(commands) <= machine.programs(state.process):
        return False
    get = api.client(spec.paths.pki, spec.addresses)
    if state.scope != "node":
        return api.api_ready(get)
    return api.node_ready(get, spec.node, _now() - LEASE) and api.dns_answers(spec.addresses.dns)


def _now() -> datetime:
    return datetime.now(UTC)


def _ensure_machine(spec: Spec, state: State, pause: Path) -> Process:
    """Return the running machine of a cluster, or start one on what an earlier one left behind."""
    if state.process and machine.alive(state.process):
        write_state(spec.paths, state)
        return state.process
    if state.process and state.process.boot != machine.boot_id():
        say(f"The host was restarted: {spec.name} starts anew")  # etcd does not fsync, so its data cannot be trusted
        for folder in (spec.paths.var_lib, spec.paths.var_log, spec.paths.logs):
            remove_tree(folder)
    for stray in machine.find_machines(
        spec.paths.root
    ):  # an `up` was killed before it had written down what it started
        machine.stop_machine(stray)
    machine.remove_interface(spec.addresses.interface)
    machine.remove_cgroup(spec.cgroup)
    if not (spec.paths.pki / "sa.pub").exists():
        certs.write_pki(spec.paths.pki, spec.addresses, spec.node)
    _write_config(spec)
    process = machine.start_machine(pause, spec.paths.root)
    write_state(spec.paths, replace(state, process=process))
    machine.prepare(process, spec)
    return process


def _write_config(spec: Spec) -> None:
    """Write every configuration file of every component."""
    (spec.paths.config / "cni").mkdir(parents=True, exist_ok=True)
    files = {
        "audit-policy.json": json.dumps(components.audit_policy(), indent=2),
        "kubelet.json": json.dumps(components.kubelet_config(spec), indent=2),
        "kube-proxy.json": json.dumps(components.proxy_config(spec), indent=2),
        "cni/10-simops.conflist": json.dumps(components.cni_config(spec), indent=2),
        "containerd.toml": components.containerd_config(spec, str(cni_plugins())),
        "resolv.conf": components.resolv_conf(Path("/etc/resolv.conf").read_text()),
    }
    for file, text in files.items():
        (spec.paths.config / file).write_text(text)
    for user in ("admin", "controller-manager", "scheduler", "proxy", "kubelet"):
        path = spec.paths.config / f"{user}.kubeconfig"
        certs.write_kubeconfig(path, spec.paths.pki, spec.addresses, cluster=spec.name, user=user)


def _start(spec: Spec, process: Process, commands: dict[str, list[str]], pause: Path, dns: Path | None) -> None:
    """Start the components that do not run, and wait until the cluster is of use."""
    get = api.client(spec.paths.pki, spec.addresses)
    since = _now() - (LEASE if "kubelet" in machine.programs(process) else timedelta(0))

    def running() -> set[str]:
        return machine.programs(process)

    def start(names: list[str]) -> None:
        for component in names:
            if component not in running():
                machine.spawn(process, commands[component], spec.paths.logs / f"{component}.log")

    def wait(what: str, ready: Callable[[], bool], started: list[str]) -> None:
        try:
            wait_until(what, lambda: _none_died(spec, running(), started) and ready(), timeout=READY_TIMEOUT)
        except StepError as error:
            msg = f"{error}\n{_log_tails(spec, started)}" if "died" not in str(error) else str(error)
            raise StepError(msg) from error

    first = [component for component in commands if component in NEEDS_NO_API]
    node = "kubelet" in commands
    if node:
        machine.make_cgroup(spec.cgroup)
    start(first)
    wait("the API server", lambda: api.api_ready(get), first)
    if node and dns:
        _wait_containerd(process, spec)
        load(spec.name, program_image(components.PAUSE_IMAGE, pause), process)
        load(spec.name, program_image(manifests.COREDNS_IMAGE, dns), process)
    everything = list(commands)
    start(everything)
    if "kube-controller-manager" in commands:
        wait("the default service account", lambda: api.default_account_there(get), everything)
    if node:
        _apply(spec, manifests.manifest(spec))
        wait("the node", lambda: api.node_ready(get, spec.node, since), everything)
        wait("the cluster's DNS", lambda: api.dns_answers(spec.addresses.dns), everything)
    certs.write_kubeconfig(
        spec.paths.kubeconfig, spec.paths.pki, spec.addresses, cluster=f"simops-{spec.name}", user="admin"
    )


def _wait_containerd(process: Process, spec: Spec) -> None:
    def answers() -> bool:
        with contextlib.suppress(StepError):
            machine.inside(process, ["ctr", "version"], timeout=10)
            return True
        return False

    try:
        wait_until("containerd", answers, timeout=60)
    except StepError as error:
        msg = f"{error}\n{_log_tails(spec, ['containerd'])}"
        raise StepError(msg) from error


def _none_died(spec: Spec, running: set[str], started: list[str]) -> bool:
    died = [component for component in started if component not in running]
    if died:
        msg = f"died at the start: {', '.join(died)}\n{_log_tails(spec, died)}"
        raise StepError(msg)
    return True


def _log_tails(spec: Spec, names: list[str]) -> str:
    logs = [spec.paths.logs / f"{component}.log" for component in names]
    return "\n".join(f"  the end of {log}:\n{tail(log)}" for log in logs)


def _apply(spec: Spec, manifest: dict[str, object]) -> None:
    kubeconfig = spec.config("admin.kubeconfig")
    apply = ["apply", "--server-side", "--force-conflicts", "-f", "-"]
    machine.run([spec.program("kubectl"), f"--kubeconfig={kubeconfig}", *apply], stdin=json.dumps(manifest))


def load(name: str, archive: Path, process: Process | None = None) -> None:
    """Import a docker-archive into a cluster's image store."""
    if process is None:
        state = read_state(cluster_paths(name))
        if state is None or state.process is None or not machine.alive(state.process):
            msg = f"no running cluster {name!r}: start it by `hack/cluster up --name {name}`"
            raise StepError(msg)
        process = state.process
    command = machine.enter_command(process, ["ctr", "--namespace=k8s.io", "images", "import", "-"])
    with archive.open("rb") as stream:
        done = subprocess.run(command, stdin=stream, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        msg = f"importing {archive} failed: {done.stderr.strip()}"
        raise StepError(msg)
    _name_by_digest(process, tags_in(archive))


def _name_by_digest(process: Process, tags: list[str]) -> None:
    """Let images be found by their digests too, as after a pull from a registry. Those that had the name before lose it."""
    ctr = ["ctr", "--namespace=k8s.io", "images"]
    rows = [line.split() for line in machine.inside(process, [*ctr, "ls"]).splitlines()[1:]]
    digests = {row[0]: row[2] for row in rows}
    for tag in tags:
        whole = canonical(tag)
        repository = whole.rpartition(":")[0]
        named = f"{repository}@{digests[whole]}"
        stale = [ref for ref in digests if ref.startswith(f"{repository}@") and ref != named]
        if stale:
            machine.inside(process, [*ctr, "rm", *stale])
        if named not in digests:
            machine.inside(process, [*ctr, "tag", whole, named])


def down(name: str) -> None:
    """Remove a cluster and everything of it."""
    paths = cluster_paths(name)
    os.environ["PATH"] = SEARCH
    with locked(name):
        state = read_state(paths)
        if state is None and not paths.root.exists():
            say(f"No cluster {name}")
            return
        with step(f"Stopping cluster {name}"):
            for process in machine.find_machines(paths.root):
                machine.stop_machine(process)
            if state:
                spec = spec_for(name, state.slot, Path("/"))
                machine.remove_interface(spec.addresses.interface)
                machine.remove_cgroup(spec.cgroup)
            remove_tree(paths.root)


def remove_tree(folder: Path) -> None:
    """Remove a folder, unless something is mounted below it: that would be removed as well."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    below = [line.split()[4] for line in mounts if Path(line.split()[4]).is_relative_to(folder)]
    if below:
        msg = f"{folder} is not removed, since there are mounts below it: {', '.join(below)}"
        raise StepError(msg)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        shutil.rmtree(folder)
