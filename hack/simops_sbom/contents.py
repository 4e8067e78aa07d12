"""Reads what an image has in it: packages of Debian, distributions of Python, modules of a Go program."""

import json
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import IO, cast

from localcluster.progress import StepError

STATUS = "var/lib/dpkg/status"
RELEASE = "usr/lib/os-release"
METADATA = re.compile(r"/site-packages/[^/]+\.dist-info/METADATA$")
INTERPRETER = re.compile(r"^usr/(?:local/)?lib/python(3\.\d+)/os\.py$")


@dataclass(frozen=True, order=True)
class Package:
    """One thing that an image has in it: its kind is that of a package URL (deb, pypi, golang, generic)."""

    kind: str
    name: str
    version: str
    namespace: str = ""
    qualifiers: tuple[tuple[str, str], ...] = ()
    licence: str = ""


def _wanted(name: str) -> bool:
    return name in (STATUS, RELEASE) or bool(METADATA.search(name) or INTERPRETER.match(name))


def files_of(archive: Path) -> dict[str, bytes]:
    """Return the files of a docker-archive that say what is in it, as its layers leave them.

    Raises:
        StepError: it is no docker-archive.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive) as outer:
            (manifest,) = json.load(cast(IO[bytes], outer.extractfile("manifest.json")))
            for layer in manifest["Layers"]:
                with tarfile.open(fileobj=outer.extractfile(layer)) as inner:
                    _lay(inner, found)
    except (KeyError, ValueError, tarfile.TarError) as error:
        raise StepError(
            f"{archive} is no docker-archive of one image: {error}; build it again by `hack/images build`"
        ) from None
    return found


def _lay(layer: tarfile.TarFile, found: dict[str, bytes]) -> None:
    """Put a layer over those below it; what it deletes is marked by a name that starts with `.wh.`."""
    for member in layer:
        path = PurePosixPath(member.name.removeprefix("./"))
        if path.name.startswith(".wh."):
            gone = (
                str(path.parent) if path.name == ".wh..wh..opq" else str(path.parent / path.name.removeprefix(".wh."))
            )
            for name in [name for name in found if name == gone or name.startswith(f"{gone}/")]:
                del found[name]
        elif member.isfile() and _wanted(str(path)):
            found[str(path)] = cast(IO[bytes], layer.extractfile(member)).read()


def packages_of(files: dict[str, bytes]) -> list[Package]:
    """Return the packages that an image's own records tell of, sorted."""
    distribution = _release(files.get(RELEASE, b"").decode())
    debian = list(_debian(files.get(STATUS, b"").decode(), distribution))
    out = [*debian, *_python(files)]
    # Docker's Python images bring an interpreter that is no package of the distribution.
    if not any(p.name.startswith("python3.") for p in debian):
        versions = {found[1] for name in files if (found := INTERPRETER.match(name))}
        out += [Package("generic", "cpython", version) for version in versions]
    return sorted(set(out))


def _release(text: str) -> tuple[str, str]:
    fields = {name: value.strip('"') for name, _, value in (line.partition("=") for line in text.splitlines())}
    return fields.get("ID", "debian"), fields.get("VERSION_ID", "")


def _debian(status: str, distribution: tuple[str, str]) -> Iterator[Package]:
    name, version = distribution
    for stanza in status.split("\n\n"):
        fields = HeaderParser().parsestr(stanza.strip("\n"))
        if not (fields.get("Status") or "").endswith(" installed"):
            continue
        distro = f"{name}-{version}" if version else name
        qualifiers = (("arch", fields["Architecture"]), ("distro", distro))
        yield Package("deb", fields["Package"], fields["Version"], name, qualifiers)


def _python(files: dict[str, bytes]) -> Iterator[Package]:
    for path, content in files.items():
        if METADATA.search(path):
            fields = HeaderParser().parsestr(content.decode(errors="replace"))
            yield Package(
                "pypi", normal(fields["Name"]), fields["Version"], licence=fields.get("License-Expression") or ""
            )


def normal(name: str) -> str:
    """Return a name of a Python distribution as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(text: str) -> set[tuple[str, str]]:
    """Return names and versions of a lock file, whatever platform each is for."""
    return {
        (normal(name), version) for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)
    }


def surplus(packages: Iterable[Package], lock: str) -> list[str]:
    """Return the Python distributions of an image that its lock file does not name in this version."""
    known = locked(lock)
    return [f"{p.name} {p.version}" for p in packages if p.kind == "pypi" and (p.name, p.version) not in known]


def modules_of(program: Path, go: str = "go") -> list[Package]:
    """Return the Go modules that a program was built from, as Go itself wrote them into it.

    Raises:
        StepError: it is no Go program, or Go is missing.
    """
    try:
        done = subprocess.run([go, "version", "-m", str(program)], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise StepError(f"cannot read the modules of {program}: {error}") from None
    return go_modules(done.stdout)


def go_modules(text: str) -> list[Package]:
    """Return the modules in what `go version -m` prints; a replacement counts, and not what it replaces."""
    out: list[Package] = []
    lines = [line.split("\t")[1:] for line in text.splitlines()[1:]]
    for fields in lines:
        if fields[0] == "=>":
            out.pop()
        if fields[0] in ("mod", "dep", "=>") and len(fields) > 2:
            namespace, _, name = fields[1].rpartition("/")
            out.append(Package("golang", name, fields[2], namespace))
    compiler = text.splitlines()[0].rpartition(" ")[2]
    return sorted({*out, Package("golang", "stdlib", compiler.removeprefix("go"))})
