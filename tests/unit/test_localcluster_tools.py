import dataclasses
import io
import json
import re
import sys
import tarfile
import time
from pathlib import Path

import pytest

from localcluster import golang, images, packages, progress
from localcluster.golang import TOOLS, Tool
from localcluster.paths import cluster_paths, image_archive
from localcluster.progress import StepError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIMOPS_CACHE", str(tmp_path))
    return tmp_path


def test_a_mend_is_made_in_its_one_place_and_refused_where_the_text_is_another() -> None:
    mend = golang.Mend("a.go", "x == 1", "x == 2")
    assert golang.mended("if x == 1 {", mend) == "if x == 2 {"
    for text in ("if x == 3 {", "x == 1; x == 1"):
        with pytest.raises(StepError, match="has another text"):
            golang.mended(text, mend)


def test_a_mended_tool_is_another_file_in_the_cache() -> None:
    plain = Tool("example.com/a", "v1", "seconds")
    mended = dataclasses.replace(plain, mends=(golang.Mend("a.go", "a", "b"),))
    assert golang.cache_key(plain, "go") != golang.cache_key(mended, "go")


def test_images_are_kept_under_their_name_made_safe(own_cache: Path) -> None:
    assert image_archive("localhost/simops-operator:dev") == own_cache / "images/localhost_simops-operator_dev.tar"


@pytest.mark.parametrize("name", ["", "../x", "Upper", "a b", "-a", "a" * 40])
def test_a_cluster_name_that_could_harm_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cluster name"):
        cluster_paths(name)


@pytest.mark.parametrize(
    ("text", "version"),
    [("go version go1.26.8 linux/amd64", (1, 26)), ("go version go1.25rc1 linux/amd64", (1, 25)), ("no", None)],
)
def test_the_version_of_go_is_read(text: str, version: tuple[int, int] | None) -> None:
    assert golang.parse_go_version(text) == version


@pytest.mark.parametrize("version", [None, (1, 19)])
def test_a_missing_or_too_old_go_is_an_error_that_says_what_to_install(version: tuple[int, int] | None) -> None:
    with pytest.raises(StepError, match=r"Install Go 1\.25 or newer"):
        golang.go_environment(version)


def test_an_older_go_that_can_switch_is_told_to_fetch_the_newer_one() -> None:
    assert golang.go_environment((1, 22))["GOTOOLCHAIN"] == "auto"
    assert "GOTOOLCHAIN" not in golang.go_environment((1, 25))


def test_every_tool_is_linked_statically() -> None:
    assert golang.go_environment((1, 26))["CGO_ENABLED"] == "0"


@pytest.mark.parametrize("change", [{"version": "v2"}, {"package": "other"}, {"ldflags": ()}])
def test_a_changed_pin_builds_anew(change: dict[str, object]) -> None:
    base = Tool("example.org/x", "v1", "seconds")
    assert golang.cache_key(base, "go1") != golang.cache_key(dataclasses.replace(base, **change), "go1")  # type: ignore[arg-type]
    assert golang.cache_key(base, "go1") != golang.cache_key(base, "go2")


