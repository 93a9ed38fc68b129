import { describe, expect, it } from 'vitest';
import { barChart } from '../../bench/html/chart.ts';
import { renderPage } from '../../bench/html/page.ts';
import { renderReport, tableOf } from '../../bench/report.ts';
import { cpuResult, report, sample } from './sample-report.ts';

const rounds = [
  [10, 8, 12, 80],
  [11, 9, 14, 90],
  [10, 8, 13, 85],
] as const;

describe('the table of a scenario', () => {
  it('puts the cheapest first, with the spread and the ratios of the rounds', () => {
    const { head, rows } = tableOf(cpuResult('keepalive', rounds));
    expect(rows.map((row) => row[0])).toEqual(['nginx', 'splice', 'phoenix', 'http-proxy-3']);
    expect(rows[2]?.slice(1, 4)).toEqual(['13.0 (12.0-14.0)', '1.27 (1.20-1.30)', '1.56 (1.50-1.63)']);
    expect(head.slice(1, 4)).toEqual(['CPU µs/request', 'x splice', 'x nginx']);
  });

  it('says what a proxy adds to the latency, where it was measured without one too', () => {
    const latencyMicros = { p50: 200, p90: 300, p99: 500, p999: 600 };
    const direct = [1, 2, 3].map((round) => sample('direct', round, 0, { latencyMicros }));
    const result = cpuResult('events', rounds);
    const { head, rows } = tableOf({ ...result, samples: [...result.samples, ...direct] });
    const column = head.indexOf('added p50');
    expect(rows.find((row) => row[0] === 'phoenix')?.slice(column, column + 2)).toEqual(['0.300', '1.50']);
    expect(tableOf(result).head).not.toContain('added p50');
  });

  it('counts the errors of all rounds, and says which', () => {
    const result = cpuResult('keepalive', rounds);
    const errors = sample('phoenix', 4, 12, { errors: 3, errorDetail: '3 status 502' });
    const { rows } = tableOf({ ...result, samples: [...result.samples, errors] });
    expect(rows.find((row) => row[0] === 'phoenix')?.at(-1)).toBe('3 (3 status 502)');
  });
});

describe('the report in the terminal', () => {
  it('names what is missing, what failed, and what it does not tell', () => {
    const failed = { ...cpuResult('keepalive', rounds), failures: [{ peer: 'caddy', reason: 'ended\n(exited: 1)' }] };
    const text = renderReport(report([failed]));
    expect(text).toContain('MISSING traefik: TRAEFIK_BIN is not set');
    expect(text).toContain('FAILED caddy: ended | (exited: 1)');
    expect(text).toContain('not told: the weather');
    expect(text).toContain('- the network');
    expect(text).toMatch(/keepalive: phoenix at most 1\.3 x splice\s+1\.27 x\s+met/);
  });

  it('says when others used the processor of the proxy', () => {
    const result = cpuResult('keepalive', rounds);
    const disturbed = { ...result, samples: [...result.samples, sample('nginx', 4, 9, { disturbance: 0.5 })] };
    expect(renderReport(report([disturbed]))).toContain("others used up to 50 % of the proxy's processor in 1 of 13");
    expect(renderReport(report([result]))).not.toContain('DISTURBED');
  });
});

describe('the report as a page', () => {
  it('is one file with a chart and the figures of each scenario', () => {
    const page = renderPage(report([cpuResult('keepalive', rounds), cpuResult('connect-tls', rounds)]));
    expect(page).not.toMatch(/<(script|link|img)|src=|url\(|https?:/);
    expect(page.match(/<svg /g)?.length).toBe(4);
    expect(page).toContain('<section id="connect-tls">');
    expect(page).toContain('missing: traefik');
    expect(page).toContain('Not told: the weather');
  });

  it('escapes what comes from outside', () => {
    const failed = {
      ...cpuResult('keepalive', rounds),
      failures: [{ peer: 'x', reason: '<script>alert(1)</script>' }],
    };
    expect(renderPage(report([failed]))).toContain('&lt;script&gt;');
  });
});

describe('a bar chart', () => {
  const bar = (label: string, value: number) =>
    ({ label, value, least: value, most: value, text: `${value} µs`, tone: 'other' }) as const;
  const widths = (svg: string): number[] =>
    [...svg.matchAll(/ width="([\d.]+)" height="16"/g)].map((m) => Number(m[1]));

  it('draws lengths in proportion', () => {
    const [one = 0, two = 0] = widths(barChart('t', [bar('a', 10), bar('b', 20)]));
    expect(two / one).toBeCloseTo(2, 1);
  });

  it('cuts what would make all others look the same', () => {
    const svg = barChart('t', [bar('a', 10), bar('b', 12), bar('c', 900)]);
    const [one = 0, , three = 0] = widths(svg);
    expect(svg).toContain('class="cut"');
    expect(three / one).toBeLessThan(6);
  });

  it('leaves out what was not measured', () => {
    expect(widths(barChart('t', [bar('a', 10), bar('b', Number.NaN)]))).toHaveLength(1);
  });
});
