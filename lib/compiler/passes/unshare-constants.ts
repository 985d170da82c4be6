/** Small constants that several nodes read become one for each reader, so that one reader's can change in size and not the others'. */
import type { Value } from '../ir/value.js';
import type { ImmediatePass } from './pass.js';

/** Larger constants stay shared: copies would cost memory, and what they are tied to is then changed together or not at all. */
const MAXIMUM_BYTES = 64 * 1024;

/**
 * For constants of the main graph with at least one axis. Those that a subgraph reads, that a caller may override or that are outputs stay
 * as they are. New names are made of the constant's, its reader's first output and the input's position: the same on every run.
 */
export function unshareConstants(): ImmediatePass {
  return {
    name: 'unshare-constants',
    run(model) {
      const { graph } = model;
      let modified = false;
      const position = new Map(graph.nodes.map((node, index) => [node, index]));
      for (const value of [...graph.initializers]) {
        const tensor = value.initializer;
        if (tensor === undefined || tensor.dims.length === 0 || tensor.byteLength > MAXIMUM_BYTES) continue;
        if (value.uses.size < 2 || value.isGraphOutput || graph.hasInput(value)) continue;
        const uses = [...value.uses].flatMap((use) => (use.kind === 'input' ? [use] : []));
        if (uses.some((use) => use.node.graph !== graph)) continue;
        uses.sort((a, b) => (position.get(a.node) ?? 0) - (position.get(b.node) ?? 0) || a.index - b.index);
        for (const { node, index } of uses) {
          const reader = node.outputs.find((output) => output !== undefined)?.name ?? node.name;
          const copy: Value = graph.addInitializer(model.freshName(`${value.name}/${reader}/${index}`), tensor);
          node.setInput(index, copy);
        }
        graph.initializers.delete(value);
        modified = true;
      }
      return { modified };
    },
  };
}

/** Whether a subgraph reads a value, whose users are then not all in view. */
export function isReadInSubgraph(value: Value): boolean {
  for (const use of value.uses) if (use.kind === 'input' && use.node.graph?.parent !== undefined) return true;
  return false;
}
