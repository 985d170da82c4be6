/**
 * A look over protobuf bytes before they are decoded: every length lies inside what surrounds it, every varint ends, wire types are
 * those of the schema, text is UTF-8, nesting is bounded, and the objects that decoding would make fit into memory.
 * Payloads of weights are skipped, so the cost is that of the graph, not of the file.
 */
import { isUtf8 } from 'node:buffer';
import { getHeapStatistics } from 'node:v8';
import type { DescMessage } from '@bufbuild/protobuf';
import { WireType } from '@bufbuild/protobuf/wire';
import { ModelFormatError } from '../../../errors.js';
import { type Frame, fieldPath } from './field-path.js';
import { type FieldPlan, type MessagePlan, planOf } from './message-plan.js';

export interface ScanLimits {
  /** Messages inside one another; protobuf's own default is 100, and every decoder of ONNX and TensorFlow has it. Default 100. */
  readonly depth: number;
  /** Estimated heap bytes of the decoded message and the IR made of it. Default: 60 % of what V8's heap may still grow by. */
  readonly memory: number;
}

export interface ScanOptions extends Partial<ScanLimits> {
  /** What messages call the file: "Not a valid … file". Default 'ONNX'. */
  readonly format?: string;
}

const DEFAULT_DEPTH = 100;
const MAX_LENGTH = 2 ** 31 - 1;

/** Estimated heap bytes per thing that decoding makes, growth of arrays included. */
const COST = { message: 1024, view: 256, string: 48, number: 16, bigint: 48 } as const;

/**
 * @throws ModelFormatError PROTOBUF_TRUNCATED (a value passes the end of the file), PROTOBUF_LENGTH (it passes the message around it, or
 * 2 GiB), PROTOBUF_TAG, PROTOBUF_WIRE_TYPE, PROTOBUF_VARINT, PROTOBUF_PACKED, PROTOBUF_UTF8, PROTOBUF_GROUP, PROTOBUF_DEPTH,
 * PROTOBUF_MEMORY; messages name the byte offset and the field's path.
 */
export function scanMessage(schema: DescMessage, bytes: Uint8Array, options: ScanOptions = {}): void {
  new Scan(bytes, options).message(planOf(schema));
}

function spareHeap(): number {
  const { heap_size_limit: limit, used_heap_size: used } = getHeapStatistics();
  return Math.max(32 * 2 ** 20, Math.floor((limit - used) * 0.6));
}

class Scan {
  readonly #bytes: Uint8Array;
  readonly #format: string;
  readonly #maximumDepth: number;
  readonly #maximumCost: number;
  readonly #frames: Frame[] = [];
  #position = 0;
  #cost = 0;

  constructor(bytes: Uint8Array, { format = 'ONNX', depth = DEFAULT_DEPTH, memory = spareHeap() }: ScanOptions) {
    this.#bytes = bytes;
    this.#format = format;
    this.#maximumDepth = depth;
    this.#maximumCost = memory;
  }

  message(plan: MessagePlan): void {
    this.#message(plan, this.#bytes.length);
  }

