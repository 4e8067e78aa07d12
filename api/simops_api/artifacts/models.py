"""What is answered about the files of a run."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class File(BaseModel):
    """One file of a result."""

    path: Annotated[str, Field(examples=["result.csv"])]
    """Its path in the bundle."""
    bytes: Annotated[int, Field(examples=[18244])]
    crc32: Annotated[str, Field(examples=["5f1c9a03"])]
    """Checksum as the zip has it, in hexadecimal."""
    sha256: Annotated[
        str | None, Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])
    ] = None
    """Checksum. Left out when the bundle's manifest could not be stored."""
    media_type: Annotated[str, Field(examples=["text/csv"])]
    href: Annotated[str, Field(examples=["/api/v1/jobs/heat/artifacts/result.csv"])]
    """Where it is."""


class Skipped(BaseModel):
    """An output that was left out of the bundle."""

    path: Annotated[str, Field(examples=["latest"])]
    why: Annotated[str, Field(examples=["a symbolic link that points outside the outputs"])]


class BundleLink(BaseModel):
    """The bundle as a whole."""

    href: Annotated[str, Field(examples=["/api/v1/jobs/heat/result"])]
    bytes: int
    sha256: str | None = None


class LogLink(BaseModel):
    """The log."""

    href: Annotated[str, Field(examples=["/api/v1/jobs/heat/logs"])]


class ArtifactList(BaseModel):
    """What a run left."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "job": "heat",
                    "files": [
                        {
                            "path": "result.csv",
                            "bytes": 18244,
                            "crc32": "5f1c9a03",
                            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                            "media_type": "text/csv",
                            "href": "/api/v1/jobs/heat/artifacts/result.csv",
                        }
                    ],
                    "skipped": [{"path": "latest", "why": "a symbolic link that points outside the outputs"}],
                    "partial": False,
                    "bundle": {"href": "/api/v1/jobs/heat/result", "bytes": 9021},
                    "log": {"href": "/api/v1/jobs/heat/logs"},
                }
            ]
        }
    )

    job: str
    """Id of the job."""
    files: list[File]
    skipped: list[Skipped]
    """Outputs that were left out, and why."""
    partial: bool
    """Whether they were taken while the simulation still ran, as it did not stop when told to."""
    bundle: BundleLink
    log: LogLink | None = None
    """Left out when there is none."""
