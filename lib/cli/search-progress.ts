/** A search as it goes, for people at a terminal, for logs, for programs. On stderr: stdout belongs to results. */
import { formatBytes, formatLatency } from '../artifact/units.js';
import { printable } from '../compiler/ir/print.js';
import type { CandidateResult, SearchProgress } from '../compiler/quantize/search/search-result.js';
import { formatNumber } from '../compiler/report/figures.js';
import { createProgress, type ProgressOptions } from './progress.js';

export interface SearchDisplay {
  /** A step of the pipeline around the search. */
  step(name: string): void;
  show(progress: SearchProgress): void;
  done(): void;
}

export interface SearchDisplayOptions extends ProgressOptions {
  /** An object a line. Default false. */
  readonly json?: boolean;
}

export function searchDisplay(options: SearchDisplayOptions = {}): SearchDisplay {
  return options.json === true ? jsonDisplay(options.stream ?? process.stderr) : textDisplay(options);
}

function jsonDisplay(stream: NodeJS.WritableStream): SearchDisplay {
  const write = (line: unknown) => void stream.write(`${JSON.stringify(line)}\n`);
  return {
    step: (name) => write({ kind: 'stage', name }),
    // One line per percent at most would still be thousands: the steps' ends are enough.
    show: (progress) => {
      if (progress.kind !== 'step' || progress.done === progress.of) write(progress);
    },
    done: () => undefined,
  };
}

function textDisplay(options: ProgressOptions): SearchDisplay {
  const progress = createProgress(options);
  let best: CandidateResult | undefined;
  let count = 0;
  const bestText = () => (best === undefined ? '' : `best so far ${summary(best)}`);
  return {
    step: (name) => progress.step(name),
    show(event) {
      switch (event.kind) {
        case 'stage':
          progress.step(event.name);
          if (best !== undefined) progress.detail(bestText());
          return;
        case 'step':
          progress.detail([`${event.done} of ${event.of}`, bestText()].filter(Boolean).join('; '));
          return;
        case 'candidate': {
          best = event.best ?? best;
          count += 1;
          const { candidate } = event;
          const mark = candidate.holds ? '✓' : '✗';
          const isBest = best !== undefined && best.name === candidate.name;
          progress.note(
            `  ${String(count).padStart(3)} ${mark} ${summary(candidate)}${isBest ? '  ← best so far' : ''}  ${printable(candidate.name)}`,
          );
        }
      }
    },
    done: () => progress.done(),
  };
}

function summary({ value, bytes, timing }: CandidateResult): string {
  const parts = [formatNumber(value), formatBytes(bytes)];
  if (timing !== undefined) parts.push(formatLatency(timing.run));
  return parts.map((part) => part.padStart(8)).join('  ');
}
