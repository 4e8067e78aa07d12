"""The environment of the gateway."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simops_api.settings import SettingsError, read_settings


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "SIMOPS_AUTH_MODE",
        "SIMOPS_AUTH_REVIEWS",
        "SIMOPS_AUTH_AUDIENCES",
        "SIMOPS_STATIC_TOKENS",
        "SIMOPS_NAMESPACES",
        "DEFAULT_CONTAINER_IMAGE",
        "SIMOPS_DEFAULT_CONTAINER_IMAGE",
    ):
        monkeypatch.delenv(name, raising=False)


def test_no_sign_in_must_be_said() -> None:
    with pytest.raises(SettingsError, match=r"SIMOPS_AUTH_MODE must be set: to kubernetes.*to none: everyone"):
        read_settings()


def test_a_way_to_sign_in_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMOPS_AUTH_MODE", "token")
    with pytest.raises(SettingsError, match="SIMOPS_AUTH_MODE must be set: to kubernetes"):
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
    ("name", "value"),
    [
        ("SIMOPS_NAMESPACES", " , "),
        ("SIMOPS_WATCH_SECONDS", "0"),
        ("SIMOPS_MAX_RESOURCES", "memory=lots"),
        ("SIMOPS_LOG_LEVEL", "loud"),
        ("SIMOPS_CORS_ORIGINS", "*"),
        ("SIMOPS_CORS_ORIGINS", "https://lab.example.org/"),
        ("SIMOPS_RATE_READS", "-1"),
        ("SIMOPS_DOCS_ASSETS", "https://x.example; script-src *"),
    ],
)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("SIMOPS_AUTH_MODE", "none")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}: "):
        read_settings()


@pytest.mark.parametrize(("mode", "file"), [("static", ""), ("none", "/tokens"), ("kubernetes", "/tokens")])
def test_a_file_of_tokens_goes_with_its_mode_and_with_no_other(
    monkeypatch: pytest.MonkeyPatch, mode: str, file: str
) -> None:
    monkeypatch.setenv("SIMOPS_AUTH_MODE", mode)
    monkeypatch.setenv("SIMOPS_STATIC_TOKENS", file)
    with pytest.raises(SettingsError, match=r"^SIMOPS_STATIC_TOKENS names the file .* is static, and only then$"):
        read_settings()


@pytest.mark.parametrize(
    ("mode", "name", "value", "words"),
    [
        (
            "static",
            "SIMOPS_STATIC_TOKENS",
            "/tokens",
            "SIMOPS_AUTH_REVIEWS must be own when SIMOPS_AUTH_MODE is static",
        ),
        (
            "kubernetes",
            "SIMOPS_AUTH_AUDIENCES",
            "simops",
            "SIMOPS_AUTH_AUDIENCES must be empty when SIMOPS_AUTH_REVIEWS",
        ),
    ],
)
def test_who_asks_about_themselves_does_so_at_the_api_server(
    monkeypatch: pytest.MonkeyPatch, mode: str, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv("SIMOPS_AUTH_MODE", mode)
    monkeypatch.setenv(name, value)
    assert read_settings().auth_reviews == "own"
    monkeypatch.setenv("SIMOPS_AUTH_REVIEWS", "caller")
    with pytest.raises(SettingsError, match=f"^{words}"):
        read_settings()


def test_a_file_of_tokens_that_cannot_be_used_stops_the_start_without_showing_a_token(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("0123456789abcdefSECRET,ann\n0123456789abcdefHIDDEN,system:admin\n")
    variables = {"SIMOPS_AUTH_MODE": "static", "SIMOPS_STATIC_TOKENS": str(tokens)}
    done = subprocess.run(
        [sys.executable, "-m", "uvicorn", "simops_api.app:app", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **variables},
    )
    assert done.returncode == 1
    assert f"the gateway does not start: {tokens}: line 2: names that start with system:" in done.stderr
    assert "Traceback" not in done.stderr
    assert "SECRET" not in done.stderr
    assert "HIDDEN" not in done.stderr


def test_the_process_does_not_start_and_says_why_without_a_stack() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uvicorn", "simops_api.app:app", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "SIMOPS_AUTH_MODE must be set: to kubernetes" in done.stderr
    assert "Traceback" not in done.stderr
