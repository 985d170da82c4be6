/**
 * CloudWatch's metric math for one point in time, as far as our expressions go: what has no value has none in the result, nor has a division
 * by zero or the logarithm of what has none. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
 */

/** By id; undefined where a metric has no value. */
export type MetricValues = Readonly<Record<string, number | undefined>>;

const TOKEN = /\s*(>=|<=|==|!=|[-+*/(),<>]|\d+(?:\.\d+)?|[A-Za-z_]\w*)/y;

/** @throws Error for what is no expression, and for ids that are none of the values' */
export function evaluateMetricMath(expression: string, values: MetricValues, periodSeconds = 300): number | undefined {
  const parser = new Parser(tokensOf(expression), values, periodSeconds);
  return parser.whole();
}

/** The ids that an expression refers to. */
export function idsOf(expression: string): readonly string[] {
  return [...new Set(tokensOf(expression).filter((token) => /^[a-z]/.test(token)))];
}

function tokensOf(expression: string): readonly string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (expression.slice(TOKEN.lastIndex).trim() !== '') {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(expression)?.[1];
    if (token === undefined) throw new Error(`no metric math at ${at} of ${expression}`);
    tokens.push(token);
  }
  return tokens;
}

type Value = number | undefined;
const OPERATIONS: Readonly<Record<string, (a: number, b: number) => Value>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => (b === 0 ? undefined : a / b),
  '>': (a, b) => Number(a > b),
  '>=': (a, b) => Number(a >= b),
  '<': (a, b) => Number(a < b),
  '<=': (a, b) => Number(a <= b),
  '==': (a, b) => Number(a === b),
  '!=': (a, b) => Number(a !== b),
};
const PRECEDENCE = [
  ['>', '>=', '<', '<=', '==', '!='],
  ['+', '-'],
  ['*', '/'],
] as const;

class Parser {
  private position = 0;

  constructor(
    private readonly tokens: readonly string[],
    private readonly values: MetricValues,
    private readonly periodSeconds: number,
  ) {}

  whole(): Value {
    const value = this.binary(0);
    if (this.position < this.tokens.length) throw new Error(`unexpected ${this.tokens[this.position]}`);
    return value;
  }

  private binary(level: number): Value {
    const operators: readonly string[] | undefined = PRECEDENCE[level];
    if (operators === undefined) return this.unary();
    let left = this.binary(level + 1);
    for (let operator = this.peek(); operator !== undefined && operators.includes(operator); operator = this.peek()) {
      this.position += 1;
      const right = this.binary(level + 1);
      left = left === undefined || right === undefined ? undefined : OPERATIONS[operator]?.(left, right);
    }
    return left;
  }

  private unary(): Value {
    const token = this.next();
    if (token === '-') {
      const value = this.unary();
      return value === undefined ? undefined : -value;
    }
    if (token === '(') {
      const value = this.binary(0);
      this.expect(')');
      return value;
    }
    if (/^\d/.test(token)) return Number(token);
    if (/^[a-z]/.test(token)) return this.valueOf(token);
    if (token === 'PERIOD') {
      // Of a metric, whether it has a value or not.
      this.expect('(');
      this.valueOf(this.next());
      this.expect(')');
      return this.periodSeconds;
    }
    return this.call(token);
  }

  private valueOf(id: string): Value {
    if (!Object.hasOwn(this.values, id)) throw new Error(`there is no metric '${id}'`);
    return this.values[id];
  }

  private call(name: string): Value {
    this.expect('(');
    const values = [this.binary(0)];
    while (this.peek() === ',') {
      this.position += 1;
      values.push(this.binary(0));
    }
    this.expect(')');
    const [first, second, third] = values;
    if (name === 'FILL' && values.length === 2) return first ?? second;
    // Without its third argument it has no value where the first is 0.
    if (name === 'IF' && [2, 3].includes(values.length))
      return first === undefined ? undefined : first !== 0 ? second : third;
    if (name === 'LOG' && values.length === 1) return first !== undefined && first > 0 ? Math.log(first) : undefined;
    throw new Error(`no function ${name} of ${values.length} arguments`);
  }

  private peek(): string | undefined {
    return this.tokens[this.position];
  }

  private next(): string {
    const token = this.tokens[this.position];
    if (token === undefined) throw new Error('the expression ends too early');
    this.position += 1;
    return token;
  }

  private expect(token: string): void {
    const got = this.next();
    if (got !== token) throw new Error(`${token} expected, ${got} found`);
  }
}