  #message(plan: MessagePlan, end: number): void {
    this.#frames.push({ plan, start: this.#position });
    if (this.#frames.length > this.#maximumDepth) {
      throw this.#error(
        'PROTOBUF_DEPTH',
        this.#position,
        `messages are nested more than ${this.#maximumDepth} levels deep`,
      );
    }
    this.#spend(COST.message);
    while (this.#position < end) this.#field(plan, end);
    this.#frames.pop();
  }

  #field(plan: MessagePlan, end: number): void {
    const at = this.#position;
    const tag = this.#varint32(end, at);
    const number = tag >>> 3;
    const wireType = tag & 7;
    if (number === 0) throw this.#error('PROTOBUF_TAG', at, 'a field has the number 0');
    if (wireType === 3 || wireType === 4) {
      throw this.#error('PROTOBUF_GROUP', at, `a field is a group, which ${this.#format} does not use`, number);
    }
    if (wireType > 5) throw this.#error('PROTOBUF_TAG', at, `a field has the wire type ${wireType}`, number);
    const field = plan.fields.get(number);
    if (field === undefined) {
      this.#spend(COST.view);
      this.#skip(wireType, end, at, number);
    } else if (field.packable && wireType === WireType.LengthDelimited) {
      this.#packed(field, end, at, number);
    } else if (wireType !== field.wireType) {
      throw this.#error(
        'PROTOBUF_WIRE_TYPE',
        at,
        `a field has the wire type ${wireType} in place of ${field.wireType}`,
        number,
      );
    } else if (field.content === 'number' || field.content === 'bigint') {
      this.#skip(wireType, end, at, number);
      if (field.repeated) this.#spend(COST[field.content]);
    } else {
      this.#delimited(field, end, at, number);
    }
  }

  #delimited(field: FieldPlan, end: number, at: number, number: number): void {
    const length = this.#length(end, at, number);
    const start = this.#position;
    if (field.child !== undefined) {
      this.#message(field.child, start + length);
      return;
    }
    this.#position = start + length;
    this.#spend(field.content === 'bytes' ? COST.view : COST.string + length);
    if (field.content === 'string' && !this.#isText(start, start + length)) {
      throw this.#error('PROTOBUF_UTF8', start, 'a text is not UTF-8', number);
    }
  }

  #packed(field: FieldPlan, end: number, at: number, number: number): void {
    const length = this.#length(end, at, number);
    const start = this.#position;
    const stop = start + length;
    let count: number;
    if (field.wireType === WireType.Varint) {
      count = 0;
      // Counting first: a list that will not fit is refused before anything else looks at it.
      while (this.#position < stop) {
        this.#skipVarint(stop, at, number, 'PROTOBUF_PACKED');
        count++;
      }
    } else {
      const size = field.wireType === WireType.Bit32 ? 4 : 8;
      if (length % size !== 0) {
        throw this.#error('PROTOBUF_PACKED', at, `a packed list of ${size}-byte elements has ${length} bytes`, number);
      }
      count = length / size;
    }
    this.#position = stop;
    this.#spend(count * (field.content === 'bigint' ? COST.bigint : COST.number));
  }

  #skip(wireType: WireType, end: number, at: number, number: number): void {
    if (wireType === WireType.Varint) {
      this.#skipVarint(end, at, number, 'PROTOBUF_VARINT');
      return;
    }
    const length = wireType === WireType.Bit64 ? 8 : wireType === WireType.Bit32 ? 4 : this.#length(end, at, number);
    this.#require(length, end, at, number);
    this.#position += length;
  }

  /** Reads a length and checks that as many bytes follow. */
  #length(end: number, at: number, number: number): number {
    const length = this.#varint32(end, at, number);
    this.#require(length, end, at, number);
    return length;
  }

  #require(length: number, end: number, at: number, number: number): void {
    if (length <= end - this.#position) return;
    const fileEnd = this.#bytes.length;
    if (length <= MAX_LENGTH && this.#position + length > fileEnd) {
      throw this.#error(
        'PROTOBUF_TRUNCATED',
        at,
        `a field of ${length} bytes starts at byte ${this.#position} of a file of ${fileEnd}`,
        number,
      );
    }
    const what =
      length > MAX_LENGTH
        ? 'more than protobuf allows'
        : `and only ${end - this.#position} are left of the message around it`;
    throw this.#error('PROTOBUF_LENGTH', at, `a field claims ${length} bytes, ${what}`, number);
  }

  /** A varint of at most 32 bits. */
  #varint32(end: number, at: number, number?: number): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte(end, at, number);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value <= 0xffffffff) return value;
        break;
      }
    }
    throw this.#error('PROTOBUF_VARINT', at, 'a number is longer than 32 bits', number);
  }

  #skipVarint(end: number, at: number, number: number, code: string): void {
    for (let count = 0; count < 10; count++) {
      if (this.#position >= end && code === 'PROTOBUF_PACKED') break;
      if (this.#byte(end, at, number) < 0x80) return;
    }
    throw this.#error(code, at, 'a number does not end', number);
  }

  #byte(end: number, at: number, number?: number): number {
    if (this.#position >= end) {
      const cut = end === this.#bytes.length;
      const code = cut ? 'PROTOBUF_TRUNCATED' : 'PROTOBUF_LENGTH';
      throw this.#error(code, at, `a field passes the end of the ${cut ? 'file' : 'message around it'}`, number);
    }
    // In bounds: `end` never passes the end of the bytes.
    return this.#bytes[this.#position++] ?? 0;
  }

  #isText(start: number, end: number): boolean {
    for (let index = start; index < end; index++) {
      if ((this.#bytes[index] ?? 0) > 0x7f) return isUtf8(this.#bytes.subarray(index, end));
    }
    return true;
  }

  #spend(cost: number): void {
    this.#cost += cost;
    if (this.#cost > this.#maximumCost) {
      throw this.#error(
        'PROTOBUF_MEMORY',
        this.#position,
        `decoding the file would take more than ${Math.floor(this.#maximumCost / 2 ** 20)} MiB of heap`,
      );
    }
  }

  #error(code: string, at: number, what: string, number?: number): ModelFormatError {
    return new ModelFormatError({
      code,
      message: `Not a valid ${this.#format} file: ${what} (byte ${at}, ${fieldPath(this.#bytes, this.#frames, at, number)}).`,
      advice: ADVICE[code] ?? `The file is damaged or no ${this.#format} model. Download or export it again.`,
    });
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  PROTOBUF_TRUNCATED: 'The file is incomplete. Download or copy it again, and compare its size with the original.',
  PROTOBUF_DEPTH: 'No exporter nests graphs this deep: the file is damaged or hostile.',
  PROTOBUF_MEMORY:
    'Store weights as raw bytes (raw_data, tensor_content) or in a file of their own, or give Node.js more heap: NODE_OPTIONS=--max-old-space-size=8192. A small file that needs this is hostile.',
};
