import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Needs root and containers: npm run test:system.
    exclude: ['test/system/**'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Tests spawn real proxies with several processes each: more files at once only make a small machine thrash.
    maxWorkers: 2,
    pool: 'forks',
  },
});
