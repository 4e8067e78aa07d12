"""One delivery: the outputs as they are now, what they tell, and the manifest, to the store.

It runs in a thread of its own and says before each step what is true if that step is the last one.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from simops_operator.pod import store, upload
from simops_operator.pod.archive import Archive
from simops_operator.pod.fitting import encode
from simops_operator.pod.pack import Pack
from simops_operator.pod.results import RESULTS, conclude
from simops_operator.pod.settings import Settings
from simops_operator.pod.summary import Outcome, Summary, read_metrics

Say = Callable[[Summary], Summary]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """The bundle, the results of a pack, and the manifest, in this order."""

    settings: Settings
    target: store.Target
    pack: Pack | None
    partial: bool
    killed: bool
    """The simulation has ended, and nobody had stopped it."""
    began: float
    remaining: Callable[[], float]
    say: Say
    """Write the termination message."""
    stored: Say
    """Write it, and remember that this much is in the store."""
    log: Callable[[str], None]

    def run(self) -> Summary:
        """Upload everything; what has come of it."""
        settings = self.settings
        try:
            summary = self._told()
        except OSError as error:
            return Summary(partial=self.partial, error=f"cannot read {settings.outputs}: {error.strerror}")
        try:
            with store.Store(self.target, self.remaining, lambda text: self._obstacle(summary, text)) as connection:
                archive = self._put_bundle(connection)
                if summary.outcome is not None:
                    self.say(replace(summary, error="cut off before the results were stored"))
                    self._put_results(connection, summary.outcome)
                return self._put_manifest(connection, self._complete(summary, archive), archive)
        except store.OutOfTimeError as error:
            return self._failed(summary, f"not uploaded: {error}")
        except OSError as error:
            return self._failed(summary, f"cannot read {settings.outputs}: {error.strerror}")

    def _told(self) -> Summary:
        """What the outputs say. It is read before they are bundled: what a result is told of is in the bundle."""
        settings, summary = self.settings, Summary(partial=self.partial)
        if self.pack is None:
            metrics, metrics_error = read_metrics(settings.outputs)
            return replace(summary, metrics=metrics, metrics_error=metrics_error)
        # A batch simulation may have many points under way, and nothing tells which of them brought it down.
        by_one = self.killed and not self.pack.settings.batch
        killed_at = time.time() - (time.monotonic() - self.began) if by_one else None
        outcome = conclude(settings.outputs, self.pack.points, self.pack.cancelled(), killed_at)
        if outcome.note:
            self.log(outcome.note)
        return replace(summary, outcome=outcome)

    def _put_bundle(self, connection: store.Store) -> Archive:
        leave_out = frozenset() if self.pack is None else frozenset({RESULTS})
        archive = Archive(self.settings.outputs, leave_out)

        def again() -> Iterator[bytes]:
            nonlocal archive
            archive = Archive(self.settings.outputs, leave_out)
            return archive.chunks()

        upload.put(connection, f"{self.settings.key}.zip", again, "application/zip")
        for name, reason in archive.skipped[:20]:
            self.log(f"skipped {name!r}: {reason}")
        self.log(f"uploaded {self.settings.key}.zip")
        return archive

    def _put_results(self, connection: store.Store, outcome: Outcome) -> None:
        def lines() -> Iterator[bytes]:
            return (text + b"\n" for text in outcome.lines)

        upload.put(connection, f"{self.settings.key}.jsonl", lines, "application/jsonl")

    def _put_manifest(self, connection: store.Store, summary: Summary, archive: Archive) -> Summary:
        """What has been stored is told before; that there is no manifest is a note."""
        self.stored(replace(summary, manifest_error="cut off before the manifest was stored"))
        manifest = b'%s,"entries":[%s],"skippedEntries":%s}' % (
            encode(summary.as_dict())[:-1],
            archive.entries,
            encode([{"path": name, "why": reason} for name, reason in archive.skipped]),
        )

        def unstored(text: str) -> None:
            self.log(text)
            self.say(replace(summary, manifest_error=text))

        connection.note = unstored
        try:
            upload.put(connection, f"{self.settings.key}.json", lambda: [manifest], "application/json")
        except store.OutOfTimeError as error:
            return replace(summary, manifest_error=f"not uploaded: {error}")
        return summary

    def _obstacle(self, summary: Summary, text: str) -> None:
        self.log(text)
        self.say(self._failed(summary, text))

    def _failed(self, summary: Summary, error: str) -> Summary:
        return replace(summary, error=error, seconds=time.monotonic() - self.began)

    def _complete(self, summary: Summary, archive: Archive) -> Summary:
        return replace(
            summary,
            bundle=f"{self.settings.key}.zip",
            files=archive.files,
            bytes=archive.bytes,
            size=archive.size,
            sha256=archive.sha256,
            skipped=len(archive.skipped),
            seconds=time.monotonic() - self.began,
        )
