import { expect, test } from 'vitest'
import { type Draft, emptyDraft, problemsOf, toWish } from './draft'

const draft = (change: Partial<Draft>): Draft => ({ ...emptyDraft, symbol: 'SPY', quantity: 10, ...change })

test('a market order needs a symbol and a quantity', () => {
  expect(problemsOf(draft({}))).toEqual([])
  expect(problemsOf(draft({ quantity: 0 }))).toEqual(['Say how many shares.'])
})

test('a stop limit order needs both prices', () => {
  expect(problemsOf(draft({ type: 'stop_limit' }))).toHaveLength(2)
})

test('prices that the type does not use are left out', () => {
  const wish = toWish(draft({ type: 'market', limit_price: 99, stop_loss: 90 }), 1)
  expect(wish.limit_price).toBeNull()
  expect(wish.stop_loss).toBe('90')
  expect(wish.quantity).toBe('10')
})
