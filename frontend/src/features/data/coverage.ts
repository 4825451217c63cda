/** Lays a year of sessions out as a calendar: a column a week, a row a weekday. */
import type { SessionCoverage } from '@/lib/api/types'
import { formatFigure, formatName, plural } from '@/lib/format'

/** How whole a session is, worst last; `explained`: what is missing, nobody could have. */
export type Level = 'whole' | 'explained' | 'little' | 'half' | 'most' | 'none'

export interface Cell {
  session: SessionCoverage
  /** From 0. */
  column: number
  row: number
  level: Level
}

export interface Calendar {
  cells: Cell[]
  columns: number
  /** Monday first; weekends only where there are sessions on them. */
  rows: number
  months: { label: string; column: number }[]
}

const DAY_MS = 86_400_000
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
export const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const
const EXPLAINED = new Set(['closed', 'no_trade'])
const LITTLE = 0.95
const HALF = 0.5
/** Two labels nearer than this would touch. */
const MONTH_COLUMNS = 3

const dayOf = (session: string): number => Date.parse(`${session}T00:00:00Z`)
/** Monday 0 … Sunday 6. */
const weekdayOf = (at: number): number => (new Date(at).getUTCDay() + 6) % 7

export function levelOf({ expected, found, gaps }: SessionCoverage): Level {
  const missing = Math.max(0, expected - found)
  if (missing === 0) return 'whole'
  const explained = Object.entries(gaps ?? {}).reduce(
    (sum, [state, bars]) => sum + (EXPLAINED.has(state) ? bars : 0),
    0,
  )
  if (explained >= missing) return 'explained'
  if (found === 0) return 'none'
  const share = found / expected
  return share >= LITTLE ? 'little' : share >= HALF ? 'half' : 'most'
}

export function layOut(sessions: readonly SessionCoverage[]): Calendar {
  const first = sessions[0]
  if (!first) return { cells: [], columns: 0, rows: 5, months: [] }
  const start = dayOf(first.session)
  const monday = start - weekdayOf(start) * DAY_MS
  const cells = sessions.map((session) => {
    const at = dayOf(session.session)
    const days = Math.round((at - monday) / DAY_MS)
    return { session, column: Math.floor(days / 7), row: days % 7, level: levelOf(session) }
  })
  const months: Calendar['months'] = []
  let known = ''
  for (const { session, column } of cells) {
    const month = session.session.slice(0, 7)
    if (month === known) continue
    known = month
    const previous = months.at(-1)
    if (previous && column - previous.column < MONTH_COLUMNS) months.pop()
    const name = MONTHS[Number(month.slice(5)) - 1] ?? ''
    months.push({ label: name === 'Jan' ? `${name} ${month.slice(0, 4)}` : name, column })
  }
  return {
    cells,
    columns: (cells.at(-1)?.column ?? 0) + 1,
    rows: Math.max(5, ...cells.map((cell) => cell.row + 1)),
    months,
  }
}

/** Where an arrow leads: the nearest session that way, or the same one at the edge. */
export function neighbour(cells: readonly Cell[], from: number, key: string): number {
  const cell = cells[from]
  if (!cell) return 0
  if (key === 'Home') return 0
  if (key === 'End') return cells.length - 1
  if (key === 'ArrowUp') return Math.max(0, from - 1)
  if (key === 'ArrowDown') return Math.min(cells.length - 1, from + 1)
  const step = key === 'ArrowRight' ? 1 : -1
  let best = from
  let distance = Infinity
  cells.forEach((other, index) => {
    const columns = (other.column - cell.column) * step
    if (columns <= 0) return
    const far = columns * 10 + Math.abs(other.row - cell.row)
    if (far < distance) [best, distance] = [index, far]
  })
  return best
}

const longDate = (session: string): string => {
  const at = dayOf(session)
  const [year, month, day] = session.split('-')
  return `${WEEKDAYS[weekdayOf(at)] ?? ''} ${String(Number(day))} ${MONTHS[Number(month) - 1] ?? ''} ${year ?? ''}`
}

/** Found and expected in words, for the tooltip and for those who only hear it. */
export function describeSession(session: SessionCoverage): { title: string; lines: string[] } {
  const { expected, found, gaps, is_half_day } = session
  const figures = `${formatFigure(found, { decimals: 0 })} of ${plural(expected, 'bar')}`
  const lines = [figures]
  const missing = Math.max(0, expected - found)
  const known = Object.entries(gaps ?? {}).filter(([state, bars]) => state !== 'repaired' && bars > 0)
  for (const [state, bars] of known) lines.push(`${plural(bars, 'bar')}: ${formatName(state).toLowerCase()}`)
  if (missing > 0 && known.length === 0) lines.push(`${plural(missing, 'bar')} missing`)
  if (gaps?.repaired) lines.push(`${plural(gaps.repaired, 'bar')} repaired`)
  if (is_half_day) lines.push('Half day')
  return { title: longDate(session.session), lines }
}

/** The years that a series has sessions in, the newest first. */
export function yearsOf(first: string, last: string): number[] {
  const [from, to] = [new Date(first).getUTCFullYear(), new Date(last).getUTCFullYear()]
  return Array.from({ length: Math.max(0, to - from) + 1 }, (_, back) => to - back)
}
