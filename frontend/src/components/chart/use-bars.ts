/** The bars of one series: the newest first, older ones as somebody scrolls back, live ones as they come. */
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo } from 'react'
import { type SeriesKey, fetchBars } from '@/lib/api/stocks'
import { live } from '@/lib/live/connection'
import { oncePerFrame } from '@/lib/live/frames'
import { type ChartBar, withBar } from './chart-data'

const number = (value: unknown): number => Number(value ?? 0)

/** A bar as the socket sends it. */
export function toBar(data: Record<string, unknown>): ChartBar | null {
  if (typeof data.start !== 'string') return null
  return {
    start: data.start,
    open: number(data.open),
    high: number(data.high),
    low: number(data.low),
    close: number(data.close),
    volume: number(data.volume),
  }
}

export interface BarSeries {
  bars: readonly ChartBar[]
  isPending: boolean
  error: Error | null
  loadOlder: () => void
  refetch: () => void
}

interface BarPages {
  pages: { items: ChartBar[] }[]
}

export function useBars(series: SeriesKey | null, dataset: string | undefined): BarSeries {
  const client = useQueryClient()
  const { symbol = '', timeframe = '1m', accountId = 0 } = series ?? {}
  const queryKey = useMemo(() => ['bars', symbol, timeframe, accountId], [symbol, timeframe, accountId])
  const query = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam }) => fetchBars({ symbol, timeframe, accountId }, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.items[0]?.start,
    enabled: series !== null,
    staleTime: Infinity,
  })

  useEffect(() => {
    if (symbol === '' || dataset === undefined) return
    const waiting: ChartBar[] = []
    const flush = oncePerFrame(() => {
      const arrived = waiting.splice(0)
      client.setQueryData<BarPages>(queryKey, (old) => {
        const [newest, ...older] = old?.pages ?? []
        if (!old || !newest) return old
        const items = arrived.reduce<readonly ChartBar[]>(withBar, newest.items)
        return { ...old, pages: [{ ...newest, items: [...items] }, ...older] }
      })
    })
    return live.subscribe(`bars:${symbol}:${timeframe}@${dataset}`, ({ data }) => {
      const bar = toBar(data)
      if (!bar) return
      waiting.push(bar)
      flush()
    })
  }, [client, queryKey, symbol, timeframe, dataset])

  const { data, isPending, error, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } = query
  const bars = useMemo(() => data?.pages.toReversed().flatMap((page) => page.items) ?? [], [data])
  const loadOlder = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage()
  }, [hasNextPage, isFetchingNextPage, fetchNextPage])
  return { bars, isPending, error, loadOlder, refetch: () => void refetch() }
}
