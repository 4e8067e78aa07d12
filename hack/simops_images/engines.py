"""Builds a target of the Dockerfile: with Docker where an engine answers, else with buildah, which needs no daemon.

buildah keeps everything below the cache folder and works in namespaces of its own, so nothing is left on the machine.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from localcluster.kindprovider import docker_answers
from localcluster.paths import cache, log_file
from localcluster.progress import StepError, run_logged, say
from simops_images.base import PRIVATELY, Base, base_image
from simops_images.catalogue import ROOT, SOURCE_DATE_EPOCH, Image

BUILD_TIMEOUT = 30 * 60
DOCKER_PYTHON_IMAGE = "python:3.12-slim"
PROGRAMS = {"buildah": "buildah", "debootstrap": "debootstrap", "unshare": "util-linux", "tar": "tar"}
CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
# Old layers of changed code pile up; beyond this they are all dropped, which costs one whole build.
STORAGE_LIMIT = 8 << 30
# Nothing is pulled from anywhere that asks for a signature, and the machine's own policy file may not exist.
SIGNATURE_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}\n'


class Engine(Protocol):
    """Something that builds images."""

    def facts(self) -> list[str]:
        """Return what decides an image's content beside its files."""

    def build(self, image: Image, archive: Path) -> None:
        """Build an image and write its docker-archive."""

    def take(self, archive: Path) -> None:
        """Let later builds begin with the image of a docker-archive."""

    def build_folder(self, folder: Path, name: str, archive: Path) -> None:
        """Build the Dockerfile of any folder and write the image's docker-archive."""


def certificates() -> str | None:
    """Return the file of certificates that this machine trusts."""
    given = (os.environ.get("SSL_CERT_FILE"), os.environ.get("PIP_CERT"), *CERTIFICATES)
    return next((path for path in given if path and Path(path).is_file()), None)


def build_options(python_image: str) -> list[str]:
    """Return the options that Docker and buildah share; values of the environment are named, not shown."""
    options = [f"--build-arg=PYTHON_IMAGE={python_image}", f"--build-arg=SOURCE_DATE_EPOCH={SOURCE_DATE_EPOCH}"]
    options += [f"--build-arg={name}" for name in ("PIP_INDEX_URL", *PROXIES) if os.environ.get(name)]
    if trusted := certificates():
        options.append(f"--secret=id=certificates,src={trusted}")
    return options


class Docker:
    """Builds with a Docker engine; the images are in its own store too."""

    def __init__(self, python_image: str | None) -> None:
        self.python_image = python_image or DOCKER_PYTHON_IMAGE

    def facts(self) -> list[str]:
        """Return the engine and its base image."""
        return ["docker", self.python_image]

    def build(self, image: Image, archive: Path) -> None:
        """Build an image and save it."""
        command = [
            "docker",
            "build",
            f"--target={image.target}",
            f"--tag={image.name}",
            *build_options(self.python_image),
            ".",
        ]
        log = log_file(f"image-{image.target}")
        run_logged(
            f"Building {image.name}", command, log, timeout=BUILD_TIMEOUT, env={"DOCKER_BUILDKIT": "1"}, cwd=ROOT
        )
        self._save(image.name, archive)

    @staticmethod
    def _save(name: str, archive: Path) -> None:
        save = ["docker", "save", f"--output={archive}", name]
        run_logged(f"Saving {name}", save, log_file("image-save"), timeout=BUILD_TIMEOUT)

    def take(self, archive: Path) -> None:
        """Load the image of a docker-archive into Docker's own store."""
        command = ["docker", "load", f"--input={archive}"]
        run_logged(f"Taking {archive.stem}", command, log_file("image-take"), timeout=BUILD_TIMEOUT)

    def build_folder(self, folder: Path, name: str, archive: Path) -> None:
        """Build the Dockerfile of a folder and save the image."""
        command = ["docker", "build", f"--tag={name}", "."]
        environment = {"DOCKER_BUILDKIT": "1"}
        run_logged(
            f"Building {name}", command, log_file("image-own"), timeout=BUILD_TIMEOUT, env=environment, cwd=folder
        )
        self._save(name, archive)


