// Arrays of NumPy as they stand in .npy files, format 1.0 to 3.0 (pure).

/** An array: its values as numbers, in C order. Of complex numbers they are the magnitudes. */
export interface NdArray {
  /** As NumPy writes it: `<f8`, `|b1`. */
  dtype: string;
  shape: number[];
  values: Float64Array;
  isComplex: boolean;
}

/** A file that is damaged, or that cannot be shown; its sentence is for the person. */
export class NpyError extends Error {
  override readonly name = "NpyError";
}

/** More values than this are not read. */
export const MOST_VALUES = 20_000_000;
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const MOST_HEADER = 1 << 20;
const MOST_AXES = 64;

type Read = (view: DataView, at: number, little: boolean) => number;

const READERS: Readonly<Record<string, Read>> = {
  b1: (view, at) => (view.getUint8(at) ? 1 : 0),
  i1: (view, at) => view.getInt8(at),
  u1: (view, at) => view.getUint8(at),
  i2: (view, at, little) => view.getInt16(at, little),
  u2: (view, at, little) => view.getUint16(at, little),
  i4: (view, at, little) => view.getInt32(at, little),
  u4: (view, at, little) => view.getUint32(at, little),
  i8: (view, at, little) => Number(view.getBigInt64(at, little)),
  u8: (view, at, little) => Number(view.getBigUint64(at, little)),
  f2: (view, at, little) => half(view.getUint16(at, little)),
  f4: (view, at, little) => view.getFloat32(at, little),
  f8: (view, at, little) => view.getFloat64(at, little),
  c8: (view, at, little) => Math.hypot(view.getFloat32(at, little), view.getFloat32(at + 4, little)),
  c16: (view, at, little) => Math.hypot(view.getFloat64(at, little), view.getFloat64(at + 8, little)),
};

/** Return the number of 16 bits (IEEE 754 half precision). */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

interface Header {
  descr: string;
  isFortran: boolean;
  shape: number[];
}

/**
 * Read an array.
 *
 * Throws NpyError for a file that is no array, is cut off, is of another type, or has more than `most` values.
 */
export function parseNpy(content: ArrayBuffer, most = MOST_VALUES): NdArray {
  const bytes = new Uint8Array(content);
  if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte)) throw new NpyError("This is no array of NumPy: its first bytes are others.");
  const view = new DataView(content);
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3) throw new NpyError(`The format ${version}.${bytes[7]} of this array is not known; 1.0 to 3.0 are.`);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) throw new NpyError("The file ends within its header.");
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MOST_HEADER) throw new NpyError("The header of this array is longer than that of any array that can be shown.");
  if (bytes.length < start + length) throw new NpyError("The file ends within its header.");
  const text = new TextDecoder(version === 3 ? "utf-8" : "latin1").decode(bytes.subarray(start, start + length));
  return read(view, start + length, headerOf(text), most);
}

/** Read the header, a dict as Python writes it. */
function headerOf(text: string): Header {
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  if (descr === undefined) {
    if (/'descr'\s*:\s*\[/.test(text)) throw new NpyError("An array of records (several fields) cannot be shown.");
    throw new NpyError("The header of this array is damaged: it names no type.");
  }
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const dimensions = /'shape'\s*:\s*\(([^)]*)\)/.exec(text)?.[1];
  if (order === undefined || dimensions === undefined) throw new NpyError("The header of this array is damaged: it lacks the order or the shape.");
  const parts = dimensions.split(",").map((part) => part.trim()).filter((part, i, all) => part !== "" || (i > 0 && i < all.length - 1));
  if (parts.length > MOST_AXES || parts.some((part) => !/^\d{1,15}L?$/.test(part))) throw new NpyError("The header of this array is damaged: its shape cannot be read.");
  return { descr, isFortran: order === "True", shape: parts.map((part) => Number.parseInt(part, 10)) };
}

function read(view: DataView, start: number, header: Header, most: number): NdArray {
  const { descr, shape } = header;
  const [, order, kind] = /^([<>|=]?)(.+)$/.exec(descr) ?? [];
  const reader = READERS[kind ?? ""];
  if (!reader || kind === undefined) throw new NpyError(`Values of type ${descr} cannot be shown; numbers and booleans can.`);
  const size = Number(kind.slice(1));
  const total = shape.reduce((product, one) => product * one, 1);
  if (total > most) throw new NpyError(`The array has ${total.toLocaleString("en-US")} values; at most ${most.toLocaleString("en-US")} are shown.`);
  const there = view.byteLength - start;
  if (there < total * size) throw new NpyError(`The file is cut off: ${total * size} bytes of values should be there, ${there} are.`);
  const values = new Float64Array(total);
  const little = order !== ">";
  for (let i = 0, at = start; i < total; i += 1, at += size) values[i] = reader(view, at, little);
  return { dtype: descr, shape, values: header.isFortran ? fromFortran(values, shape) : values, isComplex: kind.startsWith("c") };
}

/** Return values in C order that were in Fortran's: there the first index is the fastest. */
function fromFortran(values: Float64Array, shape: readonly number[]): Float64Array {
  if (shape.length < 2) return values;
  const ordered = new Float64Array(values.length);
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, one) => product * one, 1));
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < ordered.length; to += 1) {
    ordered[to] = values[from] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      const next = (index[axis] ?? 0) + 1;
      const stride = strides[axis] ?? 0;
      if (next < (shape[axis] ?? 0)) {
        index[axis] = next;
        from += stride;
        break;
      }
      from -= (next - 1) * stride;
      index[axis] = 0;
    }
  }
  return ordered;
}

/** Return one plane of the last two axes of an array; `at` are the indexes of the axes before them (0 where none is given). */
export function planeOf(array: NdArray, at: readonly number[] = []): NdArray {
  const before = array.shape.slice(0, -2);
  if (!before.length) return array;
  const shape = array.shape.slice(-2);
  const size = shape.reduce((product, one) => product * one, 1);
  const offset = before.reduce((sum, length, axis) => sum * length + Math.min(Math.max(0, at[axis] ?? 0), Math.max(0, length - 1)), 0);
  return { ...array, shape, values: array.values.subarray(offset * size, (offset + 1) * size) };
}
