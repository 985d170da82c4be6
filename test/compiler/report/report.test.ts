import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { formatMetric, formatNumber, formatRatio, limitOf, ticks } from '../../../lib/compiler/report/figures.js';
import { html } from '../../../lib/compiler/report/markup.js';
import { reportPage } from '../../../lib/compiler/report/page.js';
import { type OptimizationReport, reportJson, reportOf } from '../../../lib/compiler/report/report.js';
import { recipeText } from '../../../lib/compiler/report/tables.js';
import { type SearchResultOptions, searchResult } from '../../support/search-result.js';

function report(options: SearchResultOptions = {}, more: Partial<OptimizationReport> = {}): OptimizationReport {
  const found = reportOf(searchResult(options), {
    model: 'faces',
    source: 'module:some-package/model.onnx',
    date: new Date('2026-11-30T12:00:00Z'),
    tool: '0.1.0',
    onnxruntime: '1.30.0',
    kind: 'search',
    artifacts: [{ architecture: 'arm64', contentHash: 'ab'.repeat(32), bytes: 1_284_000 }],
    data: [
      {
        role: 'calibration',
        path: 'samples/calibration',
        samples: 64,
        digest: 'cd'.repeat(32),
        isSynthetic: false,
        groups: { photos: 40, composed: 24 },
      },
    ],
  });
  return { ...found, ...more };
}

