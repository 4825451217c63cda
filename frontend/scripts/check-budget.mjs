// Fails the build when what the first page must load is larger than the budget.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const LIMIT_KB = 300
const dist = new URL('../dist/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'))

const files = new Set()
const visit = (key) => {
  const chunk = manifest[key]
  if (!chunk || files.has(chunk.file)) return
  files.add(chunk.file)
  for (const next of chunk.imports ?? []) visit(next)
}
for (const [key, chunk] of Object.entries(manifest)) if (chunk.isEntry) visit(key)

const scripts = [...files].filter((file) => file.endsWith('.js'))
const bytes = scripts.reduce((sum, file) => sum + gzipSync(readFileSync(new URL(file, dist))).length, 0)
const kilobytes = bytes / 1024
const line = `initial JavaScript: ${kilobytes.toFixed(1)} KB gzip in ${scripts.length} files (budget ${LIMIT_KB} KB)`
if (kilobytes > LIMIT_KB) {
  process.stderr.write(`${line}: too large; load something lazily.\n`)
  process.exit(1)
}
process.stdout.write(`${line}\n`)

const html = readFileSync(new URL('index.html', dist), 'utf8')
if (/<script(?![^>]*\bsrc=)[^>]*>/.test(html)) {
  process.stderr.write('index.html has an inline script; the content security policy forbids it.\n')
  process.exit(1)
}
