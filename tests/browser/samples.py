"""Files as simulations leave them."""

import io

import numpy as np

# A picture of one black point.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c6360606000000004000146a8f5c0"
    "0000000049454e44ae426082"
)
TABLE = b"t,temperature\n0,100\n1,87.5\n"


def array() -> bytes:
    """Return an `.npy` file: a curve."""
    made = io.BytesIO()
    np.save(made, np.linspace(0, 1, 50) ** 2)
    return made.getvalue()
