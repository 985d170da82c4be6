/** What was measured, in the words that a lock keeps. */
import type { Measurement } from '../../../artifact/lock.js';
import type { Certificate } from '../../metrics/certificate.js';
import type { Metric } from '../../metrics/metric.js';
import type { LatencyResult, SearchResult, Timing } from './search-result.js';

export function measurementsOf(
  metric: Metric,
  certificate: Certificate,
  bytes: SearchResult['bytes'],
  latency: LatencyResult,
): Measurement[] {
  const times = latency.kind === 'measured' ? latency : latency.here;
  const timing = (name: string, { run, open, firstRun }: Timing, cpu: string): Measurement[] => [
    { metric: `${name} run`, value: run, unit: 'ms', cpu },
    { metric: `${name} open`, value: open, unit: 'ms', cpu },
    { metric: `${name} first run`, value: firstRun, unit: 'ms', cpu },
  ];
  return [
    { metric: 'size', value: bytes.chosen, unit: 'bytes' },
    { metric: 'original size', value: bytes.original, unit: 'bytes' },
    { metric: metric.name, value: certificate.value, unit: metric.unit },
    { metric: `original ${metric.name}`, value: certificate.original, unit: metric.unit },
    ...(times === undefined
      ? []
      : [...timing('chosen', times.chosen, times.cpu), ...timing('original', times.original, times.cpu)]),
  ];
}
