// @vitest-environment jsdom
import { expect, test } from 'vitest'
import { pickTimeframe } from './default-timeframe'

test('the finest of the usual lengths that is stored in this data set', () => {
  const series = [
    { dataset: 'simulated', timeframe: '1s' },
    { dataset: 'simulated', timeframe: '5m' },
    { dataset: 'simulated', timeframe: '1d' },
    { dataset: 'live', timeframe: '1m' },
  ] as const
  expect(pickTimeframe(series, 'simulated')).toBe('5m')
  expect(pickTimeframe(series, 'live')).toBe('1m')
  expect(pickTimeframe([], 'live')).toBe('1m')
})
