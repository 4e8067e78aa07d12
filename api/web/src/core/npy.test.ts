import assert from "node:assert/strict";
import { test } from "node:test";
import { NpyError, parseNpy, planeOf } from "./npy.ts";

function npy(header: string, values: Uint8Array = new Uint8Array(), version = 1): ArrayBuffer {
  const text = new TextEncoder().encode(header);
  const start = version === 1 ? 10 : 12;
  const file = new Uint8Array(start + text.length + values.length);
  file.set([0x93, ...new TextEncoder().encode("NUMPY"), version, 0]);
  const view = new DataView(file.buffer);
  if (version === 1) view.setUint16(8, text.length, true);
  else view.setUint32(8, text.length, true);
  file.set(text, start);
  file.set(values, start + text.length);
  return file.buffer;
}

const head = (descr: string, shape: string, fortran = "False"): string => `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;

test("an array of half precision has its numbers", () => {
  const bits = new Uint8Array(new Uint16Array([0x3c00, 0xc000, 0x0001, 0x7c00, 0x7e00]).buffer);
  assert.deepEqual([...parseNpy(npy(head("<f2", "(5,)"), bits)).values], [1, -2, 2 ** -24, Number.POSITIVE_INFINITY, Number.NaN]);
});

test("a plane of an array of four axes is the one that its indexes name", () => {
  const values = new Uint8Array(Float64Array.from({ length: 24 }, (_, i) => i).buffer);
  const array = parseNpy(npy(head("<f8", "(2, 2, 2, 3)"), values, 2));
  assert.deepEqual([...planeOf(array, [1, 0]).values], [12, 13, 14, 15, 16, 17]);
  assert.deepEqual(planeOf(array, [1, 0]).shape, [2, 3]);
  assert.deepEqual([...planeOf(array, [9, 9]).values], [18, 19, 20, 21, 22, 23]);
});

for (const [what, file, words] of [
  ["no array", new TextEncoder().encode("index,value\n1,2\n").buffer, /no array of NumPy/],
  ["an empty file", new ArrayBuffer(0), /no array of NumPy/],
  ["a later format", npy(head("<f8", "(1,)"), new Uint8Array(8), 9), /format 9\.0/],
  ["a file that ends within its values", npy(head("<f8", "(3,)"), new Uint8Array(23)), /cut off: 24 bytes/],
  ["a file that ends within its header", npy(head("<f8", "(3,)")).slice(0, 30), /ends within its header/],
  ["objects", npy(head("|O", "(1,)"), new Uint8Array(8)), /type \|O/],
  ["texts", npy(head("<U3", "(1,)"), new Uint8Array(12)), /type <U3/],
  ["records", npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }"), /records/],
  ["a header without a shape", npy("{'descr': '<f8', 'fortran_order': False}"), /lacks the order or the shape/],
  ["a shape that is none", npy(head("<f8", "(-1,)"), new Uint8Array(8)), /shape cannot be read/],
  ["far too many values", npy(head("<f8", "(99999999, 99999999)")), /at most 20,000,000/],
] as [string, ArrayBuffer, RegExp][]) {
  test(`${what} is refused with a sentence`, () => {
    assert.throws(() => parseNpy(file), (error: unknown) => error instanceof NpyError && words.test(error.message));
  });
}
