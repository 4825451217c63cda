/** The newest quote of every symbol somebody looks at; components re-render at most once a frame. */
import { useCallback, useEffect, useSyncExternalStore } from 'react'
import { toNumber } from '../format'
import { live } from './connection'
import { oncePerFrame } from './frames'

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
let newestHeardAt: number | null = null

const flush = oncePerFrame(() => {
  const symbols = [...dirty]
  dirty.clear()
  for (const symbol of symbols) for (const listener of listeners.get(symbol) ?? []) listener()
})

const numeric = (value: unknown): number | null =>
  typeof value === 'number' || typeof value === 'string' ? toNumber(value) : null

export function receiveQuote(symbol: string, at: string, data: Record<string, unknown>): void {
  const bid = numeric(data.bid)
  const ask = numeric(data.ask)
  const middle = bid !== null && ask !== null ? (bid + ask) / 2 : (bid ?? ask)
  newestHeardAt = Date.now()
  quotes.set(symbol, { bid, ask, last: numeric(data.last ?? data.price) ?? middle, at, heardAt: newestHeardAt })
  dirty.add(symbol)
  flush()
}

/** When the last quote of any symbol arrived, for the feed's freshness in the header. */
export const newestQuoteAt = (): number | null => newestHeardAt

export function useQuote(symbol: string): LiveQuote | undefined {
  const subscribe = useCallback(
    (listener: () => void) => {
      const set = listeners.get(symbol) ?? new Set()
      listeners.set(symbol, set.add(listener))
      return () => set.delete(listener)
    },
    [symbol],
  )
  return useSyncExternalStore(subscribe, () => quotes.get(symbol))
}

/** Keeps the quotes of these symbols coming while the component is on screen. */
export function useQuoteFeed(symbols: readonly string[]): void {
  const key = [...new Set(symbols)].sort().join(',')
  useEffect(() => {
    if (key === '') return
    const stops = key
      .split(',')
      .map((symbol) => live.subscribe(`quotes:${symbol}`, (message) => receiveQuote(symbol, message.at, message.data)))
    return () => {
      for (const stop of stops) stop()
    }
  }, [key])
}
