"""The log of a run's Pod, followed through lost connections: each line once, in order."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import urllib3
from kubernetes.client import ApiException

from simops_cli.core import objects
from simops_cli.core.resume import Seen
from simops_client.errors import NotFound, Unavailable
from simops_crds.names import CONTAINER_SIMULATION, LABEL_UID

_PAUSE_SECONDS = 1.0
_PATIENCE_SECONDS = 600.0


class Reader:
    """Reads the log of one run."""

    def __init__(self, core: Any, namespace: str, read: Callable[[], dict[str, Any]], gone: str) -> None:
        """Take how the run is read again, and what is said when its Pod is gone."""
        self._core, self._namespace, self._read, self._gone = core, namespace, read, gone

    def lines(self, obj: dict[str, Any], *, follow: bool, tail: int | None, timestamps: bool) -> Iterator[str]:
        """Give its lines. With ``follow`` until the run has ended.

        Raises:
            NotFound: its Pod is gone.
            Unavailable: the API server has not answered for ten minutes.
        """
        pod = self._pod(obj)
        while pod is None and follow and not objects.is_over(obj):
            time.sleep(_PAUSE_SECONDS)
            obj = self._read()
            pod = self._pod(obj)
        if pod is None:
            text = self._gone if objects.is_over(obj) else f"{obj['metadata']['name']} has no Pod yet: -f waits for it"
            raise NotFound(text, status=404)
        while pod is not None:
            yield from self._of_pod(pod, follow=follow, tail=tail, timestamps=timestamps)
            following = self._pod(self._read()) if follow else None
            pod = following if following != pod else None  # another attempt

    def _pod(self, obj: dict[str, Any]) -> str | None:
        selector = f"{LABEL_UID}={obj['metadata']['uid']}"
        pods = self._core.list_namespaced_pod(self._namespace, label_selector=selector).items
        begun = [p for p in pods if p.status.phase != "Pending"]
        latest = max(begun, key=lambda p: p.metadata.creation_timestamp, default=None)
        return str(latest.metadata.name) if latest is not None else None

    def _of_pod(self, pod: str, *, follow: bool, tail: int | None, timestamps: bool) -> Iterator[str]:
        """Give the lines of a Pod; with ``follow`` until the run has ended, or has another Pod."""
        seen = Seen()
        lost_since: float | None = None
        while True:
            seen.begin_again()
            try:
                for stamp, line in self._stream(pod, follow=follow, tail=None if seen.last else tail, since=seen.last):
                    lost_since = None
                    if seen.is_new(stamp):
                        yield f"{stamp} {line}" if timestamps else line
                if not follow or self._is_over(pod):
                    return
            except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
                lost_since = lost_since or time.monotonic()
                self._judge(error, lost_since)
            time.sleep(_PAUSE_SECONDS)

    def _is_over(self, pod: str) -> bool:
        obj = self._read()
        return objects.is_over(obj) or self._pod(obj) != pod

    def _judge(self, error: Exception, lost_since: float) -> None:
        """See that it is worth another try."""
        status = error.status if isinstance(error, ApiException) else 503
        if status == 404:
            raise NotFound(self._gone, status=404) from error
        if status < 500 and status != 429:
            raise error
        if time.monotonic() - lost_since > _PATIENCE_SECONDS:
            raise Unavailable("the API server has not answered for ten minutes") from error

    def _stream(self, pod: str, *, follow: bool, tail: int | None, since: str) -> Iterator[tuple[str, str]]:
        more: dict[str, Any] = {"tail_lines": tail} if tail is not None and not since else {}
        if since:
            # Whole seconds, rounded up: what comes twice is passed over by its time.
            more["since_seconds"] = max(int(time.time() - _seconds(since)) + 2, 1)
        answer = self._core.read_namespaced_pod_log(
            pod,
            self._namespace,
            container=CONTAINER_SIMULATION,
            follow=follow,
            timestamps=True,
            _preload_content=False,
            **more,
        )
        rest = b""
        try:
            for chunk in answer.stream(65_536):
                *whole, rest = (rest + chunk).split(b"\n")
                for raw in whole:
                    yield _parted(raw)
            if rest:
                yield _parted(rest)
        finally:
            answer.release_conn()


def _parted(raw: bytes) -> tuple[str, str]:
    stamp, _, line = raw.decode(errors="replace").partition(" ")
    return stamp, line


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(f"{stamp[:19]}+00:00").timestamp()
