/** How far back a list goes: chosen as a span, asked for as an instant that stays while it is shown. */
import { useMemo } from 'react'
import { getNow } from './now'

export const SPANS = ['15m', '1h', '1d', '7d'] as const
export type Span = (typeof SPANS)[number]

export const SPAN_WORDS: Record<Span, string> = {
  '15m': '15 minutes',
  '1h': 'hour',
  '1d': 'day',
  '7d': 'week',
}

const MINUTES: Record<Span, number> = { '15m': 15, '1h': 60, '1d': 1_440, '7d': 10_080 }

export const startOf = (span: Span, now: number): string =>
  new Date(now - MINUTES[span] * 60_000).toISOString()

export function useSince(span: Span | undefined): string | undefined {
  return useMemo(() => (span === undefined ? undefined : startOf(span, getNow())), [span])
}
