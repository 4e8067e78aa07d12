"""Results of Pods that have ended: by the message of the bundle container where that tells all, else from the store."""

from collections.abc import Sequence

from simops_operator.core.sweeps.books import Round, Why
from simops_operator.core.sweeps.results import Gathered, Message, Pack, corrected, lines_of, loss_of, parse_message
from simops_operator.core.sweeps.views import PackPod
from simops_operator.sweeps.shelf import Shelf
from simops_operator.sweeps.together import Together


async def collect(
    shelf: Shelf, this: Round, before: Gathered, pods: Sequence[PackPod], together: Together
) -> tuple[Gathered, Why | None]:
    """Return the results with those of some Pods, and what became of the last Pod that left none.

    Raises:
        StoreError: the store does not answer.
    """
    found = await together([_pack_of(shelf, this, before, pod) for pod in pods])
    losses = [loss_of(pod.pod, _message(pod)) for pod, pack in zip(pods, found, strict=True) if pack.is_lost]
    return before.take(this, found), losses[-1] if losses else None


def _message(pod: PackPod) -> Message | None:
    ended = pod.pod.bundle.terminated
    return parse_message(ended.message) if ended is not None else None


async def _pack_of(shelf: Shelf, this: Round, before: Gathered, pod: PackPod) -> Pack:
    name, view = pod.pod.name, pod.pod
    message = _message(pod)
    told = message if message is not None and message.stored else None
    lines = told.lines if told is not None else None
    own = this.points_of(pod.pack)
    if lines is None:
        is_news = bool((own - before.results.ended).ranges)
        # A Pod of which no container has started left nothing.
        began = view.started or view.bundle.started or view.gone
        # Its metrics are in the store alone when they were too long for the message.
        lines = await shelf.read_lines(this.number, pod.pack, name, own) if is_news and began else ()
        if not lines and told is not None:
            lines = lines_of(told, own) or ()
        is_whole = not is_news
    else:
        is_whole = message is not None and not message.missing
    taken_away = view.deleting or view.disrupted or view.gone
    return Pack(
        name,
        pod.pack,
        corrected((line for line in lines if line["index"] in own), view.simulation.terminated),
        f"{shelf.folder(this.number, pod.pack)}/{name}.zip",
        is_lost=not lines and not is_whole and not taken_away,
    )
