"""Settings: environment → one value; what is wrong is named by its variable."""

import dataclasses
import re
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from simops_operator import __main__ as program
from simops_operator.core.config import JobConfig
from simops_operator.settings import Settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SIMOPS_{name.upper()}", raising=False)


def settings(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"SIMOPS_{name.upper()}", value)
    return Settings()


def test_nothing_has_to_be_set() -> None:
    assert Settings().namespaces == ("default",)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("namespaces", "lab, other ,", ("lab", "other")),
        ("allowed_images", "sim:*,ghcr.io/lab/*", ("sim:*", "ghcr.io/lab/*")),
        ("allowed_images", "", ()),
        ("require_digest", "true", True),
        ("runtime_class_name", "gvisor", "gvisor"),
        ("max_resources", "cpu=64, nvidia.com/gpu=8", (("cpu", "64"), ("nvidia.com/gpu", "8"))),
        ("max_resources", "", ()),
        ("image_pull_secrets", "a", ("a",)),
        ("store_secret", "", ""),
        ("store_create_bucket", "false", False),
        ("workers", "4", 4),
        ("ttl_seconds_after_finished", "0", 0),
        ("http_port", "0", 0),
    ],
)
def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: Any) -> None:
    assert getattr(settings(monkeypatch, **{name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("namespaces", " , "),
        ("workers", "0"),
        ("workers", "many"),
        ("run_as_user", "0"),
        ("http_port", "70000"),
        ("termination_grace_seconds", "1"),
        ("max_timeout_seconds", "0"),
        ("max_resources", "cpu"),
        ("max_resources", "cpu=1"),  # less than the default limit
        ("log_limit_bytes", "10"),
        ("store_create_bucket", "perhaps"),
        ("resync_seconds", "1.5"),
    ],
)
def test_a_wrong_value_ends_the_program_with_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    monkeypatch.setenv(f"SIMOPS_{name.upper()}", text)
    monkeypatch.setattr("kopf.configure", lambda **_: pytest.fail("it starts with this value"))
    with pytest.raises(SystemExit) as end:
        program.main()
    assert end.value.code == 2
    assert re.match(rf"SIMOPS_{name.upper()}: \S+", capsys.readouterr().err)


def test_what_a_simulation_gets_that_asks_for_nothing_is_no_more_than_what_it_may_ask_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert settings(monkeypatch, max_resources="cpu=2,memory=2Gi").max_resources
    with pytest.raises(
        ValidationError, match="the default limit of a simulation that gives none is above it: memory: 2Gi"
    ):
        settings(monkeypatch, max_resources="memory=1Gi")
    with pytest.raises(ValidationError, match=r"the default request .* is above it: memory: 3Gi is more than 2Gi"):
        settings(monkeypatch, max_resources="memory=2Gi", default_memory_request="3Gi")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().workers = 3  # type: ignore[misc]


def test_everything_that_shapes_jobs_reaches_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings(
        monkeypatch, allowed_images="a,b", require_digest="true", runtime_class_name="kata", stop_seconds="7"
    ).job_config()
    assert (config.allowed_images, config.require_digest) == (("a", "b"), True)
    assert (config.runtime_class_name, config.stop_seconds) == ("kata", 7)


def test_the_core_and_the_settings_have_the_same_defaults() -> None:
    assert Settings().job_config() == JobConfig()
    assert {f.name for f in dataclasses.fields(JobConfig)} <= set(Settings.model_fields)


def test_the_program_needs_no_arguments() -> None:
    assert "simops_operator.handlers" in sys.modules
