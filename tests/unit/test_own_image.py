"""`hack/images load`: what it refuses before it builds anything, and which cluster it loads into."""

from pathlib import Path

import pytest

from localcluster import kindprovider, machine, native, providers, state
from localcluster.paths import cluster_paths
from localcluster.progress import StepError
from localcluster.state import State
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


def test_a_file_in_place_of_the_folder_is_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pendulum").write_bytes(b"a program")
    assert cli.main(["load", "localhost/a:1", str(tmp_path / "pendulum")]) == 1
    assert f"{tmp_path}/pendulum is a file: give the folder that has the Dockerfile" in capsys.readouterr().err


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without clusters and without Docker, on which nothing may be built."""
    monkeypatch.setenv("SIMOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SIMOPS_KUBECONFIG", raising=False)
    monkeypatch.setattr(kindprovider, "docker_answers", lambda: False)
    monkeypatch.setattr(cli, "build_all", lambda *_: pytest.fail("something was built"))
    return tmp_path / "cache"


def remember(name: str, *, scope: str = "node", runs: bool = True) -> None:
    alive = machine.identify(1)
    process = alive if runs else machine.Process(alive.pid, alive.started + 1, alive.boot)
    state.write_state(cluster_paths(name), State(0, scope, process))


@pytest.mark.usefixtures("cache")
def test_before_anything_is_built_it_is_said_which_clusters_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remember("newcomer")
    remember("trust3")
    remember("dead", runs=False)
    remember("lone", scope="apiserver")
    assert cli.main(["load", "localhost/a:1", str(folder)]) == 1
    said = capsys.readouterr().err
    assert said == "error: no cluster simops runs here. Running: newcomer, trust3; say --cluster NAME\n"


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("words", "how"), [([], "`make up` starts it"), (["--cluster=other"], "`make up CLUSTER=other` starts it")]
)
def test_where_no_cluster_runs_it_is_said_how_to_start_one(
    words: list[str], how: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["load", "localhost/a:1", str(folder), *words]) == 1
    assert how in capsys.readouterr().err


@pytest.mark.usefixtures("cache")
def test_clusters_that_somebody_has_made_with_kind_itself_are_among_those_that_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remember("ours")
    monkeypatch.setattr(kindprovider, "docker_answers", lambda: True)
    monkeypatch.setattr(kindprovider, "existing", lambda _: ["theirs"])
    monkeypatch.setattr(providers, "tool", Path)
    assert providers.running() == ["ours", "theirs"]
    own.expect("theirs")


class Failing:
    """An engine whose builds fail with these words."""

    def __init__(self, words: str) -> None:
        self.words = words

    def facts(self) -> list[str]:
        return []

    def build(self, *_: object) -> None: ...

    def take(self, archive: Path) -> None: ...

    def build_folder(self, *_: object) -> None:
        raise StepError(self.words)


PULL = "initializing source docker://alpine:latest: pinging container registry registry-1.docker.io"
LOOKUP = "dial tcp: lookup registry-1.docker.io on 10.0.0.53:53: no such host"


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (f'{PULL}: Get "https://registry-1.docker.io/v2/": {LOOKUP}', True),  # buildah
        (f'failed to do request: Head "https://registry-1.docker.io/v2/library/alpine/manifests/3": {LOOKUP}', True),
        ('Get "https://proxy.golang.org/x/@v/list": dial tcp: lookup proxy.golang.org: no such host', False),
        ("COPY failed: no such file", False),
    ],
)
def test_a_build_that_found_no_registry_says_which_bases_need_none(words: str, hint: bool, folder: Path) -> None:
    with pytest.raises(StepError) as error:
        own.build("localhost/a:1", folder, Failing(words), folder / "base.tar")
    assert str(error.value).startswith(words)
    assert (f"FROM {own.BASE}" in str(error.value)) == hint


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
