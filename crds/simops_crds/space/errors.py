"""What is wrong with a space, in words for the person who wrote it."""


class SpaceError(ValueError):
    """A space that has no points, too many, or contradicts itself.

    ``field`` is the path of what to change, such as ``spec.space.where``; ``text`` says what is wrong with it and what to do.
    """

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field
        self.text = text


SPACE = "spec.space"
AXES = "spec.space.axes"
POINTS = "spec.space.points"
SAMPLES = "spec.space.samples"
WHERE = "spec.space.where"
