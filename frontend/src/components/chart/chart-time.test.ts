import { expect, test } from 'vitest'
import { indexAtOrBefore, toChartTime } from './chart-time'

test('an execution belongs to the bar that was open when it happened', () => {
  const starts = [60, 120, 180].map((second) => second)
  expect(indexAtOrBefore(starts, 150)).toBe(1)
  expect(indexAtOrBefore(starts, 180)).toBe(2)
  expect(indexAtOrBefore(starts, 10)).toBe(-1)
})

test('chart times are whole UTC seconds', () => {
  expect(toChartTime('1970-01-01T00:01:00.900Z')).toBe(60)
})
