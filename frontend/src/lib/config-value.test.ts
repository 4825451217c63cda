import { expect, test } from 'vitest'
import { boundsOf, kindOf, mayBeOff, showValue, toFraction } from './config-value'

test.each([
  ['5', '0.05'],
  ['4.5', '0.045'],
  ['100', '1'],
  ['0.1', '0.001'],
  ['12.34', '0.1234'],
  ['0', '0'],
  ['30', '0.3'],
])('%s percent is the fraction %s, exactly', (percent, fraction) =>
  expect(toFraction(percent)).toBe(fraction),
)

test('settings read as people say them', () => {
  expect(showValue('max_position_size', '0.05')).toBe('5\u2009%')
  expect(showValue('price_collar', '0.125')).toBe('12.5\u2009%')
  expect(showValue('max_portfolio_exposure', '0.8')).toBe('80\u2009%')
  expect(showValue('max_drawdown', null)).toBe('off')
  expect(showValue('risk_checking', true)).toBe('on')
  expect(showValue('restricted_symbols', [])).toBe('none')
  expect(showValue('max_concurrent_orders', 10)).toBe('10')
})

test('each setting gets the field it needs', () => {
  expect(kindOf('risk_checking', true, {})).toBe('flag')
  expect(kindOf('restricted_symbols', [], {})).toBe('list')
  expect(kindOf('max_drawdown', '0.2', { anyOf: [{ type: 'string' }, { type: 'null' }] })).toBe('percent')
  expect(kindOf('max_concurrent_orders', 10, { type: 'integer' })).toBe('number')
  expect(mayBeOff({ anyOf: [{ type: 'string' }, { type: 'null' }] })).toBe(true)
})

test('bounds read as the value does', () => {
  expect(boundsOf('max_position_size', { type: 'string', minimum: 0.0001, maximum: 10 })).toBe(
    'Between 0.01\u2009% and 1\u2009000\u2009%.',
  )
  expect(boundsOf('max_day_trades', { type: 'integer', minimum: 0, maximum: 1000 })).toBe(
    'Between 0 and 1\u2009000.',
  )
  expect(boundsOf('allow_short', { type: 'boolean' })).toBeUndefined()
})
