import { expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { type Container, RELEASE } from './container.ts';
import { describeInContainer, route, status, underLoad } from './support.ts';

/*
 * The mesh's Traefik, with a stand-in for its program: the unit, the files and their owners are as its operator has them.
 */

const INSTALL = `${RELEASE}/config/install.sh`;

const UNIT = `[Unit]
Description=Traefik
[Service]
ExecStart=/usr/local/bin/traefik --configfile=/etc/traefik/traefik.yml
ExecReload=/usr/bin/pkill -HUP -f traefik-stand-in
Restart=always
[Install]
WantedBy=multi-user.target
`;

const STATIC = `entryPoints:
  web: { address: ":80" }
  websecure: { address: ":8443" }
  traefik: { address: ":8080" }
providers:
  file: { directory: /etc/traefik/dynamic, watch: true }
ping: { entryPoint: traefik }
log: { level: INFO }
accessLog: { filePath: /var/log/traefik/access.log, format: json }
certificatesResolvers:
  external-resolver: &resolver
    acme:
      email: admin@app.test
      storage: /etc/traefik/acme.json
      caServer: https://127.0.0.1:9000/acme/acme/directory
      httpChallenge: { entryPoint: web }
  internal-resolver: *resolver
`;

const TLS = `tls:
  certificates:
    - { certFile: /etc/step-ca/ssl/internal.crt, keyFile: /etc/step-ca/ssl/internal.key }
`;

/** Who answers on :80. */
async function servedBy(box: Container): Promise<string> {
  const head = await box.ok("curl -s -m 5 -D - -o /dev/null -H 'Host: app.test' http://127.0.0.1/");
  return /x-served-by: (\S+)/i.exec(head)?.[1] ?? 'the proxy';
}

/** Owner, group and mode of what an installer could touch. */
function access(box: Container): Promise<string> {
  return box.ok("find /etc/traefik /etc/step-ca /var/log/traefik -printf '%p %u:%g %m\\n' | grep -v access.log | sort");
}

describeInContainer('taking the place of Traefik', (stage) => {
  let before = '';

  it('needs a Traefik that runs', async () => {
    const box = stage();
    const done = await box.run(`${INSTALL} --take-over`);
    expect([done.code, done.stderr]).toEqual([
      1,
      "install.sh: there is no unit traefik.service: name Traefik's (--take-over UNIT)\n",
    ]);
    box.write('/usr/local/bin/traefik', '#!/bin/sh\nexec /opt/test/node /opt/test/traefik-stand-in.mjs "$@"\n', 0o755);
    box.write('/etc/systemd/system/traefik.service', UNIT);
    box.write('/etc/traefik/traefik.yml', STATIC);
    box.write('/etc/traefik/dynamic/dynamic_conf.yml', route('app.test', 9001) + TLS);
    await box.ok(
      [
        'mkdir -p /var/log/traefik /etc/step-ca/ssl',
        'openssl version >/dev/null',
        'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=app.test -addext subjectAltName=DNS:app.test -keyout /etc/step-ca/ssl/internal.key -out /etc/step-ca/ssl/internal.crt 2>/dev/null',
        'chmod 600 /etc/step-ca/ssl/internal.key /etc/traefik/dynamic/dynamic_conf.yml',
        'chmod 700 /etc/step-ca/ssl',
        'echo {} >/etc/traefik/acme.json',
        'chmod 600 /etc/traefik/acme.json',
        'systemctl daemon-reload',
        'systemctl enable --now --quiet traefik',
        'systemd-run --quiet --unit=upstream /opt/test/node /opt/test/upstream.mjs 9001',
      ].join(' && '),
    );
    await waitFor('the stand-in', async () => (await servedBy(box)) === 'traefik-stand-in');
    before = await access(box);
  });

  it('leaves Traefik alone where the files are wrong', async () => {
    const box = stage();
    box.write('/etc/traefik/traefik.yml', STATIC.replace(':8443', ':notaport'));
    const done = await box.run(`${INSTALL} --take-over`);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/traefik\.yml:3:\d+/);
    expect(await servedBy(box)).toBe('traefik-stand-in');
    expect(await access(box)).toBe(before);
    box.write('/etc/traefik/traefik.yml', STATIC);

    box.write('/etc/traefik/dynamic/wrong.yml', 'http:\n  routers:\n    x: { rule: "Host(", service: app }\n');
    const checked = await box.run(`${INSTALL} --take-over`);
    expect([checked.code, checked.stderr]).toEqual([
      1,
      expect.stringMatching(/wrong\.yml:3:[\s\S]*--force takes over/),
    ]);
    expect(await access(box)).toContain('wrong.yml root:root 644');
    await box.ok('rm /etc/traefik/dynamic/wrong.yml');
    expect(await access(box)).toBe(before);
    expect(await servedBy(box)).toBe('traefik-stand-in');
  });

  it('brings Traefik back at once where the proxy does not come up', async () => {
    const box = stage();
    // Free for the trial, which has ports of its own; taken for the real thing.
    box.write(
      '/etc/traefik/traefik.yml',
      STATIC.replace('entryPoints:', 'entryPoints:\n  other: { address: ":9001" }'),
    );
    const done = await box.run(`${INSTALL} --take-over`);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain('traefik.service runs again, as before');
    await waitFor('the stand-in', async () => (await servedBy(box)) === 'traefik-stand-in');
    expect(await access(box)).toBe(before);
    expect(await box.ok('cat /etc/systemd/system/traefik.service')).toBe(UNIT.trim());
    expect(await box.ok('systemctl is-enabled traefik')).toBe('enabled');
    box.write('/etc/traefik/traefik.yml', STATIC);
    await box.ok('systemctl restart traefik');
    await waitFor('the stand-in', async () => (await servedBy(box)) === 'traefik-stand-in');
  });

  it('starts anew where it was cut short', async () => {
    const box = stage();
    // The switch is never reached: the trial is killed with all that belongs to it.
    const unit = 'systemd-run --quiet --unit=cut-short --property=KillMode=control-group';
    await box.ok(`${unit} ${INSTALL} --take-over`);
    await waitFor('a permission that was given', async () =>
      (await box.run('grep -c internal.key /opt/phoenix-proxy/take-over/permissions')).stdout.startsWith('1'),
    );
    await box.ok('systemctl kill --signal=KILL cut-short');
    expect(await access(box)).not.toBe(before);
    expect(await servedBy(box)).toBe('traefik-stand-in');
  });

  it('is done in less than a second', async () => {
    const box = stage();
    // As the mesh has it: Traefik accepts this rule, and it matches nothing.
    const old =
      'http: { routers: { all: { rule: "HostRegexp(`{host:.+}`)", service: noop@internal, entryPoints: [web] } } }';
    box.write('/etc/traefik/dynamic/old.yml', `${old}\n`);
    // Traefik would wait for it as long as its graceTimeOut.
    const slow = box.run('curl -s -m 50 http://127.0.0.1/slow');
    const [{ refused, troubleForMs, failed, statuses, servers, slowestMs }, said] = await underLoad(box, () =>
      box.ok(`${INSTALL} --take-over --force 2>&1`),
    );
    console.log(`take-over: ${JSON.stringify({ refused, troubleForMs, failed, servers, slowestMs })}\n${said}`);
    expect(said).toMatch(/old\.yml:1:\d+: error: `\{host:\.\+\}` is a template of version 2/);
    expect(said).toContain('an earlier take-over was cut short: it is undone first');
    expect(Object.keys(servers).sort()).toEqual(['the proxy', 'traefik-stand-in']);
    expect(troubleForMs).toBeLessThan(1000);
    expect((await slow).code).not.toBe(0);
    // Who closes a socket resets what waits in it to be accepted: that is Traefik's end, and part of the gap.
    expect({ ...failed, ECONNRESET: 0 }).toEqual({ ECONNRESET: 0 });
    expect(Object.keys(statuses)).toEqual(['200']);
    expect(await servedBy(box)).toBe('the proxy');
    expect(said).toContain('/etc/step-ca/ssl/internal.key: group phoenix-proxy');
    // Traefik refuses a storage that more than its owner may read.
    expect(await access(box)).toContain('/etc/traefik/acme.json phoenix-proxy:root 600');
  });

  it("keeps the operator's ways", async () => {
    const box = stage();
    expect(await box.ok('systemctl is-active traefik phoenix-proxy')).toBe('active\nactive');
    expect(await box.ok('curl -sS http://localhost:8080/ping')).toBe('OK');
    // Traefik's reload never says what is wrong.
    expect((await box.run('systemctl reload traefik')).code).toBe(1);
    expect(await box.ok('journalctl -u traefik --output=cat --no-pager --lines=20')).toContain('old.yml:1:');
    await box.ok('rm /etc/traefik/dynamic/old.yml && systemctl reload traefik');
    await box.ok('systemctl status traefik');
    const journal = await box.ok('journalctl -u traefik --output=cat --no-pager');
    expect(journal).toMatch(/stand-in started[\s\S]*ready: web on :80[\s\S]*reloaded: /);
    const issuer = await box.ok(
      'openssl s_client -connect 127.0.0.1:8443 -servername app.test </dev/null 2>&1 | openssl x509 -noout -subject',
    );
    expect(issuer).toMatch(/CN ?= ?app\.test/);
    expect(await box.ok('tail -1 /var/log/traefik/access.log')).toContain('"RouterName":"app@file"');
    const user = await box.ok('ps -o user= -p $(systemctl show --property=MainPID --value traefik)');
    expect(user).toMatch(/^phoenix/);
    await box.ok('systemctl restart traefik');
    expect(await status(box, 'http://127.0.0.1/')).toBe(200);
  });

  it('survives a new certificate that root writes, and says who may not read it', async () => {
    const box = stage();
    await box.ok('cd /etc/step-ca/ssl && cp internal.key k && chmod 600 k && mv k internal.key');
    await waitFor('a finding', async () =>
      /internal\.key/.test(await box.ok('journalctl -u traefik --output=cat --no-pager --lines 5')),
    );
    expect(await status(box, 'https://127.0.0.1:8443/')).toBe(404);
    expect(await status(box, 'http://127.0.0.1/')).toBe(200);
    await box.ok('chgrp phoenix-proxy /etc/step-ca/ssl/internal.key && chmod 640 /etc/step-ca/ssl/internal.key');
  });

  it('is upgraded by the same words', async () => {
    const box = stage();
    expect(await box.ok(`${INSTALL} --take-over`)).toContain('it runs already');
    const refused = await box.run(INSTALL);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('--give-back first')]);
    expect((await box.run(`${INSTALL} --uninstall`)).code).toBe(1);
    expect(await servedBy(box)).toBe('the proxy');
  });

  it('is undone by --give-back', async () => {
    const box = stage();
    console.log(await box.ok(`${INSTALL} --give-back`));
    await waitFor('the stand-in', async () => (await servedBy(box)) === 'traefik-stand-in');
    expect(await access(box)).toBe(before);
    expect(await box.ok('cat /etc/systemd/system/traefik.service')).toBe(UNIT.trim());
    expect(await box.ok('systemctl is-enabled traefik')).toBe('enabled');
    expect(await box.ok('ls /etc/systemd/system')).not.toMatch(/phoenix|traefik\.service\.d/);
    expect((await box.run(`${INSTALL} --give-back`)).code).toBe(1);
    await box.ok(`${INSTALL} --uninstall`);
    expect(await servedBy(box)).toBe('traefik-stand-in');
  });
});
