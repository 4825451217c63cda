import { expect, test } from 'vitest'
import { seriesOf } from './metric-series'

const point = (at: string, mean: number, labels: Record<string, string> = {}) => ({
  at,
  labels,
  mean,
  minimum: mean - 1,
  maximum: mean + 1,
  samples: 5,
})

test('each set of labels is a curve of its own, with its extremes', () => {
  const found = seriesOf([
    point('2026-03-05T14:00:00Z', 3, { process: 'core' }),
    point('2026-03-05T14:00:00Z', 9, { process: 'api' }),
    point('2026-03-05T14:05:00Z', 5, { process: 'core' }),
  ])
  expect(found.map(({ name }) => name)).toEqual(['process api', 'process core'])
  expect(found[1]).toMatchObject({ minimum: 2, maximum: 6 })
  expect(found[1]?.points.map(({ value }) => value)).toEqual([3, 5])
})

test('without labels it is one curve without a name', () => {
  expect(seriesOf([point('2026-03-05T14:00:00Z', 3)])).toMatchObject([{ name: '' }])
  expect(seriesOf([])).toEqual([])
})
