import { expect, test } from 'vitest'
import { isUnderWay, summaryOf } from './words'

test('a run says what it found, or why it failed', () => {
  expect(summaryOf({ result: { rows_deleted: 1200, tables: ['bars'], copied_to: null }, error: null })).toBe(
    'rows deleted 1200, tables ["bars"]',
  )
  expect(summaryOf({ result: {}, error: 'The disk is full.' })).toBe('The disk is full.')
  expect(summaryOf({ result: {}, error: null })).toBe('')
})

test('a run that waits or works is under way; none is not', () => {
  expect(isUnderWay({ status: 'queued' })).toBe(true)
  expect(isUnderWay({ status: 'running' })).toBe(true)
  expect(isUnderWay({ status: 'failed' })).toBe(false)
  expect(isUnderWay(null)).toBe(false)
})
