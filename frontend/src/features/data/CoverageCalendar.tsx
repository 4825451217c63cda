/** A year of sessions at a glance: each cell fills up with the bars that are there; arrows walk the days. */
import { Tooltip } from '@mantine/core'
import { type CSSProperties, type KeyboardEvent, useMemo, useRef, useState } from 'react'
import type { SessionCoverage } from '@/lib/api/types'
import { plural } from '@/lib/format'
import styles from './CoverageCalendar.module.css'
import { type Cell, type Level, WEEKDAYS, describeSession, layOut, neighbour } from './coverage'

const LEGEND: readonly { level: Level; label: string }[] = [
  { level: 'whole', label: 'Whole' },
  { level: 'explained', label: 'Missing, explained' },
  { level: 'little', label: 'Up to 5 % missing' },
  { level: 'half', label: 'Up to half missing' },
  { level: 'most', label: 'More missing' },
  { level: 'none', label: 'Nothing' },
]

interface CoverageCalendarProps {
  sessions: readonly SessionCoverage[]
  /** Said to those who do not see it. */
  label: string
  /** The session whose gaps are asked for. */
  onChoose?: (session: SessionCoverage) => void
}

export function CoverageCalendar({ sessions, label, onChoose }: CoverageCalendarProps) {
  const calendar = useMemo(() => layOut(sessions), [sessions])
  const [active, setActive] = useState<number | null>(null)
  /** What the tooltip points at: the cell under the pointer, else the one with the focus. */
  const [target, setTarget] = useState<HTMLElement | null>(null)
  const grid = useRef<HTMLDivElement>(null)
  const { cells } = calendar
  const focused = active !== null && active < cells.length ? active : cells.length - 1
  const shown = Number(target?.dataset.index)

  const onKeyDown = (event: KeyboardEvent) => {
    if (!['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Home', 'End'].includes(event.key)) return
    event.preventDefault()
    const next = neighbour(cells, focused, event.key)
    setActive(next)
    grid.current?.querySelector<HTMLElement>(`[data-index="${String(next)}"]`)?.focus()
  }

  return (
    <div className={styles.calendar}>
      {/* The newest weeks are what one looks for first: narrow windows begin at that end. */}
      <div className={styles.scroller}>
        <div
          className={styles.frame}
          style={{ '--columns': calendar.columns, '--rows': calendar.rows } as CSSProperties}
        >
          <div className={styles.months} aria-hidden>
            {calendar.months.map(({ label: month, column }) => (
              <span key={column} style={{ gridColumnStart: column + 1 }}>
                {month}
              </span>
            ))}
          </div>
          <div className={styles.weekdays} aria-hidden>
            {WEEKDAYS.slice(0, calendar.rows).map((day, row) => (
              <span key={day}>{row % 2 === 0 ? day : ''}</span>
            ))}
          </div>
          <div
            ref={grid}
            className={styles.cells}
            role="group"
            aria-label={label}
            onKeyDown={onKeyDown}
            onMouseLeave={() => setTarget(null)}
            onBlur={() => setTarget(null)}
          >
            {cells.map((cell, index) => (
              <SessionCell
                key={cell.session.session}
                cell={cell}
                index={index}
                isTarget={index === focused}
                onPoint={setTarget}
                onFocus={setActive}
                onChoose={onChoose}
              />
            ))}
          </div>
        </div>
      </div>
      {target && cells[shown] && (
        <Tooltip
          target={target}
          opened
          label={<Label cell={cells[shown]} />}
          transitionProps={{ duration: 0 }}
        />
      )}
      <ul className={styles.legend} aria-label="Legend">
        {LEGEND.map(({ level, label: meaning }) => (
          <li key={level}>
            <span className={styles.cell} data-level={level} style={levelFill(level)} aria-hidden />
            {meaning}
          </li>
        ))}
        <li>
          <span className={styles.cell} data-level="whole" data-half style={levelFill('whole')} aria-hidden />
          Half day
        </li>
      </ul>
    </div>
  )
}

const FILLS: Record<Level, number> = { whole: 1, explained: 1, little: 0.85, half: 0.6, most: 0.3, none: 0 }

/** Height tells as much as colour. */
const levelFill = (level: Level) => ({ '--fill': FILLS[level] }) as CSSProperties

interface SessionCellProps {
  cell: Cell
  index: number
  isTarget: boolean
  onPoint: (cell: HTMLElement) => void
  onFocus: (index: number) => void
  onChoose: CoverageCalendarProps['onChoose']
}

function SessionCell({ cell, index, isTarget, onPoint, onFocus, onChoose }: SessionCellProps) {
  const { session, level } = cell
  const { title, lines } = describeSession(session)
  return (
    <button
      type="button"
      className={styles.cell}
      data-index={index}
      data-level={level}
      data-half={session.is_half_day || undefined}
      style={{ ...levelFill(level), gridColumn: cell.column + 1, gridRow: cell.row + 1 }}
      tabIndex={isTarget ? 0 : -1}
      aria-label={`${title}: ${lines.join(', ')}`}
      onMouseEnter={(event) => onPoint(event.currentTarget)}
      onFocus={(event) => {
        onFocus(index)
        onPoint(event.currentTarget)
      }}
      onClick={() => onChoose?.(session)}
    />
  )
}

const Label = ({ cell }: { cell: Cell }) => {
  const { title, lines } = describeSession(cell.session)
  return (
    <span className={styles.tip}>
      <b>{title}</b>
      {lines.map((line) => (
        <span key={line}>{line}</span>
      ))}
    </span>
  )
}

/** The calendar in one sentence. */
export function describeCoverage(sessions: readonly SessionCoverage[]): string {
  const expected = sessions.reduce((sum, { expected: bars }) => sum + bars, 0)
  const missing = sessions.reduce((sum, { expected: bars, found }) => sum + Math.max(0, bars - found), 0)
  const touched = sessions.filter(({ expected: bars, found }) => found < bars).length
  const base = plural(sessions.length, 'session')
  if (missing === 0) return `${base}, every one of ${plural(expected, 'expected bar')} is there.`
  return `${base}; ${plural(missing, 'bar')} of ${plural(expected, 'expected bar')} missing, in ${plural(touched, 'session')}.`
}
