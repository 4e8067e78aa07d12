"""Bodies of a few megabytes that would become hundreds: of values, of names, of mistakes."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from simops_api import strict
from simops_api.jobs.requests import BulkRequest, JobRequest
from simops_api.strict import StrictRequest


def request_of(body: bytes) -> StrictRequest:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return StrictRequest({"type": "http", "method": "POST", "headers": []}, receive)


MANY: list[Callable[[], object]] = [
    lambda: {"jobs": [{"sweep": [0] * 300_000}]},
    lambda: {"jobs": [{"sweep": [{"a": []}] * 300_000}]},
    lambda: {"jobs": [{"image": 1, "env": 3, "nonsense": 4}] * 1000},
    lambda: {"jobs": [{"env": [0] * 300_000}]},
]


@pytest.mark.parametrize("many", MANY)
def test_of_many_mistakes_in_a_list_the_first_ones_are_told(many: Callable[[], object]) -> None:
    with pytest.raises(ValidationError) as caught:
        BulkRequest.model_validate(many())
    assert caught.value.error_count() < 20


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (JobRequest, {"params": {f"p{number}": [] for number in range(strict.MAX_NAMES)}}),
        (JobRequest, {f"p{number}": 0 for number in range(strict.MAX_NAMES)}),
        (JobRequest, {"space": {"axes": [{"name": "a", "values": [[]] * 10_000}] * 16}}),
    ],
)
async def test_the_mistakes_that_a_body_can_have_are_some_thousands(model: type[BaseModel], body: object) -> None:
    read = await request_of(json.dumps(body).encode()).json()
    with pytest.raises(ValidationError) as caught:
        model.model_validate(read)
    assert caught.value.error_count() <= 4 * strict.MAX_NAMES + 100


def names(count: int) -> bytes:
    return json.dumps({f"p{number}": 0 for number in range(count)}).encode()


def values(count: int) -> bytes:
    return b'{"sweep": [' + b",".join([b"0"] * count) + b"]}"


@pytest.mark.parametrize(
    ("make", "most", "status", "words"),
    [(names, strict.MAX_NAMES, 422, "names"), (values, strict.MAX_PARTS - 2, 413, "values")],
)
async def test_a_body_has_so_many_names_in_an_object_and_so_many_values(
    make: Callable[[int], bytes], most: int, status: int, words: str
) -> None:
    reading: Callable[[bytes], Awaitable[Any]] = lambda body: request_of(body).json()  # noqa: E731
    assert await reading(make(most))
    with pytest.raises(HTTPException, match=words) as caught:
        await reading(make(most + 2))
    assert caught.value.status_code == status
