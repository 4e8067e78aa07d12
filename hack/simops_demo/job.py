"""Runs one SimulationJob by kubectl, as a person would, and tells what happens."""

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from localcluster.progress import StepError, say
from simops_demo.installation import Cluster, output

KIND = "simulationjobs.simops.dev"
FINISHED = {"Succeeded", "Failed", "Cancelled"}
# No tabs: while watching, kubectl aligns columns and writes spaces for them.
LINE = r'jsonpath={.status.phase}{"|"}{.status.reason}{"|"}{.status.message}{"\n"}'


def follow(cluster: Cluster, name: str, namespace: str, *, timeout: float, start: float) -> str:
    """Print each phase as the job reaches it; return the last one."""
    where = [name, f"--namespace={namespace}"]
    command = cluster.kubectl("get", KIND, *where, "--watch", f"--output={LINE}")
    phase = ""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        alarm = threading.Timer(timeout, process.kill)
        alarm.start()
        try:
            for line in process.stdout or ():
                now, reason, message = (part.strip() for part in f"{line.rstrip()}||".split("|", 2))
                now = now or "Pending"
                if now != phase:
                    message = message.rstrip("|")
                    why = f"  {reason}: {message}" if reason and now in FINISHED - {"Succeeded"} else ""
                    say(f"{time.monotonic() - start:6.1f} s  {now}{why}")
                phase = now
                if phase in FINISHED:
                    break
        finally:
            alarm.cancel()
            process.kill()
    return phase


def run(cluster: Cluster, manifest: Path, name: str, namespace: str, *, timeout: float) -> dict[str, Any]:
    """Run the job of a manifest anew and return its status; a job that does not succeed is an error."""
    where = [name, f"--namespace={namespace}"]
    output(cluster.kubectl("delete", KIND, *where, "--ignore-not-found", "--wait", "--timeout=90s"), timeout=120)
    say(f"\n$ kubectl apply -f {manifest.parent.name}/{manifest.name}")
    start = time.monotonic()
    say(output(cluster.kubectl("apply", f"--filename={manifest}")).strip())
    phase = follow(cluster, name, namespace, timeout=timeout, start=start)
    if phase not in FINISHED:
        phase = f"still {phase or 'unknown'} after {timeout:.0f} s"
    if phase != "Succeeded":
        say(output(cluster.kubectl("describe", KIND, *where)))
        msg = f"the job is {phase}; above is what the cluster says about it"
        raise StepError(msg)
    status: dict[str, Any] = cluster.get(KIND, *where)["status"]
    return status
