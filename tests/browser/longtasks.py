"""How long the page keeps the browser from answering: its longest task, as the browser tells of those that take 50 ms or more (Long Tasks API)."""

from collections.abc import Callable

from playwright.sync_api import Page

SHORTEST_MS = 50.0
"""Tasks that are shorter are no long ones, and nobody tells of them."""
_REPEATS = 3
_WATCH = """
(() => {
  const tasks = [];
  const take = entries => tasks.push(...entries.map(entry => entry.duration));
  const observer = new PerformanceObserver(list => take(list.getEntries()));
  observer.observe({ type: "longtask", buffered: true });
  window.longTasks = {
    forget: () => { observer.takeRecords(); tasks.length = 0; },
    longest: () => { take(observer.takeRecords()); return Math.max(0, ...tasks); },
  };
})()
"""


def watch_tasks(page: Page) -> None:
    """Let each document of a page remember its long tasks."""
    page.add_init_script(_WATCH)


def forget_tasks(page: Page) -> None:
    """Remember those from now on alone."""
    page.evaluate("longTasks.forget()")


def longest_task(page: Page, act: Callable[[], None]) -> float:
    """Return the milliseconds of the longest task while something is done.

    Of several times the shortest: a machine that has something else to do makes tasks longer, not shorter. At least those that can be told of.
    """

    def once() -> float:
        act()
        longest: float = page.evaluate("longTasks.longest()")
        return longest

    return max(SHORTEST_MS, min(once() for _ in range(_REPEATS)))
