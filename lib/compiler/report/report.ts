/** What a search found, as plain data: `report.json`, and all that `report.html` shows. */
import type { Architecture, SessionSettings } from '../../artifact/manifest.js';
import type { Certificate } from '../metrics/certificate.js';
import type {
  CandidateResult,
  Goal,
  GroupResult,
  LatencyResult,
  NodeResult,
  Refusal,
  SearchEffort,
  SearchResult,
} from '../quantize/search/search-result.js';

export const REPORT_SCHEMA_VERSION = 1;

/** A data set as it was used. */
export interface ReportedDataSet {
  readonly role: 'calibration' | 'evaluation' | 'holdout';
  /** As model.json names it; absent for a part of another set, and for data that was made up. */
  readonly path?: string;
  readonly samples: number;
  /** sha256. */
  readonly digest: string;
  readonly isSynthetic: boolean;
  /** By source. */
  readonly groups: Readonly<Record<string, number>>;
}

/** An artifact that the lock pins. */
export interface ReportedArtifact {
  readonly architecture: Architecture;
  readonly contentHash: string;
  readonly bytes: number;
}

/** `report.json`. */
export interface OptimizationReport {
  readonly schemaVersion: typeof REPORT_SCHEMA_VERSION;
  readonly model: string;
  readonly source: string;
  /** The day, UTC: 2026-11-30. */
  readonly date: string;
  readonly tool: string;
  readonly onnxruntime: string;
  /** `revalidation`: the lock's recipes measured anew. */
  readonly kind: 'search' | 'revalidation' | 'recipe' | 'pruning';
  readonly outcome: SearchResult['outcome'];
  readonly goal: Goal;
  /** Of the files; empty where none were written. */
  readonly artifacts: readonly ReportedArtifact[];
  readonly session: SessionSettings;
  readonly bytes: SearchResult['bytes'];
  readonly latency: LatencyResult;
  readonly certificate: Certificate;
  readonly evaluation: Certificate;
  readonly groups: readonly GroupResult[];
  readonly data: readonly ReportedDataSet[];
  readonly candidates: readonly CandidateResult[];
  readonly nodes: readonly NodeResult[];
  /** First outputs, worst first. */
  readonly breaking: readonly string[];
  readonly refused: readonly Refusal[];
  readonly notes: readonly string[];
  readonly effort: SearchEffort;
}

export interface ReportContext {
  readonly model: string;
  readonly source: string;
  readonly date: Date;
  readonly tool: string;
  readonly onnxruntime: string;
  readonly kind: OptimizationReport['kind'];
  readonly artifacts: readonly ReportedArtifact[];
  readonly data: readonly ReportedDataSet[];
}

export function reportOf(result: SearchResult, context: ReportContext): OptimizationReport {
  const { date, ...about } = context;
  return {
    schemaVersion: REPORT_SCHEMA_VERSION,
    ...about,
    date: date.toISOString().slice(0, 10),
    outcome: result.outcome,
    goal: result.goal,
    session: result.session,
    bytes: result.bytes,
    latency: result.latency,
    certificate: result.certificate,
    evaluation: result.evaluation,
    groups: result.groups,
    candidates: result.candidates,
    nodes: result.nodes,
    breaking: result.breaking.map(({ output }) => output),
    refused: result.refused,
    notes: result.notes,
    effort: result.effort,
  };
}

/** Infinities and NaN become null, as JSON has none. */
export function reportJson(report: OptimizationReport): string {
  return `${JSON.stringify(report, null, 1)}\n`;
}
