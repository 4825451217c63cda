/** Starts the product on a replay in a home of its own, unless BASE_URL says where one runs already. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { writeReplay } from './replay'

const ROOT = resolve(import.meta.dirname, '../..')
const START_LIMIT_MS = 90_000
/** Minutes of the market in a second: a swing of the replay takes about ten seconds. */
const SPEED = process.env.E2E_SPEED ?? '420'

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  await new Promise((done) => server.close(done))
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}

/** Resolves with the address that the product prints, token and all, once it is healthy. */
function addressOf(child: ChildProcess): Promise<URL> {
  return new Promise((done, fail) => {
    let output = ''
    const timer = setTimeout(() => fail(new Error(`tradewright did not start:\n${output}`)), START_LIMIT_MS)
    const listen = (chunk: Buffer) => {
      output += chunk.toString()
      const found = /running at (http:\S+)/.exec(output)?.[1]
      if (found === undefined) return
      clearTimeout(timer)
      done(new URL(found))
    }
    child.stdout?.on('data', listen)
    child.stderr?.on('data', listen)
    child.on('exit', (code) => fail(new Error(`tradewright ended with ${String(code)}:\n${output}`)))
  })
}

export default async function start(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.BASE_URL !== undefined) return undefined
  const home = mkdtempSync(join(tmpdir(), 'tradewright-e2e-'))
  const port = await freePort()
  const replay = writeReplay(join(home, 'replay'))
  const options = [
    'up',
    '--home',
    join(home, 'home'),
    '--port',
    String(port),
    '--replay',
    replay,
    '--speed',
    SPEED,
  ]
  const child = spawn(resolve(ROOT, '.venv/bin/tradewright'), options, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const address = await addressOf(child)
  process.env.BASE_URL = address.origin
  process.env.E2E_TOKEN = address.searchParams.get('token') ?? ''
  return async () => {
    const ended = new Promise((done) => child.once('exit', done))
    child.kill('SIGTERM')
    await ended
    rmSync(home, { recursive: true, force: true })
  }
}
