"""What is answered of many jobs or sweeps whose objects are gone."""

from typing import Annotated

from pydantic import BaseModel, Field

from simops_api.jobs.models import Job
from simops_api.sweeps.models import Sweep


class _Archived(BaseModel):
    size: int
    """How many were asked for."""
    next: Annotated[str | None, Field(examples=["ODIyNzYzMzU5OS9sYWIvaGVhdC82ZjBj"])] = None
    """Give it as ``after`` for the next page. Left out: there is no more. There is no total, since the store would have to count."""


class ArchivedJobs(_Archived):
    """Some jobs whose objects are gone, the latest first. It may be fewer than were asked for, even none: ``next`` says whether that was all."""

    items: list[Job]


class ArchivedSweeps(_Archived):
    """Some sweeps whose objects are gone, as ``ArchivedJobs``."""

    items: list[Sweep]
