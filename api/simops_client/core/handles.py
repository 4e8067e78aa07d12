"""Jobs and sweeps as people hold them: what was last read of them, and the session by which they are asked again."""

from typing import Any

from simops_client.core.html import html_of
from simops_client.core.requests import segment
from simops_client.core.session import Session
from simops_client.models import FINAL, JobInfo, Scalar, SweepInfo


class JobHandle:
    """A run, or a point of a sweep."""

    def __init__(self, session: Session[Any, Any], info: JobInfo) -> None:
        """Take what is known of it."""
        self.session = session
        self.info = info
        """Everything that was last read of it."""

    @property
    def id(self) -> str:
        """Its id."""
        return self.info.id

    @property
    def path(self) -> str:
        """Where it is, below ``/api/v1``."""
        return f"jobs/{segment(self.id)}"

    @property
    def status(self) -> str:
        """Pending, Queued, Running, Succeeded, Failed or Cancelled: as last read; ``refresh`` reads again."""
        return self.info.status

    @property
    def finished(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in FINAL

    @property
    def succeeded(self) -> bool:
        """Whether it exited 0 and its results are stored."""
        return self.status == "Succeeded"

    @property
    def params(self) -> dict[str, Scalar]:
        """Its parameters."""
        return self.info.params

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers that it told."""
        return self.info.metrics or {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    def _repr_html_(self) -> str:
        info = self.info
        return html_of(
            f"job {self.id}",
            info.status,
            {
                "why": _why(info.reason, info.message),
                "image": info.image,
                "params": info.params,
                "metrics": info.metrics,
                "started": info.started_at,
                "completed": info.completed_at,
                "sweep": info.sweep,
            },
        )


class SweepHandle:
    """Many runs over a parameter space."""

    def __init__(self, session: Session[Any, Any], info: SweepInfo) -> None:
        """Take what is known of it."""
        self.session = session
        self.info = info
        """Everything that was last read of it."""

    @property
    def id(self) -> str:
        """Its id."""
        return self.info.id

    @property
    def path(self) -> str:
        """Where it is, below ``/api/v1``."""
        return f"sweeps/{segment(self.id)}"

    @property
    def status(self) -> str:
        """Pending, Queued, Running, Succeeded, Failed or Cancelled: as last read; ``refresh`` reads again."""
        return self.info.status

    @property
    def finished(self) -> bool:
        """Whether nothing will change any more, unless points are run again."""
        return self.status in FINAL

    @property
    def succeeded(self) -> bool:
        """Whether every point has."""
        return self.status == "Succeeded"

    @property
    def counts(self) -> dict[str, int]:
        """How many points have which status."""
        return self.info.points.by_status

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}, {self.counts.get('Succeeded', 0)} of {self.info.points.total} points>"

    def _repr_html_(self) -> str:
        info = self.info
        return html_of(
            f"sweep {self.id}",
            info.status,
            {
                "why": _why(info.reason, info.message),
                "image": info.image,
                "points": f"{self.counts.get('Succeeded', 0)} of {info.points.total} succeeded",
                "by status": {name: count for name, count in self.counts.items() if count},
                "params": info.params,
                "expected": info.estimated_completion_at,
            },
        )


def _why(reason: str | None, message: str | None) -> str:
    return ": ".join(text for text in (reason, message) if text)
