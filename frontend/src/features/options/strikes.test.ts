import { expect, test } from 'vitest'
import { createOption } from '@/test/factories'
import { byStrike, daysUntil, nearestStrike, priceDecimals, priceOf } from './strikes'

const call = createOption({ strike: '100', type: 'call' })
const put = createOption({ strike: '100', type: 'put' })
const higher = createOption({ strike: '1000', type: 'put' })

test('call and put of a strike share a row, in the order of numbers', () => {
  expect(byStrike([higher, put, call])).toEqual([
    { strike: '100', call, put },
    { strike: '1000', call: null, put: higher },
  ])
})

test('the eye begins at the strike nearest to the price', () => {
  const rows = byStrike([call, higher, createOption({ strike: '110' })])
  expect(nearestStrike(rows, 106)).toBe('110')
  expect(nearestStrike(rows, null)).toBeNull()
  expect(nearestStrike([], 106)).toBeNull()
})

test('a price is the middle of a two-sided quote, else the last trade', () => {
  expect(priceOf(createOption({ bid: 5, ask: 6, last: 9 }))).toBe(5.5)
  expect(priceOf(createOption({ bid: 0, ask: 6, last: 9 }))).toBe(9)
  expect(priceOf(createOption({ bid: null, ask: null, last: null }))).toBeNull()
  expect(priceOf(null)).toBeNull()
})

test('days run from the time of the chain, not of the screen', () => {
  expect(daysUntil('2016-01-15', '2015-12-24T18:00:00Z')).toBe(22)
  expect(daysUntil('2015-12-24', '2015-12-24T18:00:00Z')).toBe(0)
  expect(daysUntil('2016-01-15', null)).toBeNull()
})

test('prices of a chain share one precision, finer only where a middle needs it', () => {
  expect(priceDecimals([createOption({ last: 0.05 }), createOption({ last: 28.85 })])).toBe(2)
  expect(priceDecimals([createOption({ bid: 0.05, ask: 0.1 })])).toBe(3)
})