class Buildah:
    """Builds with buildah as root, on a base image made on this machine unless another is given."""

    def __init__(self, python_image: str | None) -> None:
        ensure_programs()
        self.storage = cache() / "images" / "buildah"
        self.policy = self.storage / "policy.json"
        self.base: Base | None = None if python_image else base_image()
        self.python_image = self.base.name if self.base else str(python_image)
        self._driver: str | None = None

    def facts(self) -> list[str]:
        """Return the engine and its base image."""
        return ["buildah", self.python_image, self.base.key if self.base else ""]

    def _options(self, driver: str) -> list[str]:
        return [f"--root={self.storage / 'root'}", f"--runroot={self.storage / 'run'}", f"--storage-driver={driver}"]

    def _command(self, *arguments: str) -> list[str]:
        return [*PRIVATELY, "buildah", *self._options(self.driver()), *arguments]

    def driver(self) -> str:
        """Return the storage driver that works here: overlay is fast, vfs works everywhere."""
        if self._driver is None:
            self._drop_if_full()
            self.storage.mkdir(parents=True, exist_ok=True)
            self.policy.write_text(SIGNATURE_POLICY)
            works = [*PRIVATELY, "buildah", *self._options("overlay"), "info"]
            done = subprocess.run(works, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
            self._driver = "vfs" if done.returncode else "overlay"
        return self._driver

    def _drop_if_full(self) -> None:
        if not self.storage.is_dir():
            return
        used = subprocess.run(["du", "-sk", self.storage], capture_output=True, text=True, timeout=120, check=False)
        if used.returncode == 0 and int(used.stdout.split()[0]) * 1024 > STORAGE_LIMIT:
            say("Dropping the old layers of images")
            shutil.rmtree(self.storage)

    def _import_base(self) -> None:
        if self.base is None:
            return
        marker = self.storage / "base"
        if marker.exists() and marker.read_text() == self.base.key:
            return
        command = " && ".join(
            (
                'container=$("$@" from --signature-policy="$policy" scratch)',
                '"$@" add --quiet "$container" "$archive" /',
                '"$@" commit --quiet --signature-policy="$policy" --rm --timestamp="$time" "$container" "$name"',
            )
        )
        environment = {
            "policy": str(self.policy),
            "archive": str(self.base.archive),
            "time": str(SOURCE_DATE_EPOCH),
            "name": self.base.name,
        }
        shell = [*PRIVATELY, "sh", "-euc", command, "sh", "buildah", *self._options(self.driver())]
        run_logged(
            f"Importing {self.base.name}", shell, log_file("base-import"), timeout=BUILD_TIMEOUT, env=environment
        )
        marker.write_text(self.base.key)

    def build(self, image: Image, archive: Path) -> None:
        """Build an image and export it under the name that Pods use."""
        self.driver()
        self._import_base()
        common = [f"--signature-policy={self.policy}"]
        options = [
            *common,
            "--layers",
            "--isolation=chroot",
            f"--timestamp={SOURCE_DATE_EPOCH}",
            f"--target={image.target}",
        ]
        command = self._command("build", *options, f"--tag={image.name}", *build_options(self.python_image), ".")
        run_logged(
            f"Building {image.name}", command, log_file(f"image-{image.target}"), timeout=BUILD_TIMEOUT, cwd=ROOT
        )
        self._export(image.name, archive)

    def _export(self, name: str, archive: Path) -> None:
        policy = f"--signature-policy={self.policy}"
        export = self._command("push", "--quiet", policy, name, f"docker-archive:{archive}:{name}")
        run_logged(f"Exporting {name}", export, log_file("image-export"), timeout=BUILD_TIMEOUT)

    def take(self, archive: Path) -> None:
        """Import the image of a docker-archive."""
        self.driver()
        policy = f"--signature-policy={self.policy}"
        command = self._command("pull", "--quiet", policy, f"docker-archive:{archive}")
        run_logged(f"Taking {archive.stem}", command, log_file("image-take"), timeout=BUILD_TIMEOUT)

    def build_folder(self, folder: Path, name: str, archive: Path) -> None:
        """Build the Dockerfile of a folder and export the image."""
        self.driver()
        options = [f"--signature-policy={self.policy}", "--layers", "--isolation=chroot", f"--tag={name}"]
        command = self._command("build", *options, ".")
        run_logged(f"Building {name}", command, log_file("image-own"), timeout=BUILD_TIMEOUT, cwd=folder)
        self._export(name, archive)


def install(packages: Sequence[str]) -> None:
    """Install Debian packages, saying so first."""
    say(f"Installing Debian packages: {' '.join(packages)}")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-o", "DPkg::Lock::Timeout=600", "-y", "-q", "--no-install-recommends", *packages],
    ):
        log = log_file(f"apt-images-{command[1]}")
        run_logged(" ".join(command), command, log, timeout=15 * 60, env=environment)


def ensure_programs() -> None:
    """Install buildah and what it needs, or say what is missing."""
    missing = sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})
    if os.geteuid() != 0:
        needs = f" and the Debian packages {' '.join(missing)}" if missing else ""
        msg = f"no Docker engine answers `docker info`; without one, building images needs root{needs}"
        raise StepError(msg)
    if not missing:
        return
    if shutil.which("apt-get") is None:
        msg = f"no Docker engine answers `docker info`, and these Debian packages are missing: {' '.join(missing)}"
        raise StepError(msg)
    install(missing)


def choose(name: str | None, python_image: str | None) -> Engine:
    """Return the engine that was asked for, or the first that works."""
    if name == "docker" or (name is None and docker_answers()):
        return Docker(python_image)
    return Buildah(python_image)


def age(path: Path) -> str:
    """Return how old a file is, roughly."""
    minutes = int((time.time() - path.stat().st_mtime) / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
