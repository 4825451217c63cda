import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

const backend = process.env.BACKEND_URL ?? 'http://127.0.0.1:8000'
const forwarded = ['/api', '/health', '/system', '/openapi.json', '/docs']

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  server: {
    host: '127.0.0.1',
    port: 5173,
    proxy: {
      ...Object.fromEntries(forwarded.map((path) => [path, { target: backend }])),
      '/ws': { target: backend.replace(/^http/, 'ws'), ws: true },
    },
  },
  build: {
    target: 'es2022',
    manifest: true,
    // Nothing as data: URL, so that the content security policy can stay narrow.
    assetsInlineLimit: 0,
    // lightweight-charts alone is larger than the default warning; the real budget is scripts/check-budget.mjs.
    chunkSizeWarningLimit: 700,
  },
  test: {
    restoreMocks: true,
    css: false,
    projects: [
      // Logic needs no browser; only what draws pays for one.
      { extends: true, test: { name: 'logic', environment: 'node', include: ['src/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'components',
          environment: 'jsdom',
          include: ['src/**/*.test.tsx'],
          setupFiles: ['src/test/setup.ts'],
          // Longer than one wait for something on the screen.
          testTimeout: 30_000,
        },
      },
    ],
  },
})
