/** Einstein's summation: as transpositions and one MatMul, which runtimes are fast at and other passes understand, else as ONNX's Einsum. */
import { attribute } from '../ir/attribute.js';
import type { Dimension, Value } from '../ir/value.js';
import { binary } from './elementwise.js';
import { elementTypeOf, type GraphBuilder } from './graph-builder.js';
import { LoweringError } from './lowering-error.js';
import { matmul } from './matrix.js';
import { squeeze, transpose, unsqueeze } from './rearrange.js';
import { reduce } from './reduce.js';
import { type Shape, shapeOf, shapeText, staticCount } from './shape.js';

/** A letter, or a number for what an ellipsis stands for: '0' its last dimension, '1' the one before. */
type Label = string;

interface Operand {
  readonly value: Value;
  readonly labels: readonly Label[];
}

/** More is not an equation that anybody wrote; it bounds what a hostile file can make us do. */
const EQUATION_LENGTH = 500;

/**
 * NumPy's and TensorFlow's einsum: 'abc,cd->abd', with `...` for dimensions that broadcast, and without an arrow the letters that
 * stand once, in alphabetical order.
 * @throws LoweringError EINSUM_EQUATION, SHAPE_MISMATCH
 */
export function einsum(builder: GraphBuilder, equation: string, values: readonly Value[]): Value {
  const { operands, output } = parse(equation, values);
  const sizes = labelSizes(equation, operands);
  const [first, second] = operands;
  const direct = operands.every(({ labels }) => new Set(labels).size === labels.length);
  if (direct && first !== undefined && operands.length === 1)
    return arranged(builder, summed(builder, first, output), output);
  if (direct && first !== undefined && second !== undefined && operands.length === 2) {
    const product = productOfTwo(builder, first, second, output, sizes);
    if (product !== undefined) return product;
  }
  return builder.node(
    'Einsum',
    values,
    { elementType: elementTypeOf(values[0] as Value), shape: output.map((label) => sizes.get(label)) },
    { attributes: { equation: attribute.string(equation.replaceAll(' ', '')) } },
  );
}

function parse(equation: string, values: readonly Value[]): { operands: Operand[]; output: readonly Label[] } {
  const text = equation.replaceAll(' ', '');
  const term = '(?:[A-Za-z]*(?:\\.\\.\\.)?[A-Za-z]*)';
  if (equation.length > EQUATION_LENGTH || !new RegExp(`^${term}(?:,${term})*(?:->${term})?$`).test(text)) {
    throw unreadable(equation, 'is not one');
  }
  const [inputs = '', explicit] = text.split('->');
  const terms = inputs.split(',');
  if (terms.length !== values.length)
    throw unreadable(equation, `is for ${terms.length} tensors, not ${values.length}`);
  const operands = values.map((value, index): Operand => {
    const rank = shapeOf(value).length;
    const labels = labelsOf(terms[index] ?? '', rank);
    if (labels?.length !== rank) throw unreadable(equation, `does not fit the shape [${shapeText(shapeOf(value))}]`);
    return { value, labels };
  });
  const elided = Math.max(0, ...operands.map(({ labels }) => labels.filter(isElided).length));
  const output = explicit === undefined ? implicitOutput(operands, elided) : expand(explicit, elided);
  const known = new Set(operands.flatMap(({ labels }) => labels));
  if (new Set(output).size !== output.length || output.some((label) => !known.has(label))) {
    throw unreadable(equation, 'has a result that does not follow from its operands');
  }
  return { operands, output };
}

function unreadable(equation: string, what: string): LoweringError {
  return new LoweringError({
    code: 'EINSUM_EQUATION',
    message: `The einsum equation '${equation.slice(0, EQUATION_LENGTH)}' ${what}.`,
    advice: 'The model is damaged or was written by a faulty exporter; export it again.',
  });
}

function isElided(label: Label): boolean {
  return label >= '0' && label <= '9';
}

/** @returns undefined where the rank is smaller than the number of letters */
function labelsOf(term: string, rank: number): readonly Label[] | undefined {
  const letters = term.replace('...', '').length;
  if (!term.includes('...')) return [...term];
  return rank < letters || rank - letters > 9 ? undefined : expand(term, rank - letters);
}

function expand(term: string, elided: number): readonly Label[] {
  const [before = '', after = ''] = term.split('...');
  if (!term.includes('...')) return [...term];
  return [...before, ...Array.from({ length: elided }, (_, index) => String(elided - 1 - index)), ...after];
}

