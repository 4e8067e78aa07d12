"""The life of the sidecar: wait, upload, say what happened.

The main thread only waits: for signals, for the stop notice, for the upload, and for the deadline; a worker uploads.
So the truth about the outputs is written in time whatever hangs.

When the simulation ends by itself or on request, SIGTERM comes and the outputs are final. After a stop notice they
are taken as they are once the simulation has had its time, and then:

- SIGTERM came meanwhile: they have changed since, so they are uploaded again; the object is replaced as a whole.
- The notice came from outside the Pod, so from kubelet: the process ends; what the store has tells the operator that
  the outputs are taken.
- It came from inside, so from the simulation, which may well go on: the process stays and uploads again on SIGTERM.
"""

import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simops_operator.pod.notice import Listener
from simops_operator.pod.summary import Summary, TerminationMessage, encode, read_metrics

if TYPE_CHECKING:
    from simops_operator.pod import upload
    from simops_operator.pod.bundle import Signals

_LOG_SECONDS = 20.0
_LOG_PAUSE = 0.5
_LEAST_SECONDS = 2.0  # What kubelet grants a sidecar when the grace period is already over.


class ConfigurationError(Exception):
    """The Pod was not built as the contract says."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The environment of the container, see docs/architecture.md."""

    outputs: str
    endpoint: str
    bucket: str
    region: str
    credentials: str
    key: str
    grace: float
    stop: float
    port: int

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read all variables or say which one is wrong."""
        name = ""
        try:
            values = {}
            for name in ("OUTPUTS", "STORE_ENDPOINT", "STORE_BUCKET", "STORE_REGION", "KEY_PREFIX", "POD"):
                values[name] = environ[f"SIMOPS_{name}"]
            numbers = {}
            for name in ("GRACE_SECONDS", "STOP_SECONDS", "STOP_PORT"):
                numbers[name] = float(environ[f"SIMOPS_{name}"])
        except (KeyError, ValueError) as error:
            raise ConfigurationError(f"the environment variable SIMOPS_{name} is missing or wrong") from error
        return cls(
            outputs=values["OUTPUTS"],
            endpoint=values["STORE_ENDPOINT"],
            bucket=values["STORE_BUCKET"],
            region=values["STORE_REGION"],
            credentials=environ.get("SIMOPS_STORE_CREDENTIALS", ""),
            key=f"{values['KEY_PREFIX'].rstrip('/')}/{values['POD']}",
            grace=numbers["GRACE_SECONDS"],
            stop=numbers["STOP_SECONDS"],
            port=int(numbers["STOP_PORT"]),
        )


class Sidecar:
    """One run of the container."""

    def __init__(self, settings: Settings, signals: "Signals", listener: Listener, message: TerminationMessage) -> None:
        self._settings = settings
        self._signals = signals
        self._listener = listener
        self._message = message
        self._reserve = min(2.0, settings.grace / 10)
        self._stored: Summary | None = None
        self._took_partial = False

    def run(self) -> int:
        """Wait and upload until nothing can follow any more; the exit code."""
        while True:
            partial = self._wait()
            summary = self._upload(partial)
            if not partial or (self._signals.stopped_at is None and self._listener.outside_at is not None):
                if not partial and self._listener.outside_at is not None and summary.error is None:
                    self._wait_for_log()
                return 0 if summary.error is None else 1
            self._took_partial = True

    def _wait_for_log(self) -> None:
        """Keep the Pod until the operator has stored its log: one that is being deleted takes the log with it.

        Not for long: without an operator nobody stores it.
        """
        from simops_operator.pod import upload  # noqa: PLC0415 - imported by the upload already

        ends = time.monotonic() + _LOG_SECONDS

        def left() -> float:
            return min(ends - time.monotonic(), self._remaining())

        with upload.Store(self._target(), left, log) as store:
            while left() > 0 and not store.exists(f"{self._settings.key}.log"):
                time.sleep(min(_LOG_PAUSE, max(0.0, left())))

    def _target(self) -> "upload.Target":
        from simops_operator.pod import upload  # noqa: PLC0415 - 0.3 s of CPU, needed only at the end

        settings = self._settings
        return upload.Target(
            endpoint=settings.endpoint, bucket=settings.bucket, region=settings.region, credentials=settings.credentials
        )

    def _wait(self) -> bool:
        """Return when there is something to upload; true if the simulation still runs."""
        while self._signals.stopped_at is None:
            notice = self._listener.outside_at or (None if self._took_partial else self._listener.inside_at)
            left = None if notice is None else notice + self._settings.stop - time.monotonic()
            if left is not None and left <= 0:
                log("the simulation has not stopped in time: its outputs are taken as they are")
                return True
            self._listener.serve(left)
        return False

    def _remaining(self) -> float:
        """Return the seconds left for the upload."""
        grace, now = self._settings.grace, time.monotonic()
        stopped, outside = self._signals.stopped_at, self._listener.outside_at
        if stopped is None:
            return (outside or self._listener.inside_at or now) + grace - self._reserve - now
        # The grace period began with kubelet's notice. A notice older than that was none, or the Pod would be gone.
        began = outside if outside is not None and stopped - outside < grace else stopped
        return max(began + grace, stopped + _LEAST_SECONDS) - self._reserve - now

    def _upload(self, partial: bool) -> Summary:
        began = self._signals.stopped_at or time.monotonic()
        self._say(Summary(partial=partial, error="the upload was cut off: the container was killed"))
        outcome: list[Summary] = []
        worker = threading.Thread(target=self._work, args=(partial, began, outcome), name="upload", daemon=True)
        worker.start()
        while not outcome:
            left = self._remaining() + self._reserve / 2
            if left <= 0 and (self._signals.stopped_at or self._listener.outside_at):
                self._give_up(partial)
            self._listener.serve(max(left, 0.1))
        worker.join()
        summary = self._say(outcome[0])
        if summary.error is None:
            log(f"done: {summary.files} files, {summary.size} bytes of zip, {summary.seconds:.2f} s")
            self._stored = summary
        return summary

    def _work(self, partial: bool, began: float, outcome: list[Summary]) -> None:
        try:
            outcome.append(self._deliver(partial, began))
        except Exception as error:  # noqa: BLE001 - whatever it is, the operator must be told
            traceback.print_exc()
            text = f"unexpected: {type(error).__name__}: {error}"
            outcome.append(Summary(partial=partial, error=text, seconds=time.monotonic() - began))
        finally:
            self._signals.wake()

    def _deliver(self, partial: bool, began: float) -> Summary:
        from simops_operator.pod import upload  # noqa: PLC0415 - 0.3 s of CPU, needed only now
        from simops_operator.pod.archive import Archive  # noqa: PLC0415

        settings = self._settings
        metrics, metrics_error = read_metrics(settings.outputs)
        summary = Summary(metrics=metrics, metrics_error=metrics_error, partial=partial)
        archive = Archive(settings.outputs)

        def again() -> Iterator[bytes]:
            nonlocal archive
            archive = Archive(settings.outputs)
            return archive.chunks()

        def obstacle(text: str) -> None:
            log(text)
            self._say(replace(summary, error=text, seconds=time.monotonic() - began))

        target = self._target()
        try:
            with upload.Store(target, self._remaining, obstacle) as store:
                store.put(f"{settings.key}.zip", again, "application/zip")
        except upload.UploadFailedError as error:
            return replace(summary, error=f"not uploaded: {error}", seconds=time.monotonic() - began)
        except OSError as error:
            text = f"cannot read {settings.outputs}: {error.strerror}"
            return replace(summary, error=text, seconds=time.monotonic() - began)
        summary = replace(
            summary,
            bundle=f"{settings.key}.zip",
            files=archive.files,
            bytes=archive.bytes,
            size=archive.size,
            sha256=archive.sha256,
            skipped=len(archive.skipped),
            seconds=time.monotonic() - began,
        )
        for name, reason in archive.skipped[:20]:
            log(f"skipped {name!r}: {reason}")
        log(f"uploaded {summary.bundle}")
        self._stored = self._say(replace(summary, manifest_error="cut off before the manifest was stored"))
        manifest = b'%s,"entries":[%s],"skippedEntries":%s}' % (
            encode(summary.as_dict())[:-1],
            archive.entries,
            encode([{"path": name, "why": reason} for name, reason in archive.skipped]),
        )

        def unstored(text: str) -> None:
            log(text)
            self._say(replace(summary, manifest_error=text))

        try:
            with upload.Store(target, self._remaining, unstored) as store:
                store.put(f"{settings.key}.json", lambda: [manifest], "application/json")
        except upload.UploadFailedError as error:
            return replace(summary, manifest_error=f"not uploaded: {error}")
        return summary

    def _give_up(self, partial: bool) -> None:
        """End the process although the worker hangs: kubelet would kill it in a moment."""
        if self._stored is None or self._stored.partial != partial:
            late = "not uploaded: the store did not answer before the grace period was over"
            self._say(Summary(partial=partial, error=late))
        log("the time is over")
        os._exit(0 if self._stored and self._stored.partial == partial else 1)

    def _say(self, summary: Summary) -> Summary:
        """Write the termination message. What an earlier upload has stored is still there if a later one fails."""
        if summary.bundle is None and self._stored is not None:
            summary = replace(self._stored, error=f"only the outputs of an earlier moment are stored; {summary.error}")
        problem = self._message.write(summary)
        if problem:
            log(problem)
        return summary


def log(text: str) -> None:
    """One line on standard output; a full disk or a closed pipe there is no reason to fail."""
    with suppress(OSError):
        os.write(1, f"bundle: {text}\n".encode("utf-8", "backslashreplace"))


def main(environ: Mapping[str, str], signals: "Signals") -> int:
    """Run the sidecar with this environment; whatever ends it is in the termination message."""
    message = TerminationMessage(environ.get("SIMOPS_TERMINATION_LOG", "/dev/termination-log"))
    try:
        settings = Settings.from_environ(environ)
        listener = Listener(settings.port, signals.reader)
        try:
            if listener.problem:
                log(f"no stop notices: {listener.problem}")
            log(f"waiting; outputs in {settings.outputs}")
            return Sidecar(settings, signals, listener, message).run()
        finally:
            listener.close()
    except ConfigurationError as error:
        text = str(error)
    except Exception as error:  # noqa: BLE001 - the operator must be told why the container ended
        traceback.print_exc(file=sys.stdout)
        text = f"unexpected: {type(error).__name__}: {error}"
    log(text)
    message.write(Summary(error=text))
    return 1
