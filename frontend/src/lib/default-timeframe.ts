/** Which bars to look at first: the finest of the usual lengths that are stored. */
import { useQuery } from '@tanstack/react-query'
import { stocks } from './api/stocks'
import type { Timeframe } from './api/types'

/** Minutes first; seconds only where there is nothing else. */
const PREFERRED: readonly Timeframe[] = ['1m', '5m', '15m', '1h', '1d', '1s']

interface Stored {
  dataset: string
  timeframe: Timeframe
}

export function pickTimeframe(series: readonly Stored[], dataset: string): Timeframe {
  const stored = new Set(series.filter((each) => each.dataset === dataset).map(({ timeframe }) => timeframe))
  return PREFERRED.find((timeframe) => stored.has(timeframe)) ?? '1m'
}

/** Undefined while it is being looked up. */
export function useDefaultTimeframe(
  symbol: string | undefined,
  dataset: string | undefined,
): Timeframe | undefined {
  const { data, isError } = useQuery({
    ...stocks.one(symbol ?? ''),
    enabled: symbol !== undefined,
    staleTime: 60_000,
  })
  if (isError) return '1m'
  return data && dataset !== undefined ? pickTimeframe(data.series ?? [], dataset) : undefined
}
