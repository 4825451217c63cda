import { expect, test } from 'vitest'
import { isUnderWay, summaryOf } from './words'

test('a run says what it found, or why it failed', () => {
  const done = { status: 'succeeded', result: {}, error: null } as const
  const found = {
    rows_deleted: 1200,
    tables: ['bars', 'ticks'],
    copied_to: null,
    recorded: { Real: { days: 2 } },
  }
  expect(summaryOf({ ...done, result: found })).toBe(
    'rows deleted 1200, tables bars, ticks, recorded (Real (days 2))',
  )
  expect(summaryOf({ ...done, status: 'failed', error: 'The disk is full.' })).toBe('The disk is full.')
  expect(summaryOf(done)).toBe('')
})

test('a run under way says what it is at, also in a second try', () => {
  const running = {
    status: 'running',
    result: {},
    error: 'It was cut off.',
    progress_note: 'It is restored.',
  } as const
  expect(summaryOf(running)).toBe('It is restored.')
  expect(summaryOf({ ...running, progress_note: null })).toBe('')
})

test('a run that waits or works is under way; none is not', () => {
  expect(isUnderWay({ status: 'queued' })).toBe(true)
  expect(isUnderWay({ status: 'running' })).toBe(true)
  expect(isUnderWay({ status: 'failed' })).toBe(false)
  expect(isUnderWay(null)).toBe(false)
})
