/** Whether bytes start like a ModelProto. */

/** Fields of ModelProto by number: [wire type, whether it is one line of text]. */
const FIELDS: ReadonlyMap<number, readonly [wireType: number, text: boolean]> = new Map([
  [1, [0, false]],
  [2, [2, true]],
  [3, [2, true]],
  [4, [2, true]],
  [5, [0, false]],
  [6, [2, false]],
  [7, [2, false]],
  [8, [2, false]],
  [14, [2, false]],
  [20, [2, false]],
  [25, [2, false]],
  [26, [2, false]],
]);

/**
 * Looks at the fields in `head`, the first bytes of a file, until one reaches past it. ONNX has no magic number: a model starts with
 * its IR version, and goes on with fields that a ModelProto has and, where they are text, printable text. That tells it from other
 * protobuf files that start with a number too (Core ML, SavedModel).
 */
export function looksLikeModel(head: Uint8Array): boolean {
  let position = 0;
  let fields = 0;
  let versioned = false;
  const varint = (): number | undefined => {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 63; scale *= 128) {
      const byte = head[position++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  while (position < head.length) {
    const tag = varint();
    if (tag === undefined) break;
    const field = FIELDS.get(Math.floor(tag / 8));
    if (field === undefined || field[0] !== tag % 8) return false;
    const value = varint();
    if (value === undefined) break;
    const number = Math.floor(tag / 8);
    if (number === 1) {
      if (value < 1 || value > 1000) return false;
      versioned = true;
    }
    if (field[0] === 2) {
      if (field[1] && !isPrintable(head.subarray(position, position + value))) return false;
      position += value;
    }
    fields++;
    // A graph comes last but for metadata and opsets: what is before it has been seen.
    if (number === 7) return versioned || fields > 1;
  }
  return versioned;
}

function isPrintable(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte >= 0x20 && byte !== 0x7f);
}
