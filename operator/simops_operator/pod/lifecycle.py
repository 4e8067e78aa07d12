"""The life of the sidecar: bring what a pack shall run, wait, upload, say what happened.

The main thread only waits: for signals, for the stop notice, for what a worker brings or uploads, and for the deadline.
So it can be stopped at any time, and the truth about the outputs is written in time whatever hangs.

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
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from simops_operator.pod.notice import Listener
from simops_operator.pod.pack import Pack
from simops_operator.pod.settings import ConfigurationError, Settings
from simops_operator.pod.summary import Summary, TerminationMessage

if TYPE_CHECKING:
    from simops_operator.pod import store
    from simops_operator.pod.bundle import Signals

_LOG_SECONDS = 20.0
_LOG_PAUSE = 0.5
_LEAST_SECONDS = 2.0  # What kubelet grants a sidecar when the grace period is already over.


class Sidecar:
    """One run of the container."""

    def __init__(self, settings: Settings, signals: "Signals", listener: Listener, message: TerminationMessage) -> None:
        self._settings = settings
        self._signals = signals
        self._listener = listener
        self._message = message
        self._pack = Pack(settings.pack, settings.outputs) if settings.pack else None
        self._reserve = min(2.0, settings.grace / 10)
        self._stored: Summary | None = None
        self._took_partial = False

    def run(self) -> int:
        """Wait and upload until nothing can follow any more; the exit code."""
        if self._pack is not None:
            failure = self._prepare(self._pack)
            if failure is not None:
                self._say(failure)
                return 1
        while True:
            partial = self._wait()
            summary = self._upload(partial)
            if not partial or (self._signals.stopped_at is None and self._listener.outside_at is not None):
                # The logs of a pack's points are in its bundle.
                if not partial and self._listener.outside_at and summary.error is None and self._pack is None:
                    self._wait_for_log()
                return 0 if summary.error is None else 1
            self._took_partial = True

    def _prepare(self, pack: Pack) -> Summary | None:
        """See to it that the points are there; what went wrong, if anything did."""
        if not pack.recall():

            def attend() -> None:
                # Nothing has run, so there is nothing to keep; and whatever the worker waits for, it is not waited for here.
                if self._signals.stopped_at is not None and not pack.recall():
                    why = f": {pack.obstacle}" if pack.obstacle else ""
                    self._end(Summary(error=f"stopped before its points were there{why}"))

            def work() -> Summary:
                return Summary(error=pack.prepare(self._target, log))

            outcome = self._in_worker(work, Summary(), time.monotonic(), attend)
            if outcome.error is not None:
                return outcome
        pack.watch(self._target, log)
        return None

    def _wait_for_log(self) -> None:
        """Keep the Pod until the operator has stored its log: one that is being deleted takes the log with it.

        Not for long: without an operator nobody stores it.
        """
        from simops_operator.pod import store  # noqa: PLC0415 - imported by the upload already

        ends = time.monotonic() + _LOG_SECONDS

        def left() -> float:
            return min(ends - time.monotonic(), self._remaining())

        with store.Store(self._target(), left, log) as connection:
            while left() > 0 and not connection.exists(f"{self._settings.key}.log"):
                time.sleep(min(_LOG_PAUSE, max(0.0, left())))

    def _target(self) -> "store.Target":
        from simops_operator.pod import store  # noqa: PLC0415 - 0.3 s of CPU, needed only at the end

        settings = self._settings
        return store.Target(
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

        def attend() -> float:
            left = self._remaining() + self._reserve / 2
            if left <= 0 and (self._signals.stopped_at or self._listener.outside_at):
                self._give_up(partial)
            return max(left, 0.1)

        summary = self._in_worker(lambda: self._deliver(partial, began), Summary(partial=partial), began, attend)
        self._say(summary)
        if summary.error is None:
            log(f"done: {summary.files} files, {summary.size} bytes of zip, {summary.seconds:.2f} s")
            self._stored = summary
        return summary

    def _in_worker(
        self, work: Callable[[], Summary], base: Summary, began: float, attend: Callable[[], float | None]
    ) -> Summary:
        """Let a thread work while this one hears what comes; what it returns, or what has gone wrong.

        `attend` is asked after each event how long the next one may be waited for.
        """
        outcome: list[Summary] = []

        def run() -> None:
            try:
                outcome.append(work())
            except Exception as error:  # noqa: BLE001 - whatever it is, the operator must be told
                traceback.print_exc()
                text = f"unexpected: {type(error).__name__}: {error}"
                outcome.append(replace(base, error=text, seconds=time.monotonic() - began))
            finally:
                self._signals.wake()

        worker = threading.Thread(target=run, name="worker", daemon=True)
        worker.start()
        while not outcome:
            self._listener.serve(attend())
        worker.join()
        return outcome[0]

    def _deliver(self, partial: bool, began: float) -> Summary:
        from simops_operator.pod.deliver import Delivery  # noqa: PLC0415 - 0.3 s of CPU, needed only now

        def stored(summary: Summary) -> Summary:
            self._stored = self._say(summary)
            return summary

        delivery = Delivery(
            settings=self._settings,
            target=self._target(),
            pack=self._pack,
            partial=partial,
            killed=not partial and self._listener.outside_at is None,
            began=began,
            remaining=self._remaining,
            say=self._say,
            stored=stored,
            log=log,
        )
        return delivery.run()

    def _give_up(self, partial: bool) -> NoReturn:
        """End the process although the worker hangs: kubelet would kill it in a moment."""
        if self._stored is None or self._stored.partial != partial:
            late = "not uploaded: the store did not answer before the grace period was over"
            self._say(Summary(partial=partial, error=late))
        log("the time is over")
        os._exit(0 if self._stored and self._stored.partial == partial else 1)

    def _end(self, summary: Summary) -> NoReturn:
        """End the process whatever the worker is doing."""
        self._say(summary)
        log(str(summary.error))
        os._exit(1)

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
        listener = Listener(settings.port, settings.stop_path, signals.reader)
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
