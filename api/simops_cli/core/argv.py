"""Options that hold for every command may stand anywhere on the line, as kubectl's may (pure)."""

from collections.abc import Sequence

VALUED = ("--server", "--token-file", "--namespace", "-n", "--ca", "--kubeconfig", "--context")
FLAGS = ("--direct", "--quiet", "-q")


def hoisted(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with those of every command first, where the parser expects them; what follows ``--`` is left alone."""
    front: list[str] = []
    rest: list[str] = []
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word == "--":
            rest += [word, *left]
            break
        if word in FLAGS or (word.partition("=")[0] in VALUED and "=" in word):
            front.append(word)
        elif word in VALUED and left and left[0] != "--":
            front += [word, left.pop(0)]
        elif word.startswith("-n") and not word.startswith("--") and len(word) > 2:
            front += ["-n", word[2:]]
        else:
            rest.append(word)
    return [*front, *rest]
