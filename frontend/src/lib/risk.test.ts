import { expect, test } from 'vitest'
import { closenessOf, excessOf, formatRuleValue, wordsOf } from './risk'

const plain = (text: string | null) => text?.replaceAll('\u2009', ' ')

test('a rule speaks in its own unit', () => {
  expect(plain(formatRuleValue('position_limit', '0.072'))).toBe('7.20 %')
  expect(formatRuleValue('concurrent_orders', '11')).toBe('11')
  expect(formatRuleValue('stale_price', '600')).toBe('10 min')
})

test('an unknown rule still has a name', () => expect(wordsOf('new_rule').title).toBe('New rule'))

test('closeness is the share of the limit that is used', () => {
  expect(closenessOf('0.03', '0.05')).toBeCloseTo(0.6)
  expect(closenessOf('0.072', '0.05')).toBeGreaterThan(1)
  expect(closenessOf(null, '0.05')).toBeNull()
  expect(closenessOf('1', '0')).toBe(Infinity)
})

test('a denial says by how much', () => {
  expect(plain(excessOf('position_limit', '0.072', '0.05'))).toBe('2.20 % over the limit of 5.00 %')
  expect(excessOf('position_limit', '0.04', '0.05')).toBeNull()
})
