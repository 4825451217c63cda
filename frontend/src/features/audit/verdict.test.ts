import { expect, test } from 'vitest'
import { type Verdict, rowsLookedAt, saidOf } from './verdict'

const good: Verdict = {
  ok: true,
  streams: 3,
  rows: 120,
  first_bad: null,
  bad: [],
  anchors: 3,
  anchored_at: '2026-03-05T14:00:00Z',
}

test('a verdict claims only what was looked at', () => {
  expect(saidOf(good)).toContain('No row since the chains’ ends were last noted')
  expect(saidOf({ ...good, rows: 0 })).toContain('There are no rows since')
  const first = saidOf({ ...good, anchors: 0, anchored_at: null })
  expect(first).toContain('No row was changed')
  expect(first).toContain('rows cut off the end would not be missed')
})

test('a broken chain says where, and something even where nothing says where', () => {
  const bad = { stream: 'audit', seq: 7, detail: 'Row 7 does not match its hash.' }
  expect(saidOf({ ...good, ok: false, first_bad: bad, bad: [bad] })).toBe(bad.detail)
  expect(saidOf({ ...good, ok: false })).toContain('A chain does not hold')
})

test('what was looked at is counted, and since when', () => {
  expect(rowsLookedAt(good)).toBe('120 rows since the last note, of 3 chains')
  expect(rowsLookedAt({ ...good, rows: 1, streams: 1, anchors: 0 })).toBe(
    '1 row from the first on, of 1 chain',
  )
})