/** The page's text without its markup, as a reader sees it. */
function textOf(page: string): string {
  return page
    .replace(/<(style|script)>[\s\S]*?<\/\1>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ');
}

describe('the page', () => {
  const page = reportPage(report());
  const text = textOf(page);

  it('begins with the verdict, and size, metric and latency before and after, with the CPU', () => {
    expect(text).toContain('The budget holds, certified.');
    expect(text).toContain('with 95 % confidence at most 0.0071');
    expect(text).toMatch(/4\.7 MB → 1\.3 MB 0\.27 ×, −73 %/);
    expect(text).toMatch(/0\.9312 → 0\.9287/);
    expect(text).toMatch(/18\.4 ms → 11\.1 ms 0\.60 ×/);
    expect(text).toContain('Xeon(R) Platinum 8375C');
  });

  it('has both plots, with every candidate a point that says what it is', () => {
    const [size = '', latency = ''] = page.match(/<svg viewBox="0 0 480 320"[\s\S]*?<\/svg>/g) ?? [];
    const { candidates } = report();
    expect(size.match(/class="point /g)).toHaveLength(candidates.length + 1);
    expect(latency.match(/class="point /g)).toHaveLength(candidates.filter(({ timing }) => timing).length + 1);
    expect(size.match(/class="point chosen"/g)).toHaveLength(1);
    for (const { name } of candidates) expect(size).toContain(`<title>${name}`);
    expect(size).not.toMatch(/NaN|Infinity/);
  });

  it('has every node with its recipe, its noise and its bytes, and keys to sort by', () => {
    const rows = page.match(/<table id="nodes">[\s\S]*?<\/table>/)?.[0] ?? '';
    expect(rows.match(/<tr>/g)).toHaveLength(report().nodes.length + 1);
    expect(rows).toContain('int8 static, per channel, uint8 activations');
    expect(rows).toMatch(/data-key="\d/);
  });

  it('says what was refused once per reason, what the data was, and what came of each source', () => {
    expect(text).toContain('slower than fp32 on this CPU');
    expect(text).toContain('9 of them');
    expect(text).toContain('photos: 40, composed: 24');
    expect(text).toContain('block-photos');
  });

  it('reaches for nothing and runs nothing but its own script', () => {
    expect(page).not.toMatch(/(?:src|href|action)\s*=|@import|url\(|https?:\/\//);
    const policy = /content="(default-src [^"]*)"/.exec(page)?.[1]?.replaceAll('&#39;', "'") ?? '';
    expect(policy).toContain("default-src 'none'");
    for (const [tag, directive] of [
      ['script', 'script-src'],
      ['style', 'style-src'],
    ]) {
      const content = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(page)?.[1] ?? '';
      expect(policy).toContain(`${directive} 'sha256-${createHash('sha256').update(content).digest('base64')}'`);
    }
    expect(page).not.toMatch(/\sstyle="/);
  });

  it('is well-formed: every element is closed', () => {
    const open: string[] = [];
    const markup = page.replace(/<(style|script)>[\s\S]*?<\/\1>/g, '');
    for (const [tag, closing, name = '', selfClosing] of markup.matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*?(\/?)>/g)) {
      if (/^(meta|br|input)$/.test(name) || selfClosing === '/') continue;
      if (closing === '') open.push(name);
      else expect(`${tag} closes ${open.pop()}`).toBe(`</${name}> closes ${name}`);
    }
    expect(open).toEqual([]);
  });
});

describe('a page that has bad news', () => {
  it('names the nodes that broke the budget', () => {
    const text = textOf(reportPage(report({ outcome: 'not-held' })));
    expect(text).toContain('The budget does not hold.');
    expect(text).toMatch(/What broke it most: block\/0\/y block\/1\/y block\/2\/y/);
    expect(text).toContain('broke the budget');
  });

  it('says aloud that nothing is certified, and what was not measured', () => {
    const latency = { kind: 'not-measured' as const, reason: 'this machine is x86_64, and the model is for arm64' };
    const text = textOf(reportPage(report({ outcome: 'not-certified', latency })));
    expect(text).toContain('not certified');
    expect(text.match(/not measured: this machine is x86_64/g)).toHaveLength(2);
  });

  it('marks data that was made up', () => {
    const made = { role: 'holdout' as const, samples: 4, digest: 'ef'.repeat(32), isSynthetic: true, groups: {} };
    expect(textOf(reportPage(report({}, { data: [made] })))).toContain('made up');
  });

  it('stands without candidates, nodes, refusals and finite numbers', () => {
    const { certificate } = report();
    const page = reportPage(
      report(
        {},
        {
          candidates: [],
          nodes: [],
          refused: [],
          groups: [],
          data: [],
          artifacts: [],
          certificate: { ...certificate, value: Number.NaN, lossBound: Number.POSITIVE_INFINITY },
        },
      ),
    );
    expect(textOf(page)).toContain('No candidate was checked');
    expect(textOf(page)).not.toMatch(/NaN|Infinity|undefined|null/);
  });
});

describe('a hostile model', () => {
  const WORD = `"><script>alert('x')</script><img src=x onerror=alert(1)>\u202e\u0000</title></table>&amp;`;

  it('cannot put markup into the page by the names of its nodes, sources and data', () => {
    const { data } = report();
    const page = reportPage(
      report(
        { word: WORD, outcome: 'not-held' },
        {
          model: WORD,
          source: WORD,
          notes: [WORD],
          data: data.map((set) => ({ ...set, path: WORD, groups: { [WORD]: 1 } })),
        },
      ),
    );
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toContain('<img');
    for (const character of ['\u202e', '\u0000']) expect(page).not.toContain(character);
    expect(page).toContain('&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;');
    expect(page).toContain('\\u{202e}');
  });

  it('cannot break out of an attribute either', () => {
    expect(html`<p title="${'" onclick="x'}">${'<b>'}</p>`.toString()).toBe(
      '<p title="&quot; onclick=&quot;x">&lt;b&gt;</p>',
    );
  });
});

describe('report.json', () => {
  it('is JSON, with null for what is no number', () => {
    const { certificate } = report({ outcome: 'not-certified' });
    const json = JSON.parse(reportJson(report({ outcome: 'not-certified' })));
    expect(certificate.lossBound).toBe(Number.POSITIVE_INFINITY);
    expect(json).toMatchObject({
      schemaVersion: 1,
      model: 'faces',
      date: '2026-11-30',
      certificate: { lossBound: null },
    });
    expect(json.nodes).toHaveLength(40);
    expect(json).not.toHaveProperty('plan');
  });
});

describe('figures', () => {
  it.each([
    [0.98123456, '0.9812'],
    [-3, '−3'],
    [0, '0'],
    [1.2e-7, '1.20e−7'],
    [12_345_678, '1.23e7'],
    [Number.NaN, '–'],
    [Number.POSITIVE_INFINITY, '∞'],
    [undefined, '–'],
  ])('%s is %s', (value, text) => expect(formatNumber(value)).toBe(text));

  it('have units where they say something', () => {
    expect([formatMetric(42, 'dB'), formatMetric(0.5, 'share'), formatMetric(null, 'dB')]).toEqual([
      '42 dB',
      '0.5',
      '–',
    ]);
    expect([formatRatio(1, 4), formatRatio(1, 0)]).toEqual(['0.25 ×', '–']);
  });

  it('know where a budget ends', () => {
    expect(limitOf({ metric: 'map', maxLoss: 0.01 }, 0.9)).toBeCloseTo(0.89);
    expect(limitOf({ metric: 'wer', maxLoss: 0.01 }, 0.2)).toBeCloseTo(0.21);
    expect(limitOf({ metric: 'snr', min: 30 }, Number.POSITIVE_INFINITY)).toBe(30);
    expect(limitOf({ metric: 'snr', maxLoss: 30 }, Number.POSITIVE_INFINITY)).toBeUndefined();
  });

  it('make round ticks', () => {
    expect(ticks(0, 10, 5)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(ticks(0.873, 0.941, 4)).toEqual([0.88, 0.9, 0.92, 0.94]);
    expect(ticks(1, 1, 5)).toEqual([]);
  });

  it('name every recipe', () => {
    expect(recipeText({ scheme: 'matmul-nbits', bits: 4, blockSize: 32, symmetric: false, accuracyLevel: 4 })).toBe(
      '4-bit blocks of 32, asymmetric',
    );
    expect(recipeText({ scheme: 'int8-dynamic', weights: 'uint8', perChannel: false, reduceRange: true })).toBe(
      'uint8 dynamic, per tensor, 7 bits',
    );
  });
});
