/** Stocks with their prices, bars, indicator columns and trading sessions. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api, unwrap } from './client'
import type { Timeframe } from './types'

export interface SeriesKey {
  symbol: string
  timeframe: Timeframe
  accountId: number
}

export const BARS_AT_ONCE = 1_000

export const stocks = {
  all: ['stocks'] as const,
  list: (accountId: number | null) =>
    queryOptions({
      queryKey: [...stocks.all, 'list', accountId],
      queryFn: () =>
        api.GET('/api/stocks', { params: { query: { account_id: accountId, limit: 1000 } } }).then(unwrap),
      refetchInterval: 15_000,
      placeholderData: keepPreviousData,
    }),
  one: (symbol: string) =>
    queryOptions({
      queryKey: [...stocks.all, 'one', symbol],
      queryFn: () => api.GET('/api/stocks/{symbol}', { params: { path: { symbol } } }).then(unwrap),
    }),
  indicators: (
    { symbol, timeframe, accountId }: SeriesKey,
    name: string,
    parameters: Record<string, string>,
    limit: number,
  ) =>
    queryOptions({
      queryKey: ['indicator-columns', symbol, timeframe, accountId, name, parameters, limit],
      queryFn: () =>
        api
          .GET('/api/stocks/{symbol}/indicators', {
            params: {
              path: { symbol },
              query: { name, timeframe, account_id: accountId, limit, ...parameters },
            },
          })
          .then(unwrap),
      placeholderData: keepPreviousData,
    }),
  sessions: (symbol: string, start: string, end: string) =>
    queryOptions({
      queryKey: ['market-sessions', symbol, start, end],
      queryFn: () =>
        api
          .GET('/api/stocks/{symbol}/sessions', { params: { path: { symbol }, query: { start, end } } })
          .then(unwrap),
      staleTime: Infinity,
      placeholderData: keepPreviousData,
    }),
}

/** The newest bars, or those before `end` when scrolling back. */
export const fetchBars = ({ symbol, timeframe, accountId }: SeriesKey, end?: string, limit = BARS_AT_ONCE) =>
  api
    .GET('/api/stocks/{symbol}/bars', {
      params: { path: { symbol }, query: { timeframe, account_id: accountId, limit, end } },
    })
    .then(unwrap)

export const indicatorCatalogue = () =>
  queryOptions({
    queryKey: ['indicators'],
    queryFn: () => api.GET('/api/indicators').then(unwrap),
    staleTime: Infinity,
  })
