import { expect, test } from 'vitest'
import { type Chosen, labelOf, parseIndicators, writeIndicators } from './parse-indicators'

test('what is written can be read again', () => {
  const chosen: Chosen[] = [
    { name: 'sma', parameters: { period: '20' } },
    { name: 'vwap', parameters: {} },
  ]
  expect(writeIndicators(chosen)).toBe('sma:period=20,vwap')
  expect(parseIndicators('sma:period=20,vwap')).toEqual(chosen)
})

test('nonsense is left out', () => {
  expect(parseIndicators(',:x,sma:period')).toEqual([{ name: 'sma', parameters: {} }])
  expect(parseIndicators(undefined)).toEqual([])
})

test('a label shows the values that are used', () => {
  const sma = { defaults: { period: 10 } }
  expect(labelOf({ name: 'sma', parameters: {} }, sma as never)).toBe('sma(10)')
  expect(labelOf({ name: 'sma', parameters: { period: '20' } }, sma as never)).toBe('sma(20)')
})
