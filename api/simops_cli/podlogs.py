"""The log of a run's Pod, followed through lost connections: each line once, in order."""

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import urllib3

from simops_cli.core import objects
from simops_cli.core.resume import Seen
from simops_client.errors import NotFound, Unavailable
from simops_crds.names import CONTAINER_SIMULATION, LABEL_UID

T = TypeVar("T")
_PAUSE_SECONDS = 1.0
_PATIENCE_SECONDS = 600.0


class Reader:
    """Reads the log of one run."""

    def __init__(
        self,
        core: Any,
        namespace: str,
        call: Callable[[Callable[[], Any]], Any],
        read: Callable[[], dict[str, Any]],
        gone: str,
    ) -> None:
        """Take how the API server is called and the run is read again, and what is said when its Pod is gone."""
        self._core, self._namespace, self._read, self._gone = core, namespace, read, gone
        self._call = call

    def lines(self, obj: dict[str, Any], *, follow: bool, tail: int | None, timestamps: bool) -> Iterator[str]:
        """Give its lines. With ``follow`` until the run has ended.

        Raises:
            NotFound: its Pod is gone.
            Unavailable: the API server has not answered for ten minutes.
        """
        pod = self._pod(obj)
        while pod is None and follow and not objects.is_over(obj):
            time.sleep(_PAUSE_SECONDS)
            obj, pod = self._patiently(self._look)
        if pod is None:
            text = self._gone if objects.is_over(obj) else f"{obj['metadata']['name']} has no Pod yet: -f waits for it"
            raise NotFound(text, status=404)
        while pod is not None:
            yield from self._of_pod(pod, follow=follow, tail=tail, timestamps=timestamps)
            following = self._patiently(self._look)[1] if follow else None
            pod = following if following != pod else None  # another attempt

    def _look(self) -> tuple[dict[str, Any], str | None]:
        obj = self._read()
        return obj, self._pod(obj)

    def _pod(self, obj: dict[str, Any]) -> str | None:
        selector = f"{LABEL_UID}={obj['metadata']['uid']}"
        found = self._call(lambda: self._core.list_namespaced_pod(self._namespace, label_selector=selector))
        begun = [p for p in found.items if p.status.phase != "Pending"]
        latest = max(begun, key=lambda p: p.metadata.creation_timestamp, default=None)
        return str(latest.metadata.name) if latest is not None else None

    def _patiently(self, look: Callable[[], T]) -> T:
        """Look, through ten minutes in which nobody answers."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return look()
            except Unavailable:
                if time.monotonic() > end:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _of_pod(self, pod: str, *, follow: bool, tail: int | None, timestamps: bool) -> Iterator[str]:
        """Give the lines of a Pod; with ``follow`` until the run has ended, or has another Pod."""
        seen = Seen()
        end = time.monotonic() + _PATIENCE_SECONDS
        while True:
            seen.begin_again()
            try:
                for stamp, line in self._stream(pod, follow=follow, tail=None if seen.last else tail):
                    end = time.monotonic() + _PATIENCE_SECONDS
                    if seen.is_new(stamp):
                        yield f"{stamp} {line}" if timestamps else line
                if not follow:
                    return
                obj, present = self._patiently(self._look)
                # Once more to its end then: the stream may have been cut.
                follow = not (objects.is_over(obj) or present != pod)
            except NotFound as error:
                raise NotFound(self._gone, status=404) from error
            except (Unavailable, urllib3.exceptions.HTTPError, OSError) as error:
                if time.monotonic() > end:
                    raise Unavailable("the API server has not answered for ten minutes") from error
            time.sleep(_PAUSE_SECONDS)

    def _stream(self, pod: str, *, follow: bool, tail: int | None) -> Iterator[tuple[str, str]]:
        """Give the time and the text of each line, all of them again after a lost connection: no clock says safely which are new."""
        more: dict[str, Any] = {"tail_lines": tail} if tail is not None else {}
        answer = self._call(
            lambda: self._core.read_namespaced_pod_log(
                pod,
                self._namespace,
                container=CONTAINER_SIMULATION,
                follow=follow,
                timestamps=True,
                _preload_content=False,
                **more,
            )
        )
        rest = b""
        try:
            for chunk in answer.stream(65_536):
                *whole, rest = (rest + chunk).split(b"\n")
                for raw in whole:
                    yield _parted(raw)
            if rest and not follow:  # else it may be half a line
                yield _parted(rest)
        finally:
            answer.release_conn()


def _parted(raw: bytes) -> tuple[str, str]:
    stamp, _, line = raw.decode(errors="replace").partition(" ")
    return stamp, line
