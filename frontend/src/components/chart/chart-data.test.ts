import { expect, test } from 'vitest'
import { createExecution, createOrder, createPosition } from '@/test/factories'
import { firstChange, levelsOf, marksOf, withBar } from './chart-data'

const bar = (start: string, close = 10) => ({ start, open: 10, high: 11, low: 9, close, volume: 100 })
const A = '2026-03-05T14:30:00Z'
const B = '2026-03-05T14:31:00Z'
const C = '2026-03-05T14:32:00Z'

test('a new bar is appended, a moving one replaced, a late one left out', () => {
  expect(withBar([bar(A)], bar(B))).toHaveLength(2)
  expect(withBar([bar(A), bar(B)], bar(B, 12)).at(-1)?.close).toBe(12)
  expect(withBar([bar(B)], bar(A))).toEqual([bar(B)])
})

test('only the end is drawn again when bars are appended', () => {
  expect(firstChange([bar(A), bar(B)], [bar(A), bar(B), bar(C)])).toBe(1)
  expect(firstChange([bar(B)], [bar(A), bar(B)])).toBe('all')
  expect(firstChange([], [bar(A)])).toBe('all')
})

test('executions become arrows that say what happened', () => {
  const [mark] = marksOf([createExecution({ side: 'sell', quantity: '20', price: '601.2' })])
  expect(mark?.text).toBe('Sold 20 at 601.20')
})

test('a position shows its average, its stop and its target', () => {
  const position = createPosition({ average_price: '100', stop_loss: '95', take_profit: '110' })
  expect(levelsOf([position], []).map((level) => level.kind)).toEqual(['position', 'stop', 'target'])
})

test('a flat position and a market order have no line', () => {
  expect(levelsOf([createPosition({ quantity: '0' })], [createOrder({ type: 'market' })])).toEqual([])
})
