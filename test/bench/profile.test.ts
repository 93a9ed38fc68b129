import { describe, expect, it } from 'vitest';
import { flameGraph } from '../../bench/profile/flame-graph.ts';
import { addStack, createFrame, fromCpuProfile, fromPerfScript, heaviest } from '../../bench/profile/stacks.ts';

describe('stacks of a V8 profile', () => {
  const frame = (functionName: string, url = '', lineNumber = 0) => ({ functionName, url, lineNumber });
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(root)'), children: [2, 4] },
      { id: 2, callFrame: frame('outer', 'file:///x/phoenix/src/data/a.ts', 9), children: [3] },
      { id: 3, callFrame: frame('inner', 'node:net', 4) },
      { id: 4, callFrame: frame('(idle)') },
    ],
    startTime: 1_000,
    samples: [3, 2, 4, 3],
    timeDeltas: [100, 50, 900, 25],
  };

  it('weigh by time, leave out waiting, and say where a function is', () => {
    const root = fromCpuProfile(profile);
    expect(root.total).toBe(175);
    const [outer] = root.children.values();
    expect(outer).toMatchObject({ name: 'outer', origin: 'src/data/a.ts:10', self: 50, total: 175 });
    expect(heaviest(root, 1)).toEqual([{ name: 'inner', origin: 'node:net:5', self: 125 }]);
  });
});

describe('stacks of a V8 profile of a warm worker', () => {
  it('leave out what was before', () => {
    const nodes = [
      { id: 1, callFrame: { functionName: '(root)', url: '', lineNumber: 0 }, children: [2] },
      { id: 2, callFrame: { functionName: 'f', url: '', lineNumber: 0 } },
    ];
    const profile = { nodes, startTime: 1_000, samples: [2, 2, 2], timeDeltas: [10, 20, 40] };
    expect(fromCpuProfile(profile, 1_031).total).toBe(40);
  });
});

describe('stacks of perf', () => {
  const text = [
    '',
    '\t    7f0012 tcp_sendmsg+0x1f ([kernel.kallsyms])',
    '\t    7f0013 node::TLSWrap::EncOut()+0x2b (/opt/node/bin/node)',
    '\t    7f0014 JS:*onData /x/phoenix/src/data/http1/server-connection.ts:12:3+0x8 (/tmp/perf-12.map)',
    '',
    '\t    7f0015 malloc+0x1 (/usr/lib/libc.so.6)',
    '',
  ].join('\n');

  it('are turned over, outermost first, with compiled JavaScript by its name and place', () => {
    const root = fromPerfScript(text);
    expect(root.total).toBe(2);
    const names: string[] = [];
    let at = [...root.children.values()].find((child) => child.name === 'onData');
    expect(at?.origin).toBe('src/data/http1/server-connection.ts:12');
    while (at !== undefined) {
      names.push(`${at.name} ${at.origin}`);
      [at] = at.children.values();
    }
    expect(names.slice(1)).toEqual(['node::TLSWrap::EncOut node', 'tcp_sendmsg [kernel.kallsyms]']);
  });
});

describe('a flame graph', () => {
  it('gives each function the width of its share', () => {
    const root = createFrame('all', '');
    addStack(root, [{ name: 'wide', origin: 'src/a.ts:1' }], 75);
    addStack(root, [{ name: 'narrow<script>', origin: '' }], 25);
    const svg = flameGraph(root, 'a title', 'time');
    const width = (name: string): number =>
      Number(new RegExp(`<title>${name}[^]*?width="([\\d.]+)"`).exec(svg)?.[1] ?? Number.NaN);
    expect(width('wide') / width('narrow')).toBeCloseTo(3, 1);
    expect(svg).toContain('75.0 % of time');
    expect(svg).not.toContain('<script>');
  });
});
