/** The path through the real product, in the system's Chromium. */
import { existsSync } from 'node:fs'
import { defineConfig } from '@playwright/test'

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/google-chrome', '/usr/bin/chromium-browser']
const chromium = process.env.CHROMIUM ?? CANDIDATES.find((path) => existsSync(path))

export const STATE_FILE = 'test-results/state.json'

export default defineConfig({
  testDir: '.',
  outputDir: '../test-results/runs',
  globalSetup: './start.ts',
  // One product, one story: a halt in one test is a halt in all.
  workers: 1,
  fullyParallel: false,
  timeout: 120_000,
  // A safety net, not a cure: what passes only then is named as flaky.
  retries: process.env.CI === undefined ? 0 : 1,
  expect: { timeout: 15_000 },
  reporter: 'list',
  use: {
    viewport: { width: 1440, height: 900 },
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    launchOptions: {
      ...(chromium === undefined ? {} : { executablePath: chromium }),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    { name: 'sign-up', testMatch: 'sign-up.ts' },
    { name: 'pages', testMatch: 'pages.ts', dependencies: ['sign-up'], use: { storageState: STATE_FILE } },
    { name: 'orders', testMatch: 'orders.ts', dependencies: ['sign-up'], use: { storageState: STATE_FILE } },
    { name: 'risk', testMatch: 'risk.ts', dependencies: ['sign-up'], use: { storageState: STATE_FILE } },
    {
      name: 'operate',
      testMatch: 'operate.ts',
      dependencies: ['sign-up'],
      use: { storageState: STATE_FILE },
    },
    // Last, because it ends with everything halted.
    { name: 'path', testMatch: 'path.ts', dependencies: ['pages'], use: { storageState: STATE_FILE } },
  ],
})