def test_a_changed_module_file_builds_anew(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module a")
    (tmp_path / "go.sum").write_text("")
    tool = Tool(".", "v1", "seconds", tmp_path)
    before = golang.cache_key(tool, "go1")
    (tmp_path / "go.mod").write_text("module b")
    assert golang.cache_key(tool, "go1") != before


def test_every_tool_of_this_checkout_has_its_sources() -> None:
    for tool in TOOLS.values():
        assert all(path.exists() for path in golang.sources(tool))
        assert tool.folder is None or any(path.suffix == ".go" for path in golang.sources(tool))


@pytest.mark.parametrize("name", ["kubernetes", *map(golang.apiserver_of, golang.OTHER_KUBERNETES)])
def test_the_stamped_version_is_that_of_the_module_file(name: str) -> None:
    tool = TOOLS[name]
    module = golang.sources(tool)[0].read_text()
    assert f"k8s.io/kubernetes {tool.version}\n" in module
    assert f"-X=k8s.io/component-base/version.gitVersion={tool.version}" in tool.ldflags


@pytest.mark.parametrize(("minor", "version"), golang.OTHER_KUBERNETES.items())
def test_an_api_server_of_another_version_has_no_module_of_a_third(minor: str, version: str) -> None:
    module = golang.sources(TOOLS[golang.apiserver_of(minor)])[0].read_text()
    assert version.startswith(f"v{minor}.")
    replaced = set(re.findall(r"k8s\.io/\S+ => \S+ (\S+)", module))
    assert replaced == {version.replace("v1.", "v0.", 1)}


def test_each_version_is_built_with_its_own_module_file() -> None:
    for minor in golang.OTHER_KUBERNETES:
        name = golang.apiserver_of(minor)
        assert f"-modfile=v{minor}.mod" in golang.build_command("go", name, TOOLS[name], Path("/b"))


def test_what_is_not_built_is_not_taken_for_built(own_cache: Path) -> None:
    name = golang.apiserver_of(golang.OLDEST)
    assert not golang.built(name)
    folder = own_cache / "bin" / f"{name}-{TOOLS[name].version}-{golang.cache_key(TOOLS[name], golang._go()[1])}"
    folder.mkdir(parents=True)
    (folder / name).touch()
    assert golang.built(name)
    assert golang.apiserver(golang.OLDEST) == folder / "kube-apiserver"


def test_an_unknown_tool_is_named_with_those_that_there_are() -> None:
    with pytest.raises(StepError, match="kubeconform"):
        golang.tool("nonsense")


def test_a_released_tool_is_installed_at_its_pinned_version() -> None:
    command = golang.build_command("go", "helm", TOOLS["helm"], Path("/b"))
    assert command[-1] == f"helm.sh/helm/v3/cmd/helm@{TOOLS['helm'].version}"


def test_an_image_archive_holds_the_program_and_says_how_to_run_it(tmp_path: Path) -> None:
    program = tmp_path / "hello"
    program.write_bytes(b"static")
    path = images.program_image("localhost/hello:dev", program)
    with tarfile.open(path) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(archive.extractfile(manifest[0]["Config"]))  # type: ignore[arg-type]
        layer = archive.extractfile("layer.tar").read()  # type: ignore[union-attr]
    assert manifest[0]["RepoTags"] == ["localhost/hello:dev"]
    assert config["config"]["Entrypoint"] == ["/hello"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as contents:
        assert contents.getmember("hello").mode == 0o755


def test_the_same_program_makes_the_same_archive(tmp_path: Path) -> None:
    program = tmp_path / "hello"
    program.write_bytes(b"static")
    for name in ("a", "b"):
        images.write_archive(tmp_path / name, "localhost/hello:dev", program)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_packages_are_installed_without_what_is_not_needed() -> None:
    commands = packages.install_commands(["runc"])
    assert commands[-1][-2:] == ["--no-install-recommends", "runc"]


def test_only_packages_of_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None if name in {"ctr", "containerd"} else name)
    monkeypatch.setattr(packages, "cni_plugins", lambda: None)
    assert packages.missing_packages() == ["containerd", "containernetworking-plugins"]


def test_someone_who_is_not_root_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "missing_packages", lambda: ["runc"])
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(StepError, match="missing: runc"):
        packages.ensure_packages()


@pytest.mark.parametrize(("seconds", "text"), [(6.54, "6.5 s"), (260, "4 min 20 s"), (3600, "60 min 00 s")])
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    assert progress.elapsed(seconds) == text


def test_a_step_that_is_not_on_a_terminal_shows_that_it_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.01)
    out = io.StringIO()
    with progress.step("Building", out):
        time.sleep(0.1)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("Building … ")
    assert lines[-1].startswith("Building: done in ")


def test_a_step_that_fails_says_so() -> None:
    out = io.StringIO()
    with pytest.raises(KeyError), progress.step("Building", out):
        raise KeyError
    assert out.getvalue().startswith("Building: failed after ")


def test_a_failed_command_shows_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"]
    with pytest.raises(StepError, match=r"exit code 3; the end of .*\n(.*\n)*    the reason"):
        progress.run_logged("Trying", command, tmp_path / "log", timeout=30)


def test_a_command_past_its_deadline_is_ended(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="not finished after"):
        progress.run_logged("Trying", ["sleep", "30"], tmp_path / "log", timeout=0.1)


def test_waiting_ends_with_what_was_waited_for() -> None:
    with pytest.raises(StepError, match="the moon: not after"):
        progress.wait_until("the moon", lambda: False, timeout=0.02, every=0.01)