function implicitOutput(operands: readonly Operand[], elided: number): readonly Label[] {
  const counts = new Map<Label, number>();
  for (const label of operands.flatMap(({ labels }) => labels)) counts.set(label, (counts.get(label) ?? 0) + 1);
  const once = [...counts].filter(([label, count]) => count === 1 && !isElided(label)).map(([label]) => label);
  return [...expand('...', elided), ...once.sort()];
}

function labelSizes(equation: string, operands: readonly Operand[]): ReadonlyMap<Label, Dimension> {
  const sizes = new Map<Label, Dimension>();
  for (const { value, labels } of operands) {
    for (const [axis, label] of labels.entries()) {
      const size = shapeOf(value)[axis];
      const common = sizes.has(label) ? commonSize(sizes.get(label), size, isElided(label)) : { size };
      if (common === undefined) {
        throw new LoweringError({
          code: 'SHAPE_MISMATCH',
          message: `In the einsum equation '${equation}' the dimension '${label}' is ${sizes.get(label)} and ${size}.`,
          advice: 'The model is damaged or was written by a faulty exporter; export it again.',
        });
      }
      sizes.set(label, common.size);
    }
  }
  return sizes;
}

/** Of a dimension that two operands have. Only what an ellipsis stands for broadcasts. */
function commonSize(a: Dimension, b: Dimension, broadcasts: boolean): { readonly size: Dimension } | undefined {
  if (a === b) return { size: a };
  if (broadcasts && (a === 1 || b === 1)) return { size: a === 1 ? b : a };
  if (typeof a === 'number') return typeof b === 'number' ? undefined : { size: a };
  return { size: typeof b === 'number' ? b : undefined };
}

/** Without the dimensions that `kept` does not name. */
function summed(builder: GraphBuilder, { value, labels }: Operand, kept: readonly Label[]): Operand {
  const axes = labels.flatMap((label, axis) => (kept.includes(label) ? [] : [axis]));
  return {
    value: reduce(builder, 'ReduceSum', value, axes, false),
    labels: labels.filter((label) => kept.includes(label)),
  };
}

/** Transposed to the order of `output`, which names the same labels. */
function arranged(builder: GraphBuilder, { value, labels }: Operand, output: readonly Label[]): Value {
  return transpose(
    builder,
    value,
    output.map((label) => labels.indexOf(label)),
  );
}

/** @returns undefined where more than one open size would have to be computed */
function productOfTwo(
  builder: GraphBuilder,
  first: Operand,
  second: Operand,
  output: readonly Label[],
  sizes: ReadonlyMap<Label, Dimension>,
): Value | undefined {
  const a = summed(builder, first, [...output, ...second.labels]);
  const b = summed(builder, second, [...output, ...first.labels]);
  const contracted = a.labels.filter((label) => b.labels.includes(label) && !output.includes(label));
  if (contracted.length === 0) {
    return binary(builder, 'Mul', broadcastTo(builder, a, output), broadcastTo(builder, b, output));
  }
  const plans = [planOf(a, b, contracted, output), planOf(b, a, contracted, output)];
  const plan = plans.find(({ result }) => String(result) === String(output)) ?? plans[0];
  return plan === undefined ? undefined : multiplied(builder, plan, output, sizes);
}

/** In the order of `output`, with a 1 for what the operand lacks. */
function broadcastTo(builder: GraphBuilder, operand: Operand, output: readonly Label[]): Value {
  const own = output.filter((label) => operand.labels.includes(label));
  const missing = output.flatMap((label, axis) => (operand.labels.includes(label) ? [] : [axis]));
  return unsqueeze(builder, arranged(builder, operand, own), missing);
}

/** [batch, rows, contracted] · [batch, contracted, columns]. */
interface Plan {
  readonly left: Operand;
  readonly right: Operand;
  readonly batch: readonly Label[];
  readonly rows: readonly Label[];
  readonly columns: readonly Label[];
  readonly contracted: readonly Label[];
  readonly result: readonly Label[];
}

function planOf(left: Operand, right: Operand, contracted: readonly Label[], output: readonly Label[]): Plan {
  const inOrder = (holds: (label: Label) => boolean) => output.filter(holds);
  const batch = inOrder((label) => left.labels.includes(label) && right.labels.includes(label));
  const rows = inOrder((label) => left.labels.includes(label) && !right.labels.includes(label));
  const columns = inOrder((label) => right.labels.includes(label) && !left.labels.includes(label));
  return { left, right, batch, rows, columns, contracted, result: [...batch, ...rows, ...columns] };
}

