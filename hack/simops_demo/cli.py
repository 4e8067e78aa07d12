"""The command line of `hack/demo`."""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from localcluster import providers
from localcluster.paths import cluster_paths
from localcluster.progress import StepError, elapsed, say, tail
from simops_demo import gateway, installation, job, results, store
from simops_images import cli as images
from simops_images.catalogue import ROOT

EXAMPLE = ROOT / "examples" / "heat.yaml"
NAME, NAMESPACE = "heat", "default"
FILES = ("meta.json", "metrics.json", "result.csv", "simulation_results.png", "temperature_field.npy")
JOB_SECONDS = 180
LOG_LINES = 40


def parser() -> argparse.ArgumentParser:
    """Return the parser."""
    about = "Install SimOps into a local cluster, run the sample job, fetch its results."
    top = argparse.ArgumentParser(prog="hack/demo", description=about)
    top.add_argument("--cluster", default="simops", help="which cluster (default: %(default)s)")
    what = top.add_mutually_exclusive_group()
    what.add_argument("--up-only", action="store_true", help="install, run nothing")
    what.add_argument("--status", action="store_true", help="say what is there, change nothing")
    what.add_argument("--logs", action="store_true", help="print the logs of operator, gateway and cluster")
    top.add_argument("--values", type=Path, help="values of the chart (default: those for the local cluster)")
    top.add_argument("--out", type=Path, default=ROOT / "out" / "demo", help="where results go (default: out/demo)")
    return top


def demonstrate(cluster: installation.Cluster, out: Path) -> None:
    """Run the sample job and put its results into a folder."""
    status = job.run(cluster, EXAMPLE, NAME, NAMESPACE, timeout=JOB_SECONDS)
    artifacts = status.get("artifacts") or {}
    if not artifacts.get("bundle"):
        msg = f"the job succeeded but its status names no bundle: {status}"
        raise StepError(msg)
    with store.opened(cluster) as bucket:
        log = bucket.read(artifacts["log"]).decode(errors="replace") if artifacts.get("log") else "(no log)"
        bundle = bucket.read(artifacts["bundle"])
    lines = log.rstrip().splitlines()
    say(f"\nThe job's log{f' (last {LOG_LINES} lines)' if len(lines) > LOG_LINES else ''}:")
    say("\n".join(f"  {line}" for line in lines[-LOG_LINES:]))
    files = results.unpack(bundle, artifacts.get("sha256"), out)
    say(f"\nIts results, in {out}:\n{results.table(files, out)}")
    if missing := [name for name in FILES if not (out / name).is_file()]:
        msg = f"the bundle lacks {', '.join(missing)}"
        raise StepError(msg)
    say(f"\nThe plot: {out / 'simulation_results.png'}")
    say("\nThe same by REST:")
    with gateway.opened(cluster, NAMESPACE) as session:
        gateway.run(session, out)


def show(command: Sequence[str]) -> bool:
    """Let a command print; say whether it succeeded."""
    sys.stdout.flush()
    return subprocess.run(list(command), stdin=subprocess.DEVNULL, timeout=120, check=False).returncode == 0


def status(name: str) -> bool:
    """Print what there is: the cluster, SimOps in it, its jobs, and the images; say whether all is well."""
    lines, healthy = providers.status(name)
    if not healthy:  # what is wrong stands last, where it is seen above the error of `make`
        images.show()
        print("\n".join(lines))
        return False
    print("\n".join(lines))
    cluster = installation.Cluster(name, providers.kubeconfig(name))
    healthy = show(cluster.kubectl("get", "pods", f"--namespace={installation.NAMESPACE}"))
    healthy &= show(cluster.kubectl("get", "simulationjobs,simulationsweeps", "--all-namespaces"))
    images.show()
    return healthy


def logs(name: str) -> bool:
    """Print the operator's log and the end of each log of the cluster's components."""
    for log in sorted(cluster_paths(name).logs.glob("*.log")):
        print(f"== {log}\n{tail(log)}")
    cluster = installation.Cluster(name, providers.kubeconfig(name))
    shown = True
    for part in ("operator", "gateway"):
        print(f"== {part}")
        selector = f"--selector=app.kubernetes.io/instance={installation.RELEASE},app.kubernetes.io/component={part}"
        shown &= show(
            cluster.kubectl("logs", f"--namespace={installation.NAMESPACE}", selector, "--prefix", "--tail=-1")
        )
    return shown


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration; an error that a person can act on is a message, not a trace."""
    arguments = parser().parse_args(argv)
    start = time.monotonic()
    try:
        if arguments.status:
            return 0 if status(arguments.cluster) else 1
        if arguments.logs:
            return 0 if logs(arguments.cluster) else 1
        out = arguments.out.absolute()
        out.parent.mkdir(parents=True, exist_ok=True)
        cluster = installation.up(arguments.cluster, values=arguments.values)
        if not arguments.up_only:
            demonstrate(cluster, out)
    except (StepError, ValueError, OSError) as error:
        say(f"\nerror: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the same command continues")
        return 130
    named = "" if arguments.cluster == "simops" else f" CLUSTER={arguments.cluster}"
    say(
        f"\nDone in {elapsed(time.monotonic() - start)}. The cluster stays up until `make down{named}`. To look around:"
    )
    print(f"export KUBECONFIG={cluster.kubeconfig} PATH={Path(cluster.kubectl()[0]).parent}:$PATH", flush=True)
    say("kubectl get simjob; kubectl describe simjob heat")
    say("By REST (docs/rest.md; in a browser http://127.0.0.1:8000/ui, and the calls at /docs):")
    say(
        f"kubectl -n {installation.NAMESPACE} port-forward service/{gateway.SERVICE} 8000:80 & GATEWAY=http://127.0.0.1:8000"
    )
    if not arguments.up_only:
        say(f"TOKEN=$(kubectl -n {NAMESPACE} create token {gateway.PERSON})")
    say('curl -H "Authorization: Bearer $TOKEN" $GATEWAY/api/v1/jobs')
    say("Or by the command (docs/command.md): SIMOPS_SERVER=$GATEWAY SIMOPS_TOKEN=$TOKEN .venv/bin/simops list")
    return 0
