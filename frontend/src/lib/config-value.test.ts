import { expect, test } from 'vitest'
import { boundsOf, kindOf, mayBeOff, problemOf, showValue, titleOf, toFraction } from './config-value'

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
  expect(showValue('order_timeout_seconds', 300)).toBe('300\u2009s')
  expect(showValue('backups.spare_mb', 1024)).toBe('1\u2009024\u2009MiB')
  expect(showValue('quality.completeness', 0.999)).toBe('99.9\u2009%')
  expect(showValue('log.level', 'DEBUG')).toBe('DEBUG')
  expect(showValue('log.level', null)).toBe('not changed')
  expect(showValue('day_trade_equity', '25000')).toBe('25\u2009000')
  expect(titleOf('order_timeout_seconds')).toBe('Order timeout')
  expect(titleOf('alerts.errors_per_5_minutes')).toBe('Errors per 5 minutes')
  expect(titleOf('trade_extended_hours')).toBe('Trade extended hours')
  expect(titleOf('sessions.hours')).toBe('Longest session')
  expect(titleOf('log.level')).toBe('Level')
})

test('each setting gets the field it needs', () => {
  expect(kindOf('risk_checking', true, {})).toBe('flag')
  expect(kindOf('restricted_symbols', [], {})).toBe('list')
  expect(kindOf('max_drawdown', '0.2', { anyOf: [{ type: 'string' }, { type: 'null' }] })).toBe('percent')
  expect(kindOf('max_concurrent_orders', 10, { type: 'integer' })).toBe('number')
  expect(kindOf('log.level', 'DEBUG', { type: 'string', enum: ['DEBUG', 'INFO'] })).toBe('choice')
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

test('what cannot be stored is said before it is sent', () => {
  const days = { type: 'integer', minimum: 1, maximum: 90 }
  expect(problemOf('retention.ticks_days', 30, days)).toBeUndefined()
  expect(problemOf('retention.ticks_days', 91, days)).toBe('Between 1\u2009day and 90\u2009days.')
  expect(problemOf('retention.ticks_days', 1.5, days)).toBe('A whole number is needed.')
  expect(problemOf('retention.ticks_days', '', days)).toBe('A value is needed.')
  expect(problemOf('retention.ticks_days', 'x', days)).toBe('A number is needed.')
  const off = { anyOf: [{ type: 'string' }, { type: 'null' }], minimum: 0, maximum: 1 }
  expect(problemOf('max_drawdown', null, off)).toBeUndefined()
  const above = { type: 'number', exclusiveMinimum: 0, maximum: 60 }
  expect(problemOf('notifications.timeout_seconds', 0, above)).toBe('Above 0\u2009s, up to 60\u2009s.')
  const time = { type: 'string', pattern: '^([01]\\d|2[0-3]):[0-5]\\d$' }
  expect(problemOf('backups.time', '25:00', time)).toBe('A time of day such as 01:30.')
  expect(problemOf('backups.time', '01:30', time)).toBeUndefined()
  expect(problemOf('allow_short', false, { type: 'boolean' })).toBeUndefined()
})
