"""The node's processes, for tests that kill, stop or pause what runs there: a Pod that sees them, on every provider."""

from e2e.cluster import Cluster, Object, Refused, until
from e2e.lab import TESTBOX

NAMESPACE = "kube-system"
NAME = "e2e-host"
POD = f"/api/v1/namespaces/{NAMESPACE}/pods"


def _pod() -> Object:
    container: Object = {
        "name": "host",
        "image": TESTBOX,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", "trap exit TERM; while true; do sleep 1; done"],
        "securityContext": {"privileged": True, "runAsUser": 0},
    }
    spec: Object = {
        "hostPID": True,
        "containers": [container],
        "tolerations": [{"operator": "Exists"}],
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 3,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME}, "spec": spec}


class Host:
    """A node of the cluster. The local clusters have one."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        try:
            cluster.request("POST", POD, _pod())
        except Refused as refusal:
            if refusal.status != 409:
                raise
        until(lambda: self._phase() == "Running", "the Pod that sees the node's processes runs")

    def _phase(self) -> str:
        found = self._cluster.find(f"{POD}/{NAME}") or {}
        return str((found.get("status") or {}).get("phase", ""))

    def close(self) -> None:
        self._cluster.request("DELETE", f"{POD}/{NAME}")

    def run(self, script: str) -> str:
        """Run a shell script that sees all processes of the node."""
        return self._cluster.kubectl("exec", f"--namespace={NAMESPACE}", NAME, "--", "sh", "-c", script, timeout=60)

    def signal(self, container: str, name: str) -> None:
        """Send a signal to all processes of a container, given by its ID in a Pod's status."""
        found = f"grep -l {container.rpartition('/')[2]} /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3"
        said = self.run(f'found=$({found}); test -n "$found" && kill -{name} $found && echo sent')
        assert "sent" in said, f"no process of {container}"

    def pause(self, program: str, seconds: int) -> None:
        """Let a program, which may be what carries this very call, stand still for a while."""
        found = f"for p in /proc/[0-9]*; do case \"$(readlink $p/exe) $(tr '\\0' ' ' < $p/cmdline)\" in */{program}' '*) echo ${{p#/proc/}};; esac; done"
        said = self.run(
            f'found=$({found}); test -n "$found" && echo $found; '
            f'(setsid sh -c "sleep 1; kill -STOP $found; sleep {seconds}; kill -CONT $found" </dev/null >/dev/null 2>&1 &)'
        )
        assert said.strip(), f"no process of {program}"
