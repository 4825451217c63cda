/** When the exchange was open over the bars on a chart. */
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { stocks } from '@/lib/api/stocks'
import type { Timeframe } from '@/lib/api/types'
import type { ChartBar } from './chart-data'
import { toChartTime } from './chart-time'
import type { SessionSpan } from './session-shading'

const DAY_MS = 86_400_000
const NONE: readonly SessionSpan[] = []

/** Whole days, so that new bars of the same day ask nothing new. */
const day = (at: string, shift: number): string =>
  new Date(Math.floor(Date.parse(at) / DAY_MS + shift) * DAY_MS).toISOString()

export function useSessions(
  symbol: string,
  timeframe: Timeframe,
  bars: readonly ChartBar[],
): readonly SessionSpan[] {
  const first = bars[0]?.start
  const last = bars.at(-1)?.start
  const isWanted = timeframe !== '1d' && first !== undefined && last !== undefined
  const { data } = useQuery({
    ...stocks.sessions(symbol, isWanted ? day(first, 0) : '', isWanted ? day(last, 2) : ''),
    enabled: isWanted,
  })
  return useMemo(
    () =>
      isWanted
        ? (data?.items.map(({ open, close }) => ({ open: toChartTime(open), close: toChartTime(close) })) ??
          NONE)
        : NONE,
    [data, isWanted],
  )
}
