import { expect, test } from 'vitest'
import { formatMetric } from './format-metric'

test.each([
  [99.5, 'percent', '99.5\u2009%'],
  [0.995, 'ratio', '99.5\u2009%'],
  [0.25, 'seconds', '0.3 s'],
  [1.5, 'milliseconds', '1.5 ms'],
  [1536, 'bytes', '1.5 KB'],
  [2, 'megabytes', '2.0 MB'],
  [1234, 'orders', '1\u2009234'],
  [0.5, 'orders', '0.50'],
])('%s %s reads %s', (value, unit, text) => expect(formatMetric({ value, unit })).toBe(text))
