import { expect, test } from 'vitest'
import { flag, integer, list, oneOf, text } from './search'

test('reads what fits', () => {
  const raw = { symbol: 'AAPL', page: '3', side: 'buy', open: 'true', indicators: 'sma:20,rsi:14' }
  expect(text(raw, 'symbol')).toBe('AAPL')
  expect(integer(raw, 'page')).toBe(3)
  expect(oneOf(raw, 'side', ['buy', 'sell'])).toBe('buy')
  expect(flag(raw, 'open')).toBe(true)
  expect(list(raw, 'indicators')).toEqual(['sma:20', 'rsi:14'])
})

test('drops what does not fit', () => {
  const raw = { symbol: '', page: 'x', side: 'hold', open: 'no', indicators: '' }
  expect(text(raw, 'symbol')).toBeUndefined()
  expect(integer(raw, 'page')).toBeUndefined()
  expect(oneOf(raw, 'side', ['buy', 'sell'])).toBeUndefined()
  expect(flag(raw, 'open')).toBeUndefined()
  expect(list(raw, 'indicators')).toBeUndefined()
})
