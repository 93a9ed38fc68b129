import { defineConfig } from 'vitest/config';

/** `npm run test:system`: the release archive in containers with a systemd of their own. Needs root, lxc and mmdebstrap. */
export default defineConfig({
  test: {
    include: ['test/system/**/*.test.ts'],
    globalSetup: ['test/system/setup.ts'],
    testTimeout: 180_000,
    hookTimeout: 120_000,
    maxWorkers: 1,
    pool: 'forks',
    // A story: each step stands on those before it.
    bail: 1,
  },
});
