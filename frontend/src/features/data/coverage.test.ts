import { expect, test } from 'vitest'
import type { SessionCoverage } from '@/lib/api/types'
import { describeSession, layOut, levelOf, neighbour, yearsOf } from './coverage'

const session = (day: string, change: Partial<SessionCoverage> = {}): SessionCoverage => ({
  session: day,
  open: `${day}T14:30:00Z`,
  close: `${day}T21:00:00Z`,
  expected: 390,
  found: 390,
  share: 1,
  is_half_day: false,
  gaps: {},
  ...change,
})

/** Thursday to the Tuesday after, with a holiday on the Friday between. */
const WEEK = ['2025-11-26', '2025-11-28', '2025-12-01', '2025-12-02'].map((day) => session(day))

test('a session stands in the column of its week and the row of its weekday', () => {
  const { cells, columns, rows } = layOut(WEEK)
  expect(cells.map(({ column, row }) => [column, row])).toEqual([
    [0, 2],
    [0, 4],
    [1, 0],
    [1, 1],
  ])
  expect([columns, rows]).toEqual([2, 5])
})

test('a market that is open on Sundays gets a seventh row', () => {
  expect(layOut([session('2025-11-30')]).rows).toBe(7)
})

test('months are named where they begin, and a stump of a month gives way to the next', () => {
  const days = Array.from({ length: 120 }, (_, day) =>
    session(new Date(Date.UTC(2025, 10, 27 + day)).toISOString().slice(0, 10)),
  )
  expect(layOut(days).months.map(({ label }) => label)).toEqual(['Dec', 'Jan 2026', 'Feb', 'Mar'])
})

test('nothing to lay out is no error', () => {
  expect(layOut([])).toEqual({ cells: [], columns: 0, rows: 5, months: [] })
})

test('how whole a session is has six levels, and what nobody could have does not count as a hole', () => {
  const levels = [
    session('2025-11-26'),
    session('2025-11-26', { found: 388, gaps: { no_trade: 2 } }),
    session('2025-11-26', { found: 388, gaps: { unexplained: 2 } }),
    session('2025-11-26', { found: 300 }),
    session('2025-11-26', { found: 10 }),
    session('2025-11-26', { found: 0 }),
    session('2025-11-26', { found: 0, gaps: { closed: 390 } }),
  ].map(levelOf)
  expect(levels).toEqual(['whole', 'explained', 'little', 'half', 'most', 'none', 'explained'])
})

test('arrows walk to the nearest session, over holidays, and stop at the edges', () => {
  const { cells } = layOut(WEEK)
  expect(neighbour(cells, 0, 'ArrowDown')).toBe(1)
  expect(neighbour(cells, 0, 'ArrowRight')).toBe(3)
  expect(neighbour(cells, 2, 'ArrowLeft')).toBe(0)
  expect(neighbour(cells, 3, 'ArrowRight')).toBe(3)
  expect(neighbour(cells, 0, 'ArrowUp')).toBe(0)
  expect(neighbour(cells, 0, 'End')).toBe(3)
  expect(neighbour(cells, 3, 'Home')).toBe(0)
})

test('a session says found and expected, why bars are missing, and that it was short', () => {
  const { title, lines } = describeSession(
    session('2025-11-28', {
      expected: 210,
      found: 207,
      gaps: { no_trade: 2, unexplained: 1 },
      is_half_day: true,
    }),
  )
  expect(title).toBe('Fri 28 Nov 2025')
  expect(lines).toEqual(['207 of 210 bars', '2 bars: no trade', '1 bar: unexplained', 'Half day'])
})

test('missing bars that no ledger knows are said too', () => {
  expect(describeSession(session('2025-11-28', { found: 380 })).lines).toContain('10 bars missing')
})

test('years are offered from the newest back to the first', () => {
  expect(yearsOf('2023-05-01T13:30:00Z', '2025-01-02T14:30:00Z')).toEqual([2025, 2024, 2023])
})
