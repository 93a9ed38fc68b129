import { expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { describeInContainer, mainPid, route, status, underLoad } from './support.ts';

const DYNAMIC = '/etc/phoenix-proxy/dynamic/app.yml';
/** CAP_NET_BIND_SERVICE alone. */
const BIND_ONLY = '0000000000000400';

/** A machine that is busy with other things starts a proxy late. */
const SLOW = { timeoutMs: 60_000, intervalMs: 50 };

describeInContainer('an installation from the release archive', (stage) => {
  it('is refused where it cannot work, in one line', async () => {
    const box = stage();
    const nobody = await box.run(
      'setpriv --reuid=65534 --regid=65534 --clear-groups sh /srv/release/config/install.sh',
    );
    expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringMatching(/^install\.sh: must run as root.*\n$/)]);
    await box.ok('mkdir -p /srv/source/config && cp /srv/release/config/install.sh /srv/source/config/');
    const source = await box.run('/srv/source/config/install.sh');
    expect([source.code, source.stderr]).toEqual([
      1,
      expect.stringMatching(/^install\.sh: \/srv\/source is no unpacked release .*\n$/),
    ]);
    expect((await box.run('/srv/release/config/install.sh --wrong')).code).toBe(2);
    expect(await box.ok('ls /etc/systemd/system /opt')).not.toContain('phoenix-proxy');
  });

  it('puts everything in its place, twice if asked', async () => {
    const box = stage();
    const first = await box.ok('/srv/release/config/install.sh --no-start');
    expect(first).toContain('installed, not started');
    expect(await box.ok('/srv/release/config/install.sh --no-start')).toContain('installed, not started');
    expect(await box.ok('proxy --version')).toMatch(/^\d+\.\d+\.\d+$/);
    const verify = await box.run('systemd-analyze verify phoenix-proxy.service');
    expect([verify.code, verify.stderr]).toEqual([0, '']);
    expect(await box.ok('systemctl is-enabled phoenix-proxy')).toBe('enabled');
  });

  it('starts: systemd waits until every entry point serves', async () => {
    const box = stage();
    box.write(DYNAMIC, route('app.test', 9001));
    for (const port of [9001, 9002])
      await box.ok(`systemd-run --quiet --unit=upstream-${port} /opt/test/node /opt/test/upstream.mjs ${port}`);
    await box.ok('systemctl start phoenix-proxy; curl -sS -m 5 -o /dev/null http://127.0.0.1:80/');
    expect(await status(box, 'http://127.0.0.1:80/')).toBe(200);
    expect(await status(box, 'https://127.0.0.1:8443/')).toBe(404);
    expect(await box.ok('curl -sS http://localhost:8080/ping')).toBe('OK');
    expect(await box.ok('systemctl show --property=StatusText --value phoenix-proxy')).toMatch(
      /^version 1 live, \d+ routers?, \d+ workers?$/,
    );
  });

  it('runs unprivileged: a user of its own, one capability', async () => {
    const box = stage();
    const processes = await box.ok(
      'for p in $(cat /sys/fs/cgroup/systemd/system.slice/phoenix-proxy.service/cgroup.procs 2>/dev/null || cat /sys/fs/cgroup/system.slice/phoenix-proxy.service/cgroup.procs); do awk "/^(Uid|CapEff|CapBnd|NoNewPrivs)/ {printf \\"%s \\", \\$2} END {print \\"\\"}" /proc/$p/status; done',
    );
    const uid = await box.ok('id -u phoenix-proxy');
    const lines = processes.split('\n').map((line) => line.trim());
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(line).toBe(`${uid} ${BIND_ONLY} ${BIND_ONLY} 1`);
  });

  it('serves with all of the hardening that this container can do', async () => {
    const { code } = await stage().run('test -e /etc/systemd/system/phoenix-proxy.service.d/lxc.conf');
    if (code !== 0) return; // Then it has all of it.
    const box = stage();
    // No devices can be made in a container like this one; the rest is as on a machine of its own.
    await box.ok('cp /etc/systemd/system/phoenix-proxy.service.d/lxc.conf /srv/lxc.conf');
    box.write('/etc/systemd/system/phoenix-proxy.service.d/lxc.conf', '[Service]\nPrivateDevices=no\n');
    await box.ok('systemctl daemon-reload && systemctl restart phoenix-proxy && systemctl reload phoenix-proxy');
    expect(await status(box, 'http://127.0.0.1:80/')).toBe(200);
    await box.ok('proxy status');
    const inside = `nsenter --mount --target $(systemctl show --property=MainPID --value phoenix-proxy)`;
    expect((await box.run(`${inside} touch /etc/x`)).stderr).toContain('Read-only file system');
    await box.ok('cp /srv/lxc.conf /etc/systemd/system/phoenix-proxy.service.d/lxc.conf');
    await box.ok('systemctl daemon-reload && systemctl restart phoenix-proxy');
  });

  it('reloads under load, and systemctl waits for the verdict', async () => {
    const box = stage();
    const [{ refused, failed, statuses, requests }] = await underLoad(box, async () => {
      for (let i = 0; i < 10; i++) {
        const port = i % 2 === 0 ? 9002 : 9001;
        box.write(DYNAMIC, route('app.test', port));
        await box.ok('systemctl reload phoenix-proxy');
        expect(await box.ok("curl -sS -H 'Host: app.test' http://127.0.0.1/")).toBe(`upstream ${port}`);
      }
    });
    expect({ refused, failed, statuses }).toEqual({ refused: 0, failed: {}, statuses: { 200: requests } });
    expect(requests).toBeGreaterThan(100);
    await waitFor('the state after a reload', async () =>
      /version \d+ live.*last reload/.test(await box.ok('systemctl show --property=StatusText --value phoenix-proxy')),
    );
    expect(await box.ok('systemctl is-active phoenix-proxy')).toBe('active');
  });

  it('says where a mistake is, and goes on with what was', async () => {
    const box = stage();
    box.write('/etc/phoenix-proxy/dynamic/broken.yml', 'http:\n  routers:\n    x: { rule: "Host(", service: app }\n');
    const reload = await box.run('systemctl reload phoenix-proxy');
    expect(reload.code).not.toBe(0);
    expect(await box.ok('journalctl -u phoenix-proxy --output=cat --no-pager')).toMatch(/broken\.yml:3:\d+/);
    expect(await status(box, 'http://127.0.0.1:80/')).toBe(200);
    expect(await box.ok('systemctl is-active phoenix-proxy')).toBe('active');
    await waitFor('a status that says so', async () =>
      /last reload \S+ with errors/.test(await box.ok('systemctl show --property=StatusText --value phoenix-proxy')),
    );
    await box.ok('rm /etc/phoenix-proxy/dynamic/broken.yml && systemctl reload phoenix-proxy');
  });

  it('writes a journal that people can read', async () => {
    const box = stage();
    const journal = await box.ok('journalctl -u phoenix-proxy --output=cat --no-pager');
    expect(journal).toMatch(/ready: web on :80, websecure on :8443, traefik on :8080/);
    expect(journal).toMatch(/reloaded: version \d+ is live/);
    expect(journal).not.toMatch(/systemd was not told|\n\s+at /);
  });

  it('comes back after kill -9', async () => {
    const box = stage();
    const before = await mainPid(box);
    await box.ok(`kill -9 ${before}`);
    await waitFor(
      'another primary that serves',
      async () => {
        const now = await mainPid(box);
        return now !== 0 && now !== before && (await status(box, 'http://127.0.0.1:80/')) === 200;
      },
      SLOW,
    );
    expect(await box.ok('ls /run/phoenix-proxy')).toBe(String(await mainPid(box)));
  });

  it('is killed by the watchdog when it hangs, and comes back', async () => {
    const box = stage();
    // The unit's own 15 s, made shorter so that the test is.
    box.write('/etc/systemd/system/phoenix-proxy.service.d/watchdog.conf', '[Service]\nWatchdogSec=2\n');
    await box.ok('systemctl daemon-reload && systemctl restart phoenix-proxy');
    const before = await mainPid(box);
    // It is fed for longer than the watchdog waits.
    await box.ok('sleep 5');
    expect(await mainPid(box)).toBe(before);
    await box.ok(`kill -STOP ${before}`);
    await waitFor(
      'another primary that serves',
      async () => {
        const now = await mainPid(box);
        return now !== 0 && now !== before && (await status(box, 'http://127.0.0.1:80/')) === 200;
      },
      SLOW,
    );
    expect(await box.ok('journalctl -u phoenix-proxy --no-pager')).toContain('Watchdog timeout');
    await box.ok('rm -r /etc/systemd/system/phoenix-proxy.service.d/watchdog.conf && systemctl daemon-reload');
    await box.ok('systemctl restart phoenix-proxy');
  });

  it('finishes what is under way when it is restarted', async () => {
    const box = stage();
    const slow = Array.from({ length: 20 }, () => status(box, "'http://127.0.0.1:80/slow?ms=2000'"));
    await waitFor(
      'the requests to be under way',
      async () => Number(await box.ok("ss -Htn state established '( sport = :9001 )' | wc -l")) === 20,
    );
    await box.ok('systemctl restart phoenix-proxy');
    expect(await Promise.all(slow)).toEqual(Array(20).fill(200));
  });

  it('is upgraded on disk, and new workers run the new release', async () => {
    const box = stage();
    await box.ok(
      `cp -a /srv/release /srv/newer && sed -i 's/"version": "[^"]*"/"version": "99.0.0"/' /srv/newer/package.json && echo newer >/srv/newer/RELEASE`,
    );
    expect(await box.ok('/srv/newer/config/install.sh')).toContain('proxy restart-workers');
    const before = await mainPid(box);
    const [{ refused, failed, statuses, requests }] = await underLoad(box, () => box.ok('proxy restart-workers'));
    expect({ refused, failed, statuses }).toEqual({ refused: 0, failed: {}, statuses: { 200: requests } });
    expect(await mainPid(box)).toBe(before);
    const exes = await box.ok(`for p in $(pgrep -P ${before}); do readlink /proc/$p/exe; done`);
    expect(exes).toMatch(/^(\/opt\/phoenix-proxy\/releases\/99\.0\.0\/.*\n?)+$/);
  });

  it('refuses no connection through restarts and crashes, with the sockets in systemd', async () => {
    const box = stage();
    expect(await box.ok('/srv/newer/config/install.sh --socket-activation')).toContain('running: ');
    const [{ refused, statuses, failed, requests, slowestMs }] = await underLoad(box, async () => {
      for (let i = 0; i < 3; i++) {
        await box.ok('systemctl restart phoenix-proxy');
        const before = await mainPid(box);
        await box.ok(`kill -9 ${before}`);
        await waitFor(
          'another primary that serves',
          async () => {
            const active = (await box.run('systemctl is-active phoenix-proxy')).stdout === 'active\n';
            return active && ![0, before].includes(await mainPid(box));
          },
          SLOW,
        );
      }
    });
    expect(refused).toBe(0);
    // A crash takes what it had in hand with it: that, and nothing else.
    const broken = Object.values(failed).reduce((sum, n) => sum + n, 0) + (statuses.incomplete ?? 0);
    expect((statuses[200] ?? 0) + broken).toBe(requests);
    console.log(
      `3 restarts and 3 kill -9 under load: ${JSON.stringify({ requests, refused, failed, statuses, slowestMs })}`,
    );
    expect(await box.ok('journalctl -u phoenix-proxy --output=cat --no-pager')).not.toContain('no entry point wants');
  });

  it('gives each entry point the socket that is named after it', async () => {
    const box = stage();
    await box.ok('systemctl stop phoenix-proxy.socket phoenix-proxy');
    const unit = (port: number, name: string): string =>
      `[Socket]\nListenStream=${port}\nFileDescriptorName=${name}\nService=phoenix-proxy.service\n`;
    box.write('/etc/systemd/system/named-web.socket', unit(81, 'web'));
    box.write('/etc/systemd/system/named-secure.socket', unit(8444, 'websecure'));
    await box.ok('systemctl daemon-reload && systemctl start named-web.socket named-secure.socket phoenix-proxy');
    expect(await status(box, 'http://127.0.0.1:81/')).toBe(200);
    expect(await status(box, 'https://127.0.0.1:8444/')).toBe(404);
    expect(await box.ok('curl -sS http://localhost:8080/ping')).toBe('OK');
    expect(await status(box, 'http://127.0.0.1:80/')).toBe(0);
    await box.ok('systemctl stop named-web.socket named-secure.socket phoenix-proxy && rm /etc/systemd/system/named-*');
    await box.ok('systemctl start phoenix-proxy.socket phoenix-proxy');
  });

  it('goes without a trace but its configuration', async () => {
    const box = stage();
    expect(await box.ok('/opt/phoenix-proxy/current/config/install.sh --uninstall')).toContain('These stay');
    expect(await status(box, 'http://127.0.0.1:80/')).toBe(0);
    expect((await box.run('systemctl cat phoenix-proxy')).code).not.toBe(0);
    expect((await box.run('ls /opt/phoenix-proxy /usr/local/bin/proxy')).stdout).toBe('');
    expect(await box.ok('ls /etc/phoenix-proxy')).toBe('dynamic\nproxy.yml');
    expect(await box.ok('systemctl list-units --all --no-legend "phoenix-proxy*"')).toBe('');
  });
});
