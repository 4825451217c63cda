import { expect, test } from 'vitest'
import { compareForSort, compareValues, isShown } from './columns'

test('decimal strings sort as numbers', () => {
  expect(['10.5', '9', '-3'].sort(compareValues)).toEqual(['-3', '9', '10.5'])
})

test('times sort as text', () => {
  expect(compareValues('2026-03-05T14:00:00Z', '2026-03-05T15:00:00Z')).toBeLessThan(0)
})

test('blanks come last both ways', () => {
  // A descending table negates the result, so the blank must come out as the smaller one there.
  expect(compareForSort(null, 5, false)).toBeGreaterThan(0)
  expect(-compareForSort(null, 5, true)).toBeGreaterThan(0)
})

test('a person’s choice of columns wins over the default', () => {
  const column = { id: 'ledger', header: 'Ledger', value: () => '', width: 80, isHidden: true }
  expect(isShown(column, undefined)).toBe(false)
  expect(isShown(column, [])).toBe(true)
  expect(isShown(column, ['ledger'])).toBe(false)
})