function multiplied(
  builder: GraphBuilder,
  { left, right, batch, rows, columns, contracted, result }: Plan,
  output: readonly Label[],
  sizes: ReadonlyMap<Label, Dimension>,
): Value | undefined {
  const sizesOf = (labels: readonly Label[]): Shape => labels.map((label) => sizes.get(label));
  // A matrix on the right without a batch of its own multiplies rows of any number of dimensions.
  const rowsStay = batch.length === 0;
  const keptRows = rowsStay || rows.length === 1;
  const open = [...(keptRows ? [] : rows), ...(columns.length === 1 ? [] : columns)].filter(
    (label) => typeof sizes.get(label) !== 'number',
  );
  // Columns that stay one dimension keep their place only where the rows do.
  const moved = !keptRows && columns.length === 1 && typeof sizes.get(columns[0] ?? '') !== 'number' ? 1 : 0;
  if (open.length + moved > 1) return undefined;
  const a = arranged(builder, left, [...batch, ...rows, ...contracted]);
  const b = arranged(builder, right, [...batch, ...contracted, ...columns]);
  const matrix = (value: Value, groups: readonly (readonly Label[])[]) =>
    grouped(builder, value, batch.length, groups.map(sizesOf));
  const product = matmul(
    builder,
    rowsStay ? matrix(a, [...rows.map((label) => [label]), contracted]) : matrix(a, [rows, contracted]),
    matrix(b, [contracted, columns]),
  );
  const kept = batch.length + (keptRows ? rows.length : 0);
  const tail = sizesOf([...(keptRows ? [] : rows), ...columns]);
  return arranged(builder, { value: ungrouped(builder, product, kept, tail), labels: result }, output);
}

/** Each group of dimensions behind the first `batch` made one: of none, a 1. */
function grouped(builder: GraphBuilder, x: Value, batch: number, groups: readonly Shape[]): Value {
  if (groups.every((group) => group.length === 1)) return x;
  const added = groups.flatMap((group, index) => (group.length === 0 ? [batch + index] : []));
  if (groups.every((group) => group.length <= 1)) return unsqueeze(builder, x, added);
  const shape = [...shapeOf(x).slice(0, batch), ...groups.map((group): Dimension => staticCount(group) ?? only(group))];
  // Sizes of 0 copy the input's, where dimensions have kept their place.
  let inPlace = true;
  const sizes = groups.map((group) => {
    const [size] = group;
    const copied = inPlace && group.length === 1 ? 0 : undefined;
    if (group.length !== 1) inPlace = false;
    return copied ?? staticCount(group) ?? (group.length === 1 && typeof size === 'number' ? size : -1);
  });
  if (sizes.filter((size) => size === -1).length > 1) {
    return builder.node('Reshape', [x, groupSizes(builder, x, batch, groups)], {
      elementType: elementTypeOf(x),
      shape,
    });
  }
  const target = builder.int64([...Array.from({ length: batch }, () => 0), ...sizes]);
  return builder.node('Reshape', [x, target], { elementType: elementTypeOf(x), shape });
}

function only(group: Shape): Dimension {
  return group.length === 1 ? group[0] : undefined;
}

/** Computed while the model runs: the products of the sizes of each group. */
function groupSizes(builder: GraphBuilder, x: Value, batch: number, groups: readonly Shape[]): Value {
  const sizes = builder.node('Shape', [x], { elementType: 'int64', shape: [shapeOf(x).length] });
  let start = 0;
  const part = (count: number) => {
    const range = [builder.int64([start]), builder.int64([start + count])];
    start += count;
    return builder.node('Slice', [sizes, ...range], { elementType: 'int64', shape: [count] });
  };
  const parts = [
    ...(batch === 0 ? [] : [part(batch)]),
    ...groups.map((group) =>
      group.length === 0 ? builder.int64([1]) : reduce(builder, 'ReduceProd', part(group.length), [0], true),
    ),
  ];
  const attributes = { axis: attribute.int(0) };
  return builder.node('Concat', parts, { elementType: 'int64', shape: [batch + groups.length] }, { attributes });
}

/** What stands behind the first `kept` dimensions, as `tail`, of which one size may be open. */
function ungrouped(builder: GraphBuilder, x: Value, kept: number, tail: Shape): Value {
  const before = shapeOf(x);
  if (before.length === kept + tail.length && (tail.length === 0 || before.length - kept === 1)) return x;
  const head = before.slice(0, kept);
  if (tail.length === 0) {
    return squeeze(
      builder,
      x,
      before.slice(kept).map((_, index) => kept + index),
    );
  }
  const sizes = [...head.map(() => 0), ...tail.map((size) => (typeof size === 'number' ? size : -1))];
  const type = { elementType: elementTypeOf(x), shape: [...head, ...tail] };
  return builder.node('Reshape', [x, builder.int64(sizes)], type);
}
