import { expect, test } from 'vitest'
import { lastProved, wordOf } from './proof'

const finished = { status: 'finished', verified_at: '2026-03-05T14:00:00Z', check_error: null } as const

test('finished is not yet proved, and a proof that failed later counts more', () => {
  expect(wordOf(finished).label).toBe('Proved')
  expect(wordOf({ ...finished, verified_at: null }).label).toBe('Not proved yet')
  expect(wordOf({ ...finished, check_error: 'The hashes differ.' }).label).toBe('Could not be restored')
  expect(wordOf({ ...finished, status: 'failed' }).label).toBe('Failed')
})

test('the last proof is of a backup that is still there', () => {
  const newest = { ...finished, verified_at: '2026-03-07T14:00:00Z' }
  expect(lastProved([finished, newest, { ...newest, status: 'deleted' as const }])).toBe(newest)
  expect(
    lastProved([
      { ...finished, verified_at: null },
      { ...newest, check_error: 'torn' },
    ]),
  ).toBeUndefined()
})
