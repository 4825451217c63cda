import { expect, test } from 'vitest'
import { parseLimit } from './limit-text'

test.each([
  ['2 %', '0.02'],
  ['2.5%', '0.025'],
  ['0.02', '0.02'],
  ['5', 5],
  ['on', true],
  ['off', null],
  ['aapl, spy', ['AAPL', 'SPY']],
])('%s is a limit', (text, value) => {
  expect(parseLimit(text)).toEqual(value)
})
