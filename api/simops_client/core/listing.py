"""Lists, page by page, as one iteration."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from simops_client.core.flow import Flow, Give, Items
from simops_client.core.requests import Query, Request, query_of
from simops_client.core.session import Session
from simops_client.models import JobInfo, Point, SweepInfo

M = TypeVar("M", bound=JobInfo | SweepInfo | Point)
T = TypeVar("T")

PAGE_SIZE = 200


class Page(BaseModel, Generic[M]):
    """One page. Lists of what is archived have ``next``; the others have ``total``."""

    items: list[M]
    page: int | None = None
    size: int = PAGE_SIZE
    total: int | None = None
    next: str | None = None


def items_of(
    session: Session[Any, Any],
    model: type[M],
    path: str,
    query: Query,
    made: Callable[[M], T],
    page_size: int = PAGE_SIZE,
) -> Items[T]:
    """Give what a list has, fetching one page after another as they are needed.

    What is made while it is read moves what is on the pages; nothing is given twice for that.

    Raises:
        SimOpsError: a page could not be read.
    """
    pages: Any = Page[model]  # type: ignore[valid-type]
    given: set[str] = set()
    more = query_of(page=1)
    number = 1
    while more:
        request = Request("GET", path, (*query, *more, ("size", str(page_size))))
        page: Page[M] = yield from session.read(pages, request)
        for item in page.items:
            if (identity := item.id) not in given:
                given.add(identity)
                yield Give(made(item))
        number += 1
        has_more = page.total is not None and (number - 1) * page.size < page.total and page.items
        more = query_of(after=page.next) if page.next else query_of(page=number) if has_more else ()


def count_of(session: Session[Any, Any], model: type[M], path: str, query: Query) -> Flow[int]:
    """Return how many a list has, by a page of one.

    Raises:
        SimOpsError: it could not be read.
    """
    pages: Any = Page[model]  # type: ignore[valid-type]
    page: Page[M] = yield from session.read(pages, Request("GET", path, (*query, ("size", "1"))))
    return page.total or 0
