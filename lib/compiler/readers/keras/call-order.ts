/** The calls of a model's layers that its outputs depend on, each after those whose outputs it takes. */
import {
  type CallArguments,
  damaged,
  type KerasLayer,
  type KerasModel,
  referencesIn,
  type TensorReference,
} from './topology.js';

export interface OrderedCall {
  readonly layer: KerasLayer;
  readonly node: number;
  readonly call: CallArguments;
}

/** What a call is known by. */
export function callKey({ layer, node }: Pick<TensorReference, 'layer' | 'node'>): string {
  return `${node}:${layer}`;
}

/**
 * @param given calls whose results are there: the model's inputs
 * @throws ReaderError KERAS_CONFIG for calls of layers that are not there, and for circles
 */
export function callOrder(model: KerasModel, given: { has(key: string): boolean }): readonly OrderedCall[] {
  const byName = new Map(model.layers.map((layer) => [layer.name, layer]));
  const order: OrderedCall[] = [];
  const done = new Set<string>();
  const open = new Set<string>();
  // Without recursion: nets are thousands of layers deep.
  const stack: { readonly key: string; readonly found: OrderedCall; readonly needs: TensorReference[] }[] = [];
  const visit = (reference: TensorReference): void => {
    const key = callKey(reference);
    if (done.has(key) || given.has(key)) return;
    const found = callOf(reference, byName);
    if (open.has(key)) throw damaged(`call ${reference.node} of '${reference.layer}' depends on its own result`);
    open.add(key);
    stack.push({
      key,
      found,
      needs: [...referencesIn(found.call.positional), ...referencesIn(found.call.named)].reverse(),
    });
  };
  for (const { reference } of model.outputs) {
    visit(reference);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = top.needs.pop();
      if (next !== undefined) visit(next);
      else {
        stack.pop();
        open.delete(top.key);
        done.add(top.key);
        order.push(top.found);
      }
    }
  }
  return order;
}

function callOf({ layer: name, node }: TensorReference, byName: ReadonlyMap<string, KerasLayer>): OrderedCall {
  const layer = byName.get(name);
  if (layer === undefined) throw damaged(`there is no layer '${name}' that another one takes its input from`);
  const call = layer.calls[node];
  if (call !== undefined) return { layer, node, call };
  if (layer.className === 'InputLayer') throw damaged(`InputLayer '${name}' is not among the model's inputs`);
  throw damaged(`layer '${name}' is called ${layer.calls.length} times, and its call ${node} is used`);
}
