"""Mistakes of the person who types, with the place where they are."""


class InputError(ValueError):
    """Something that was typed cannot be understood."""

    def __init__(self, what: str, text: str = "", position: int | None = None) -> None:
        """Say what is wrong, and where in the text.

        Args:
            what: what is wrong, and what would be right.
            text: what was typed.
            position: the character of it at which it goes wrong, from 0.
        """
        self.what, self.text, self.position = what, text, position
        pointer = f"\n  {text}\n  {' ' * position}^" if text and position is not None else ""
        super().__init__(f"{what}{pointer}")


class NoClusterError(InputError):
    """There is no cluster to talk to, and no gateway was named."""

    def __init__(self, found: str) -> None:
        """Say what there is instead of one."""
        self.found = f"no cluster to talk to: {found.rstrip('. ')}"
        self.remedy = "name a gateway by --server, or a kubeconfig by KUBECONFIG"
        super().__init__(f"{self.found}; {self.remedy}")
