"""What is in an image, read from the image itself and written as CycloneDX."""

import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from localcluster.paths import image_archive
from localcluster.progress import StepError
from simops_images.catalogue import IMAGES, ROOT, name_of
from simops_sbom import audit, cli
from simops_sbom.contents import Package, files_of, go_modules, locked, packages_of, surplus
from simops_sbom.document import document, problem_with

OS = "usr/lib/os-release"
STATUS = "var/lib/dpkg/status"
SITE = "opt/simops/lib/python3.12/site-packages"
BASE = {
    OS: 'ID=debian\nVERSION_ID="12"\n',
    STATUS: (
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u10\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n"
    ),
    "usr/local/lib/python3.12/os.py": "",
    "etc/passwd": "root",
}


def tar(files: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def image(path: Path, *layers: dict[str, Any]) -> Path:
    """A docker-archive of some layers."""
    names = [f"{number}.tar" for number in range(len(layers))]
    manifest = json.dumps([{"Config": "c.json", "RepoTags": ["a:1"], "Layers": names}])
    path.write_bytes(
        tar({"manifest.json": manifest, **{n: tar(layer) for n, layer in zip(names, layers, strict=True)}})
    )
    return path


def metadata(name: str, version: str, more: str = "") -> dict[str, str]:
    return {
        f"{SITE}/{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{more}\n"
    }


def test_an_image_tells_its_packages_of_every_kind(tmp_path: Path) -> None:
    archive = image(tmp_path / "a.tar", BASE, metadata("Typing_Extensions", "4.1", "License-Expression: PSF-2.0"))
    assert packages_of(files_of(archive)) == [
        Package("deb", "libc6", "2.36-9+deb12u10", "debian", (("arch", "amd64"), ("distro", "debian-12"))),
        Package("generic", "cpython", "3.12"),
        Package("pypi", "typing-extensions", "4.1", licence="PSF-2.0"),
    ]


def test_what_a_later_layer_deletes_or_replaces_is_not_told(tmp_path: Path) -> None:
    first = BASE | metadata("a", "1") | metadata("b", "1") | metadata("c", "1")
    later = {f"{SITE}/.wh.a-1.dist-info": "", f"{SITE}/b-1.dist-info/METADATA": "Name: b\nVersion: 2\n"}
    found = packages_of(files_of(image(tmp_path / "a.tar", first, later)))
    assert [(p.name, p.version) for p in found if p.kind == "pypi"] == [("b", "2"), ("c", "1")]
    opaque = {f"{SITE}/.wh..wh..opq": ""}
    assert not [p for p in packages_of(files_of(image(tmp_path / "b.tar", first, opaque))) if p.kind == "pypi"]


@pytest.mark.parametrize("content", [b"no tar", tar({"a": "b"})])
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(StepError, match=r"a\.tar is no docker-archive of one image"):
        files_of(tmp_path / "a.tar")


def test_what_the_lock_file_does_not_name_is_found() -> None:
    lock = "numpy==2.3.5 ; python_full_version >= '3.12' \\\n    --hash=sha256:00\nTyping_Extensions==4.1 \\\n    --hash=sha256:00\n"
    assert locked(lock) == {("numpy", "2.3.5"), ("typing-extensions", "4.1")}
    packages = [
        Package("pypi", "numpy", "2.3.5"),
        Package("pypi", "typing-extensions", "4.2"),
        Package("deb", "libc6", "1"),
    ]
    assert surplus(packages, lock) == ["typing-extensions 4.2"]


def test_go_tells_the_modules_of_a_program() -> None:
    text = (
        "/x/minio: go1.26.8\n\tpath\tgithub.com/minio/minio\n\tmod\tgithub.com/minio/minio\tv1.0.0\n"
        "\tdep\tgithub.com/a/b\tv1.2.3\th1:x=\n\tdep\tgithub.com/old/c\tv1.0.0\n\t=>\tgithub.com/new/c\tv1.1.0\th1:y=\n"
        "\tbuild\t-trimpath=true\n"
    )
    assert [(p.namespace, p.name, p.version) for p in go_modules(text)] == [
        ("github.com/a", "b", "v1.2.3"),
        ("github.com/new", "c", "v1.1.0"),
        ("github.com/minio", "minio", "v1.0.0"),
        ("", "stdlib", "1.26.8"),
    ]


MADE = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_document_is_valid_and_names_each_package_by_its_url() -> None:
    packages = [
        Package("deb", "libc6", "2.36-9+deb12u10", "debian", (("arch", "amd64"), ("distro", "debian-12"))),
        Package("pypi", "numpy", "2.3.5", licence="BSD-3-Clause AND 0BSD"),
        Package("pypi", "odd", "1", licence="as you like"),
        Package("golang", "b", "v1.2.3", "github.com/a"),
    ]
    text = document("sim:local", "0.1.0", "key", MADE, packages)
    assert problem_with(text) is None
    found = json.loads(text)
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    assert found["metadata"]["component"]["name"] == "sim:local"
    assert {c["purl"] for c in found["components"]} == {
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12",
        "pkg:pypi/numpy@2.3.5",
        "pkg:pypi/odd@1",
        "pkg:golang/github.com/a/b@v1.2.3",
    }


def test_the_same_image_has_the_same_document() -> None:
    packages = [Package("pypi", "numpy", "2.3.5")]
    one = document("sim:local", "0.1.0", "key", MADE, packages)
    assert one == document("sim:local", "0.1.0", "key", MADE, packages)
    assert one != document("sim:local", "0.1.0", "other", MADE, packages)


def test_a_document_that_is_not_valid_is_told() -> None:
    wrong = json.loads(document("sim:local", "0.1.0", "key", MADE, [Package("pypi", "numpy", "1")]))
    wrong["components"][0]["type"] = "thing"
    assert "thing" in str(problem_with(json.dumps(wrong)))


def test_an_image_that_is_not_built_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMOPS_CACHE", str(tmp_path))
    with pytest.raises(StepError, match="sim:local is not built: run `hack/images build sim`"):
        cli.write("sim", tmp_path)


@pytest.mark.parametrize("target", IMAGES)
def test_the_built_images_are_what_their_lock_files_say(target: str, tmp_path: Path) -> None:
    if not image_archive(name_of(target)).exists():
        pytest.skip(f"{name_of(target)} is not built")
    components = json.loads(cli.write(target, tmp_path).read_text(encoding="utf-8"))["components"]
    kinds = {c["purl"].partition("/")[0] for c in components}
    assert {"pkg:deb", "pkg:pypi"} <= kinds
    names = {c["name"] for c in components if c["purl"].startswith("pkg:pypi")}
    assert names <= {name for name, _ in locked((ROOT / cli.lock_of(target)).read_text(encoding="utf-8"))}
    assert "numpy" in names
    assert not names & {"pip", "setuptools", "uv", "pytest"}


def report(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(entries), "fixes": []}


FINE = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (1)"}


@pytest.mark.parametrize(
    ("entries", "code", "says"),
    [
        ([FINE], 0, "sim.lock: 1 packages, nothing known"),
        ([FINE, BAD], 1, "sim.lock: VULNERABLE b 2: CVE-1, fixed in 3"),
        ([FINE, SKIPPED], 2, "sim.lock: NOT AUDITED, no data for 1 of 2 packages: c"),
        ([BAD, SKIPPED], 1, "sim.lock: NOT AUDITED"),
    ],
)
def test_what_could_not_be_asked_is_never_told_as_safe(
    entries: list[dict[str, Any]], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.tell("sim", audit.findings(report(*entries)), "") == code
    captured = capsys.readouterr()
    assert says in captured.out + captured.err


def test_an_audit_that_cannot_ask_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.tell("sim", None, "connection refused") == audit.UNKNOWN
    captured = capsys.readouterr()
    assert "NOT AUDITED, the vulnerability data could not be asked: connection refused" in captured.out + captured.err
