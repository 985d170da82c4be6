import type { CorsConfiguration } from './cors.js';
import type { LocalRoute } from './local-stack.js';

export interface RouteMatch {
  readonly route: LocalRoute;
  readonly pathParameters: Readonly<Record<string, string>>;
}

interface Candidate {
  readonly route: LocalRoute;
  readonly method: string;
  readonly segments: readonly string[];
}

/**
 * The route that API Gateway would choose: a full match before `{parameter}`s, those before a greedy `{proxy+}`, a method before `ANY`,
 * `$default` last. https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
 */
export class RouteTable {
  private readonly candidates: readonly Candidate[];
  private readonly fallback: LocalRoute | undefined;

  private readonly stages: readonly string[];

  constructor(private readonly routes: readonly LocalRoute[]) {
    this.stages = [...new Set(routes.flatMap(({ rest }) => (rest === undefined ? [] : [rest.stage])))];
    this.fallback = routes.find((route) => route.routeKey === '$default');
    this.candidates = routes
      .filter((route) => route !== this.fallback)
      .map((route) => {
        const [method = '', path = ''] = route.routeKey.split(' ');
        return { route, method, segments: segmentsOf(path) };
      })
      .sort((a, b) => rank(b) - rank(a));
  }

  /** Whether paths without a route are an HTTP API's to refuse. */
  get hasHttpApi(): boolean {
    return this.routes.some(({ rest }) => rest === undefined);
  }

  /**
   * The route of a request's target. Methods of REST APIs answer below their stage as well, as below API Gateway's own domain name;
   * the target that comes back is without it.
   */
  find(method: string, target: string): { readonly match: RouteMatch; readonly target: string } | undefined {
    const match = this.match(method, pathOf(target));
    if (match !== undefined) return { match, target };
    for (const stage of this.stages) {
      if (!target.startsWith(`/${stage}/`)) continue;
      const below = target.slice(stage.length + 1);
      const matchBelow = this.match(method, pathOf(below));
      if (matchBelow?.route.rest?.stage === stage) return { match: matchBelow, target: below };
    }
    return undefined;
  }

  /** @param path as sent, still percent-encoded, without the query string */
  match(method: string, path: string): RouteMatch | undefined {
    const segments = segmentsOf(path);
    for (const { route, method: wanted, segments: pattern } of this.candidates) {
      if (wanted !== 'ANY' && wanted !== method) continue;
      const pathParameters = matchSegments(pattern, segments);
      if (pathParameters !== undefined) return { route, pathParameters };
    }
    return this.fallback === undefined ? undefined : { route: this.fallback, pathParameters: {} };
  }

  /** What a preflight for a method and path is answered by: the route's API, and where there is no such route the first one with CORS. */
  cors(method: string, path: string): CorsConfiguration | undefined {
    const match = this.match(method, path);
    return match === undefined ? this.routes.find(({ cors }) => cors !== undefined)?.cors : match.route.cors;
  }
}

function pathOf(target: string): string {
  return target.split('?')[0] ?? target;
}

function segmentsOf(path: string): string[] {
  return path.split('/').slice(1);
}

/** Higher wins. */
function rank({ method, segments }: Candidate): number {
  const greedy = segments.some((segment) => segment.endsWith('+}'));
  const parameters = segments.filter((segment) => segment.startsWith('{')).length;
  return (greedy ? 0 : 10_000) + segments.length * 100 - parameters * 10 + (method === 'ANY' ? 0 : 1);
}

function matchSegments(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  const parameters: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const [, name, greedy] = /^\{([^}+]+)(\+?)\}$/.exec(expected) ?? [];
    const actual = segments[index];
    if (actual === undefined || (name !== undefined && actual === '')) return undefined;
    if (name === undefined) {
      if (actual !== expected) return undefined;
    } else if (greedy === '+') {
      parameters[name] = decodePathSegment(segments.slice(index).join('/'));
      return parameters;
    } else parameters[name] = decodePathSegment(actual);
  }
  return pattern.length === segments.length ? parameters : undefined;
}

/** Percent-decoded; as it is where it cannot be. */
export function decodePathSegment(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
