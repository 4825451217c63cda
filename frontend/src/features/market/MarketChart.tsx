/** One symbol's chart with what the account did and holds there, live. */
import { useInfiniteQuery, useQueries, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconChartCandle } from '@tabler/icons-react'
import { useCallback, useEffect, useMemo } from 'react'
import { Empty, Failed, Loading } from '@/components/States'
import { type ChartBar, type IndicatorData, levelsOf, marksOf } from '@/components/chart/chart-data'
import { PriceChart } from '@/components/chart/lazy'
import { useBars } from '@/components/chart/use-bars'
import { useSessions } from '@/components/chart/use-sessions'
import { sentenceOf } from '@/lib/api/errors'
import { orders } from '@/lib/api/orders'
import { useRows } from '@/lib/api/pages'
import { executions, positions } from '@/lib/api/records'
import { BARS_AT_ONCE, type SeriesKey, indicatorCatalogue, stocks } from '@/lib/api/stocks'
import type { Account, Indicator, IndicatorColumns, Timeframe } from '@/lib/api/types'
import { atMostEvery } from '@/lib/live/frames'
import styles from './MarketChart.module.css'
import { type Chosen, labelOf } from './parse-indicators'

interface MarketChartProps {
  account: Account
  symbol: string
  timeframe: Timeframe
  chosen: readonly Chosen[]
  /** Only what this deployment did and holds. */
  deploymentId?: number
  onOpenOrder: (clientOrderId: string) => void
}

export function MarketChart({
  account,
  symbol,
  timeframe,
  chosen,
  deploymentId,
  onOpenOrder,
}: MarketChartProps) {
  const key = { symbol, timeframe, accountId: account.id }
  const series = useBars(key, account.dataset)
  const sessions = useSessions(symbol, timeframe, series.bars)
  const { drawn, problems } = useIndicators(key, chosen, series.bars)
  const filter = { account_id: account.id, symbol, deployment_id: deploymentId }
  const { rows: filled } = useRows(useInfiniteQuery(executions.list(filter, 1000)))
  const { rows: held } = useRows(useInfiniteQuery(positions.list(filter)))
  const { rows: working } = useRows(useInfiniteQuery(orders.list({ ...filter, status: ['open'] })))
  const marks = useMemo(() => marksOf(filled), [filled])
  const levels = useMemo(() => levelsOf(held, working), [held, working])

  if (series.error) return <Failed error={series.error} onRetry={series.refetch} />
  if (series.isPending) return <Loading rows={6} height={36} />
  if (series.bars.length === 0) {
    return (
      <Empty title={`No bars of ${symbol} at ${timeframe}`} icon={<IconChartCandle size={28} stroke={1.4} />}>
        Try another timeframe, or bring data with “tradewright data import”.
      </Empty>
    )
  }
  return (
    <>
      {problems.map((problem) => (
        <p key={problem} className={styles.problem} role="alert">
          {problem}
        </p>
      ))}
      <PriceChart
        // A new series is a new chart: its view and its panes start afresh.
        key={`${symbol}:${timeframe}`}
        label={`${symbol}, bars of ${timeframe}`}
        bars={series.bars}
        sessions={sessions}
        indicators={drawn}
        marks={marks}
        levels={levels}
        onNearStart={series.loadOlder}
        onOpenOrder={onOpenOrder}
      />
    </>
  )
}

/** New bars make the columns stale, but a fast market must not ask for them with every bar. */
const COLUMNS_EVERY_MS = 1_000
const MOST_COLUMNS = 20_000

function useIndicators(key: SeriesKey, chosen: readonly Chosen[], bars: readonly ChartBar[]) {
  const { data: catalogue } = useQuery(indicatorCatalogue())
  const client = useQueryClient()
  const { symbol, timeframe } = key
  const newest = bars.at(-1)?.start
  const limit = Math.min(MOST_COLUMNS, Math.ceil(Math.max(1, bars.length) / BARS_AT_ONCE) * BARS_AT_ONCE)
  const refresh = useMemo(
    () =>
      atMostEvery(
        COLUMNS_EVERY_MS,
        () => void client.invalidateQueries({ queryKey: ['indicator-columns', symbol, timeframe] }),
      ),
    [client, symbol, timeframe],
  )
  useEffect(() => {
    if (newest !== undefined && chosen.length > 0) refresh()
  }, [newest, chosen, refresh])
  return useQueries({
    queries: chosen.map(({ name, parameters }) => ({
      ...stocks.indicators(key, name, parameters, limit),
      enabled: newest !== undefined,
    })),
    combine: useCallback(
      (results: readonly IndicatorResult[]) => ({
        drawn: combineIndicators(results, chosen, catalogue?.items ?? []),
        problems: results.flatMap(({ error }) => (error ? [sentenceOf(error)] : [])),
      }),
      [chosen, catalogue],
    ),
  })
}

interface IndicatorResult {
  data?: IndicatorColumns | undefined
  error: Error | null
}

function combineIndicators(
  results: readonly IndicatorResult[],
  chosen: readonly Chosen[],
  catalogue: readonly Indicator[],
): IndicatorData[] {
  return results.flatMap(({ data }, index) => {
    const choice = chosen[index]
    const indicator = catalogue.find(({ name }) => name === choice?.name)
    if (!data || !choice) return []
    return {
      label: labelOf(choice, indicator),
      pane: indicator?.pane === 'own' ? 'own' : 'price',
      start: data.start,
      lines: Object.entries(data.columns).map(([name, values]) => ({ name, values })),
    } as const
  })
}
