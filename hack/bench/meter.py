"""What a run costs the control plane and the operator, read from their own metrics."""

import re
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field

from simops_demo.installation import NAMESPACE, Cluster, output

WRITES = ("POST", "PUT", "PATCH", "APPLY", "DELETE")
_OTHERS = ("leases", "nodes", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews", "serviceaccounts")
"""What goes on whether anything runs or not."""
_REQUESTS = re.compile(r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<count>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_CALLS = re.compile(r"^simops_operator_api_calls_total\{(?P<labels>[^}]*)\} (?P<count>\S+)$", re.MULTILINE)
_SAMPLE_SECONDS = 2.0


def writes(cluster: Cluster) -> Counter[str]:
    """Return the writes that the API server has answered so far, whoever made them, by verb and resource."""
    text = output(cluster.kubectl("get", "--raw", "/metrics"))
    out: Counter[str] = Counter()
    for found in _REQUESTS.finditer(text):
        labels = dict(_LABEL.findall(found["labels"]))
        if labels.get("verb") in WRITES and labels.get("resource") not in _OTHERS:
            sub = f"/{labels['subresource']}" if labels.get("subresource") else ""
            out[f"{labels['verb']} {labels.get('resource')}{sub}"] += int(float(found["count"]))
    return out


def operator_pod(cluster: Cluster) -> str:
    """Return the name of the operator's Pod."""
    selector = "--selector=app.kubernetes.io/component=operator"
    pods = cluster.get("pods", f"--namespace={NAMESPACE}", selector)["items"]
    return str(next(p["metadata"]["name"] for p in pods if "deletionTimestamp" not in p["metadata"]))


@dataclass
class Usage:
    """What the operator has used."""

    cpu_seconds: float = 0.0
    seconds: float = 0.0
    peak_bytes: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    peak_rate: float = 0.0
    """Most calls to the API server a second, between two looks a few seconds apart."""

    @property
    def cores(self) -> float:
        """CPU, as a share of one core."""
        return self.cpu_seconds / self.seconds if self.seconds else 0.0


class Meter:
    """Watches the operator's own metrics while something runs."""

    def __init__(self, address: str) -> None:
        """``address``: host and port at which the operator's metrics are served."""
        self._address = address
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._peak = self._peak_rate = 0.0
        self._last: tuple[float, int] | None = None
        self._begun = time.perf_counter()
        self._before = self._read()
        self._thread.start()

    def _read(self) -> str:
        with urllib.request.urlopen(f"http://{self._address}/metrics", timeout=30) as answer:
            text: str = answer.read().decode()
        self._peak = max(self._peak, _value(text, "process_resident_memory_bytes"))
        now, count = time.perf_counter(), _calls(text).total()
        if self._last is not None and now - self._last[0] >= _SAMPLE_SECONDS:
            self._peak_rate = max(self._peak_rate, (count - self._last[1]) / (now - self._last[0]))
        self._last = now, count
        return text

    def _sample(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            self._read()

    def stop(self) -> Usage:
        """Return what was used since the beginning."""
        self._over.set()
        self._thread.join()
        after = self._read()
        cpu = "process_cpu_seconds_total"
        calls = _calls(after) - _calls(self._before)
        seconds = time.perf_counter() - self._begun
        return Usage(_value(after, cpu) - _value(self._before, cpu), seconds, self._peak, calls, self._peak_rate)


def _value(text: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def _calls(text: str) -> Counter[str]:
    out: Counter[str] = Counter()
    for found in _CALLS.finditer(text):
        out[dict(_LABEL.findall(found["labels"]))["verb"]] += int(float(found["count"]))
    return out
