import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test } from 'vitest'
import type { SessionCoverage } from '@/lib/api/types'
import { renderWithProviders } from '@/test/render'
import { CoverageCalendar, describeCoverage } from './CoverageCalendar'

const session = (day: string, found = 390): SessionCoverage => ({
  session: day,
  open: `${day}T14:30:00Z`,
  close: `${day}T21:00:00Z`,
  expected: 390,
  found,
  share: found / 390,
  is_half_day: false,
  gaps: {},
})

const WEEK = [session('2026-03-02'), session('2026-03-03', 380), session('2026-03-04')]

test('one stop for the keyboard, then arrows; each day says what it holds', async () => {
  renderWithProviders(<CoverageCalendar sessions={WEEK} label="Coverage of SPY" />)
  const days = screen.getAllByRole('button')
  expect(days.map((day) => day.tabIndex)).toEqual([-1, -1, 0])
  await userEvent.tab()
  expect(screen.getByRole('button', { name: /Wed 4 Mar 2026: 390 of 390 bars/ })).toHaveFocus()
  await userEvent.keyboard('{ArrowUp}')
  expect(
    screen.getByRole('button', { name: /Tue 3 Mar 2026: 380 of 390 bars, 10 bars missing/ }),
  ).toHaveFocus()
  expect(await screen.findByText('10 bars missing')).toBeVisible()
})

test('the year in one sentence', () => {
  expect(describeCoverage(WEEK)).toBe(
    '3 sessions; 10 bars of 1\u2009170 expected bars missing, in 1 session.',
  )
  expect(describeCoverage(WEEK.slice(0, 1))).toBe('1 session, every one of 390 expected bars is there.')
})
