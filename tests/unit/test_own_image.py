"""`hack/images load`: what it refuses before it builds anything, and which cluster it loads into."""

from pathlib import Path

import pytest

from localcluster import kindprovider, native
from localcluster.progress import StepError
from simops_images import cli, own


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text(f"FROM {own.BASE}\nCOPY a /bin/a\n")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("FROM busybox:1.37\nCOPY a /a\n", {"busybox:1.37"}),
        ("# FROM nothing\nfrom --platform=linux/amd64 golang AS build\nFROM scratch\n", {"golang", "scratch"}),
        ("COPY FROM /a\n", set()),
    ],
)
def test_the_images_that_a_dockerfile_begins_with_are_found(text: str, names: set[str]) -> None:
    assert own.bases(text) == names


@pytest.mark.parametrize("name", ["oscillator", "Oscillator:1", "localhost/oscillator:", "-x:1", "a b:1"])
def test_a_name_that_cannot_be_an_images_is_refused_with_one_that_can(name: str, folder: Path) -> None:
    with pytest.raises(StepError, match=r"localhost/oscillator:1"):
        own.checked(name, folder)


def test_a_folder_without_a_dockerfile_is_refused_before_anything_is_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["load", "localhost/a:1", str(tmp_path)]) == 1
    assert str(tmp_path / "Dockerfile") in capsys.readouterr().err


def test_a_cluster_that_was_given_takes_no_images_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "kubeconfig"
    given.write_text("")
    monkeypatch.setenv("SIMOPS_KUBECONFIG", str(given))
    with pytest.raises(StepError, match="registry"):
        own.load("localhost/a:1", tmp_path / "a.tar", "simops")


@pytest.mark.parametrize(("docker", "by"), [(True, ["kind"]), (False, ["native"])])
def test_a_cluster_that_was_not_made_here_is_one_of_kind_where_docker_answers(
    docker: bool, by: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMOPS_CACHE", str(tmp_path))
    monkeypatch.delenv("SIMOPS_KUBECONFIG", raising=False)
    monkeypatch.setattr(kindprovider, "docker_answers", lambda: docker)
    asked: list[str] = []
    monkeypatch.setattr(kindprovider, "load", lambda *_: asked.append("kind"))
    monkeypatch.setattr(native, "load", lambda *_: asked.append("native"))
    archive = tmp_path / "a.tar"
    archive.write_bytes(b"")
    own.load("localhost/a:1", archive, "theirs")
    assert asked == by
