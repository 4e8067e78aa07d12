"""Finding the place where somebody went away, in a log that is read again from a little before it (pure)."""

from simops_api.logs.position import NANO, Position
from simops_api.logs.split import Piece

_SLACK = NANO
"""How far out of order lines may be by their stamps: those of standard output and error are stamped apart."""


def since(position: Position) -> int:
    """Return from which time on, in seconds since 1970, a log must be read to find a place in it."""
    return max(0, (position.time - _SLACK) // NANO)


class Seeker:
    """Drops what comes before a place. Without one it drops nothing."""

    def __init__(self, position: Position | None) -> None:
        self._wanted = position
        self._held: list[Piece] = []
        self._shift = 0

    @property
    def seeking(self) -> bool:
        """Whether the place has not been found yet."""
        return self._wanted is not None

    def take(self, piece: Piece) -> list[Piece]:
        """Return what is new, counted in bytes as the place is."""
        wanted = self._wanted
        if wanted is None:
            return [self._moved(piece)]
        if (piece.time, piece.turn) == (wanted.time, wanted.turn):
            return self._at_its_line(wanted, piece)
        if piece.time > wanted.time:
            # Old as well if the place is still to come, new if it has been rotated away.
            self._held.append(piece)
            if piece.time > wanted.time + _SLACK:
                return self.give_up()
        return []

    def give_up(self) -> list[Piece]:
        """Return what was held back: the place will not come."""
        wanted, held = self._wanted, self._held
        self._wanted, self._held = None, []
        if held and wanted is not None:
            self._shift = wanted.next - held[0].at
        return [self._moved(piece) for piece in held]

    def _at_its_line(self, wanted: Position, piece: Piece) -> list[Piece]:
        if piece.taken < wanted.taken or (wanted.whole and not piece.whole):
            return []
        self._wanted, self._held = None, []
        self._shift = wanted.at - piece.at
        more = piece.taken - wanted.taken
        if more or piece.whole > wanted.whole:
            return [self._moved(piece._replace(data=piece.data[len(piece.data) - more :]))]
        return []

    def _moved(self, piece: Piece) -> Piece:
        return piece._replace(at=piece.at + self._shift) if self._shift else piece
