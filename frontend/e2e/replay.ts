/** A small market to replay: minute bars that swing, so that two averages cross again and again. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Two weeks without a holiday; at the tests' speed they last nine minutes. */
const SESSIONS = [2, 3, 4, 5, 6, 9, 10, 11, 12, 13].map((day) => `2026-02-${String(day).padStart(2, '0')}`)
const BARS_A_SESSION = 390
const SWING_BARS = 70

/** Regular hours in New York, before its clocks change: 14:30 UTC. */
const openOf = (day: string): number => Date.parse(`${day}T14:30:00Z`)

function row(index: number, at: number): string {
  const middle = (step: number) => 600 + 6 * Math.sin((2 * Math.PI * step) / SWING_BARS)
  const open = middle(index)
  const close = middle(index + 1)
  const cells = [open, Math.max(open, close) + 0.2, Math.min(open, close) - 0.2, close].map((price) =>
    price.toFixed(2),
  )
  return [
    new Date(at).toISOString().replace('.000Z', 'Z'),
    ...cells,
    String(50_000 + (index % 7) * 1_000),
  ].join(',')
}

export function writeReplay(folder: string): string {
  mkdirSync(folder, { recursive: true })
  const rows = SESSIONS.flatMap((day, session) =>
    Array.from({ length: BARS_A_SESSION }, (_, bar) =>
      row(session * BARS_A_SESSION + bar, openOf(day) + bar * 60_000),
    ),
  )
  const file = join(folder, 'SPY.csv')
  writeFileSync(file, ['ts_utc,open,high,low,close,volume', ...rows].join('\n') + '\n')
  return folder
}
