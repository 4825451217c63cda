/** The newest quote of every symbol somebody looks at; components re-render at most once a frame. */
import { useCallback, useEffect, useSyncExternalStore } from 'react'
import { toNumber } from '../format'
import { live } from './connection'
import { oncePerFrame } from './frames'
import { noteMarketData } from './freshness'

export interface LiveQuote {
  bid: number | null
  ask: number | null
  last: number | null
  /** The quote's own time (the account's clock when replayed or simulated). */
  at: string
  /** When this browser heard it. */
  heardAt: number
}

const quotes = new Map<string, LiveQuote>()
const listeners = new Map<string, Set<() => void>>()
const dirty = new Set<string>()

const flush = oncePerFrame(() => {
  const keys = [...dirty]
  dirty.clear()
  for (const key of keys) for (const listener of listeners.get(key) ?? []) listener()
})

const numeric = (value: unknown): number | null =>
  typeof value === 'number' || typeof value === 'string' ? toNumber(value) : null

/** Quotes of different data sets are never mixed. */
const keyOf = (symbol: string, dataset: string): string => `${symbol}@${dataset}`

export function receiveQuote(key: string, at: string, data: Record<string, unknown>): void {
  const bid = numeric(data.bid)
  const ask = numeric(data.ask)
  const middle = bid !== null && ask !== null ? (bid + ask) / 2 : (bid ?? ask)
  const heardAt = Date.now()
  noteMarketData(heardAt)
  quotes.set(key, { bid, ask, last: numeric(data.last ?? data.price) ?? middle, at, heardAt })
  dirty.add(key)
  flush()
}

export function useQuote(symbol: string, dataset: string): LiveQuote | undefined {
  const key = keyOf(symbol, dataset)
  const subscribe = useCallback(
    (listener: () => void) => {
      const set = listeners.get(key) ?? new Set()
      listeners.set(key, set.add(listener))
      return () => set.delete(listener)
    },
    [key],
  )
  return useSyncExternalStore(subscribe, () => quotes.get(key))
}

/** Keeps the quotes of these symbols coming while the component is on screen. */
export function useQuoteFeed(symbols: readonly string[], dataset: string | undefined): void {
  const wanted = [...new Set(symbols)].sort().join(',')
  useEffect(() => {
    if (wanted === '' || dataset === undefined) return
    const stops = wanted.split(',').map((symbol) => {
      const key = keyOf(symbol, dataset)
      return live.subscribe(`quotes:${key}`, (message) => receiveQuote(key, message.at, message.data))
    })
    return () => {
      for (const stop of stops) stop()
    }
  }, [wanted, dataset])
}
