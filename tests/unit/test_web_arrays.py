"""Arrays as the page reads them are those that NumPy wrote."""

import json
import subprocess
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

from simops_assets.build import BIN, WEB

READ = """
import { readFileSync, readdirSync } from "node:fs";
const { parseNpy } = await import(process.argv[1]);
const found = {};
for (const name of readdirSync(process.argv[2])) {
  const bytes = readFileSync(`${process.argv[2]}/${name}`);
  const array = parseNpy(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  found[name] = { shape: array.shape, values: [...array.values].map(String) };
}
console.log(JSON.stringify(found));
"""
KINDS = [f"{order}{kind}" for order in "<>" for kind in ("f2", "f4", "f8", "i2", "i4", "i8", "u2", "u4", "u8")]
ALL = [*KINDS, "|b1", "|i1", "|u1", "<c8", ">c16"]


def _as_the_page_reads(folder: Path) -> dict[str, dict[str, list[str]]]:
    command = [str(BIN / "node"), "--input-type=module", "-e", READ, str(WEB / "src" / "core" / "npy.ts"), str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    found: dict[str, dict[str, list[str]]] = json.loads(done.stdout)
    return found


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_each_type_order_and_shape_is_read_as_it_was_written(data: st.DataObject, tmp_path_factory: object) -> None:
    folder = tmp_path_factory.mktemp("arrays")  # type: ignore[attr-defined]
    written = {}
    for kind in ALL:
        for order in "CF":
            shape = data.draw(np_st.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
            array = data.draw(np_st.arrays(np.dtype(kind), shape)).copy(order=order)  # type: ignore[arg-type]
            name = f"{ALL.index(kind)}{order}.npy"
            np.save(folder / name, array)
            written[name] = array
    read = _as_the_page_reads(folder)
    for name, array in written.items():
        assert read[name]["shape"] == list(array.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            wanted = np.abs(array) if array.dtype.kind == "c" else array
        wide = wanted.astype(np.float64).ravel()
        numbers = np.array([float(text.replace("Infinity", "inf")) for text in read[name]["values"]], np.float64)
        if array.dtype == np.dtype("<c8"):
            np.testing.assert_allclose(numbers[np.isfinite(wide)], wide[np.isfinite(wide)], rtol=1e-6)
        else:
            np.testing.assert_allclose(numbers, wide, rtol=1e-15)
