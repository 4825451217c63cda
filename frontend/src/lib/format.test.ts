import { describe, expect, test } from 'vitest'
import {
  directionOf,
  formatBytes,
  formatCompact,
  formatDuration,
  formatFigure,
  formatMoney,
  formatName,
  formatPercent,
  formatPrice,
  formatQuantity,
  formatRelative,
  formatTime,
  plural,
} from './format'

const thin = (text: string) => text.replaceAll(' ', '\u2009')

describe('figures', () => {
  test('are grouped by thin spaces', () => expect(formatMoney('1234567.891')).toBe(thin('1 234 567.89')))
  test('use a real minus', () => expect(formatMoney('-12.5')).toBe('−12.50'))
  test('show the plus of a change', () => expect(formatFigure(3, { signed: true })).toBe('+3.00'))
  test('have no sign when they round to zero', () => {
    expect(formatFigure(-0.001, { signed: true })).toBe('0.00')
    expect(formatFigure(0.001, { signed: true })).toBe('0.00')
  })
  test('are a dash when there is none', () => {
    expect(formatMoney(null)).toBe('–')
    expect(formatMoney('')).toBe('–')
    expect(formatMoney('NaN')).toBe('–')
  })
  test('keep the digits of whole thousands', () =>
    expect(formatFigure(1000, { decimals: 0 })).toBe('1\u2009000'))
})

test('prices under a dollar keep four decimals', () => {
  expect(formatPrice('0.1234')).toBe('0.1234')
  expect(formatPrice(104.5)).toBe('104.50')
})

test('quantities show only the decimals they have', () => {
  expect(formatQuantity('120.00000000')).toBe('120')
  expect(formatQuantity('-0.25000000')).toBe('−0.25')
})

test('percentages come from fractions', () => {
  expect(formatPercent('0.0123', { signed: true })).toBe('+1.23\u2009%')
  expect(formatPercent(null)).toBe('–')
})

test('large numbers are shortened', () => {
  expect(formatCompact(1_234_567)).toBe('1.23M')
  expect(formatCompact(950)).toBe('950')
  expect(formatBytes(1536)).toBe('1.5 KB')
})

test.each([
  [0.0000004, '0 µs'],
  [0.004, '4.0 ms'],
  [0.4, '0.4 s'],
  [45, '45 s'],
  [600, '10 min'],
  [7500, '2 h 5 min'],
  [7200, '2 h'],
  [864_000, '10 d'],
])('%d seconds read as %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text))

test('times are relative to now', () => {
  const now = Date.UTC(2026, 2, 5, 14, 0, 12)
  expect(formatRelative('2026-03-05T14:00:00Z', now)).toBe('12 s ago')
  expect(formatRelative('2026-03-05T14:00:07Z', now)).toBe('5 s ago')
  expect(formatRelative('2026-03-05T14:00:12Z', now)).toBe('just now')
  expect(formatRelative('2026-03-05T14:05:12Z', now)).toBe('in 5 min')
  expect(formatRelative('not a time', now)).toBe('–')
})

test('exact times are in the zone asked for', () => {
  expect(formatTime('2026-03-05T14:00:12Z', 'utc')).toBe('2026-03-05 14:00:12')
})

test('codes become words', () => expect(formatName('order_filled')).toBe('Order filled'))

test('counts agree with their noun', () => {
  expect(plural(1, 'order')).toBe('1 order')
  expect(plural(2, 'order')).toBe('2 orders')
})

test('a change points up, down or nowhere', () => {
  expect(['1', '-1', '0', null].map((value) => directionOf(value))).toEqual(['up', 'down', 'flat', 'flat'])
})
