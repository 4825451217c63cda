import { QueryClient } from '@tanstack/react-query'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LiveSocket } from './socket'
import { rootsOf, syncWith } from './sync'

const message = (type: string) => ({ topic: 'events', type, at: '2026-03-05T14:00:00Z', data: {} })

let say: (type: string) => void
const asked: unknown[] = []

beforeEach(() => {
  vi.useFakeTimers()
  asked.length = 0
  const client = new QueryClient()
  vi.spyOn(client, 'invalidateQueries').mockImplementation((filters) => {
    const short = { state: { data: { pages: [1] } } }
    if (filters?.predicate?.(short as never) !== false) asked.push(filters?.queryKey?.[0] ?? 'everything')
    return Promise.resolve()
  })
  const live = new LiveSocket({ url: 'ws://test/ws' })
  vi.spyOn(live, 'subscribe').mockImplementation((_topic, handler) => {
    say = (type) => handler(message(type))
    return () => undefined
  })
  syncWith(live, client)
})
afterEach(() => vi.useRealTimers())

test('a fill makes orders, executions and accounts stale', () => {
  expect(rootsOf('order_filled')).toEqual(['orders', 'executions', 'accounts'])
})

test('a burst of events asks once', () => {
  for (let count = 0; count < 100; count += 1) say('order_filled')
  vi.advanceTimersByTime(600)
  expect(asked.sort()).toEqual(['accounts', 'events', 'executions', 'orders'])
})

test('market slices only move marks, at most every two seconds', () => {
  for (let count = 0; count < 50; count += 1) {
    say('slice_closed')
    vi.advanceTimersByTime(100)
  }
  expect(asked.filter((root) => root === 'events')).toHaveLength(0)
  expect(asked.filter((root) => root === 'accounts').length).toBeLessThanOrEqual(4)
})

test('an unknown event is still part of the history', () => {
  say('something_new')
  vi.advanceTimersByTime(600)
  expect(asked).toEqual(['events'])
})

test('a list scrolled far down is fetched again less often', () => {
  const client = new QueryClient()
  const far = { state: { data: { pages: Array.from({ length: 12 }) } } }
  let refetches = 0
  vi.spyOn(client, 'invalidateQueries').mockImplementation((filters) => {
    if (filters?.queryKey?.[0] === 'orders' && filters.predicate?.(far as never) !== false) refetches += 1
    return Promise.resolve()
  })
  const live = new LiveSocket({ url: 'ws://test/ws' })
  vi.spyOn(live, 'subscribe').mockImplementation((_topic, handler) => {
    say = (type) => handler(message(type))
    return () => undefined
  })
  syncWith(live, client)
  for (let second = 0; second < 30; second += 1) {
    say('order_filled')
    vi.advanceTimersByTime(1_000)
  }
  expect(refetches).toBeLessThanOrEqual(3)
})
