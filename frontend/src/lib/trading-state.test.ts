import { expect, test } from 'vitest'
import type { TradingStateNow } from './api/types'
import { stateOf } from './trading-state'

type Scope = TradingStateNow['scopes'][number]
const scope = (name: string, state: Scope['state'], change: Partial<Scope> = {}): Scope => ({
  scope: name,
  state,
  epoch: 1,
  ...change,
})
const now = (...scopes: Scope[]): TradingStateNow => ({ state: 'halted', scopes })

test('another account’s halt is not this one’s', () => {
  const trading = now(scope('all', 'active'), scope('account:1', 'active'), scope('account:2', 'halted'))
  expect(stateOf(trading, 1).state).toBe('active')
  expect(stateOf(trading, 2)).toMatchObject({ state: 'halted', isOwn: true })
  expect(stateOf(trading, undefined).state).toBe('halted')
})

test('the stricter of the two latches holds, and a stop of all is nobody’s own', () => {
  const all = scope('all', 'halted', { reason: 'news', actor: 'ada', latched_at: '2026-03-05T14:00:00Z' })
  expect(stateOf(now(all, scope('account:1', 'reducing')), 1)).toEqual({
    state: 'halted',
    reason: 'news',
    actor: 'ada',
    since: '2026-03-05T14:00:00Z',
    isOwn: false,
  })
  expect(stateOf(now(all, scope('account:1', 'halted')), 1).isOwn).toBe(false)
  expect(stateOf(now(scope('all', 'active'), scope('account:1', 'reducing')), 1)).toMatchObject({
    state: 'reducing',
    isOwn: true,
  })
})

test('an account that no latch names is active', () =>
  expect(stateOf(now(scope('all', 'active')), 7).state).toBe('active'))
