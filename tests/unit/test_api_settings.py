"""The environment of the gateway."""

import subprocess
import sys

import pytest

from simops_api.settings import SettingsError, read_settings


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIMOPS_AUTH_MODE", "SIMOPS_NAMESPACES", "DEFAULT_CONTAINER_IMAGE", "SIMOPS_DEFAULT_CONTAINER_IMAGE"):
        monkeypatch.delenv(name, raising=False)


def test_no_sign_in_must_be_said() -> None:
    with pytest.raises(SettingsError, match=r"SIMOPS_AUTH_MODE must be set to none.*everyone"):
        read_settings()


def test_another_sign_in_than_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMOPS_AUTH_MODE", "token")
    with pytest.raises(SettingsError, match="SIMOPS_AUTH_MODE must be set to none"):
        read_settings()


def test_the_first_namespace_is_the_default_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMOPS_AUTH_MODE", "none")
    monkeypatch.setenv("SIMOPS_NAMESPACES", "lab, other")
    settings = read_settings()
    assert settings.namespaces == ("lab", "other")
    assert settings.default_namespace == "lab"


@pytest.mark.parametrize("name", ["SIMOPS_DEFAULT_CONTAINER_IMAGE", "DEFAULT_CONTAINER_IMAGE"])
def test_the_default_image_has_two_names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("SIMOPS_AUTH_MODE", "none")
    monkeypatch.setenv(name, "sim:local")
    assert read_settings().default_container_image == "sim:local"


@pytest.mark.parametrize(
    ("name", "value"), [("SIMOPS_NAMESPACES", " , "), ("SIMOPS_WATCH_SECONDS", "0"), ("SIMOPS_LOG_LEVEL", "loud")]
)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("SIMOPS_AUTH_MODE", "none")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}: "):
        read_settings()


def test_the_process_does_not_start_and_says_why_without_a_stack() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uvicorn", "simops_api.app:app", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "SIMOPS_AUTH_MODE must be set to none" in done.stderr
    assert "Traceback" not in done.stderr
