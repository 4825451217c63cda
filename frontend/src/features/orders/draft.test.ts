import { expect, test } from 'vitest'
import { createOrder } from '@/test/factories'
import {
  type Draft,
  asChangeDraft,
  canBeAtOnce,
  changeable,
  emptyDraft,
  pairOf,
  partnersOf,
  problemsOf,
  toChange,
  toWish,
} from './draft'

const draft = (change: Partial<Draft>): Draft => ({ ...emptyDraft, symbol: 'SPY', quantity: 10, ...change })
const stop = { type: 'stop', limit_price: '', stop_price: 95, trail: '' } as const

test('a market order needs a symbol and a quantity', () => {
  expect(problemsOf(draft({}))).toEqual([])
  expect(problemsOf(draft({ quantity: 0 }))).toEqual(['Say how many shares.'])
})

test('each type needs its own prices', () => {
  expect(problemsOf(draft({ type: 'stop_limit' }))).toHaveLength(2)
  expect(problemsOf(draft({ type: 'trailing_stop' }))).toEqual([
    'A trailing stop order needs a distance to trail at.',
  ])
  expect(problemsOf(draft({ type: 'trailing_stop', trail: 2.5 }))).toEqual([])
})

test('prices that the type does not use are left out', () => {
  const wish = toWish(draft({ type: 'market', limit_price: 99, trail: 2, stop_loss: 90, stop_trail: 3 }), 1)
  expect([wish.limit_price, wish.trail]).toEqual([null, null])
  expect([wish.stop_loss, wish.stop_trail]).toEqual(['90', '3'])
  expect(wish.quantity).toBe('10')
  expect(wish.oco).toBeNull()
})

test('a pair is a stop beside a limit, or a limit beside a stop', () => {
  expect(partnersOf('limit')).toEqual(['stop', 'stop_limit', 'trailing_stop'])
  expect(partnersOf('trailing_stop')).toEqual(['limit'])
  expect(pairOf('market', stop)).toBeNull()
  expect(pairOf('stop', stop)?.type).toBe('limit')
  expect(pairOf('limit', stop)).toBe(stop)
  const both = draft({ type: 'limit', limit_price: 110, oco: stop })
  expect(problemsOf(both)).toEqual([])
  expect(toWish(both, 1).oco).toEqual({ type: 'stop', stop_price: '95', limit_price: null, trail: null })
  expect(problemsOf({ ...both, oco: { ...stop, stop_price: '' } })).toEqual([
    'The second order needs a stop price.',
  ])
})

test('what waits for a price cannot be filled at once', () => {
  expect(canBeAtOnce(draft({ type: 'limit' }))).toBe(true)
  expect(canBeAtOnce(draft({ type: 'stop' }))).toBe(false)
  expect(canBeAtOnce(draft({ type: 'limit', oco: stop }))).toBe(false)
})

test('a change says only what is different', () => {
  const order = createOrder({ type: 'limit', limit_price: '99', quantity: '10' })
  expect(toChange(asChangeDraft(order), order)).toBeNull()
  expect(toChange({ ...asChangeDraft(order), limit_price: 98 }, order)).toEqual({ limit_price: '98' })
})

test('the quantity of a protective order is not for people', () => {
  expect(changeable(createOrder({ type: 'stop', leg: 'stop_loss' }))).toEqual(['stop_price'])
  expect(changeable(createOrder({ type: 'limit' }))).toEqual(['quantity', 'limit_price'])
})
