/** Stored series with their verdicts, gaps, coverage, refused records, and where data comes from. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api, unwrap } from './client'
import { PAGE_SIZE, pagesOf } from './pages'
import type { GapFilter, RefusedFilter, SeriesFilter, Timeframe } from './types'

const FRESH_MS = 15_000

export interface SeriesName {
  dataset: string
  symbol: string
  timeframe: Timeframe
}

export const dataQuality = {
  all: ['data-quality'] as const,
  summary: (dataset: string | undefined) =>
    queryOptions({
      queryKey: [...dataQuality.all, 'summary', dataset],
      queryFn: () => api.GET('/api/data-quality/summary', { params: { query: { dataset } } }).then(unwrap),
      refetchInterval: FRESH_MS,
      placeholderData: keepPreviousData,
    }),
  series: (filter: SeriesFilter, limit = PAGE_SIZE) => ({
    ...pagesOf([...dataQuality.all, 'series', filter, limit], (cursor) =>
      api.GET('/api/data-quality', { params: { query: { ...filter, limit, cursor } } }).then(unwrap),
    ),
    refetchInterval: FRESH_MS,
  }),
  gaps: (filter: GapFilter, limit = PAGE_SIZE) => ({
    ...pagesOf([...dataQuality.all, 'gaps', filter, limit], (cursor) =>
      api.GET('/api/data-quality/gaps', { params: { query: { ...filter, limit, cursor } } }).then(unwrap),
    ),
    refetchInterval: FRESH_MS,
  }),
  coverage: ({ dataset, symbol, timeframe }: SeriesName, year: number | undefined) =>
    queryOptions({
      queryKey: [...dataQuality.all, 'coverage', dataset, symbol, timeframe, year],
      queryFn: () =>
        api
          .GET('/api/data-quality/coverage', {
            params: { query: { dataset, symbol, timeframe, ...yearSpan(year) } },
          })
          .then(unwrap),
      staleTime: 60_000,
    }),
  refused: (filter: RefusedFilter, limit = PAGE_SIZE) =>
    pagesOf([...dataQuality.all, 'refused', filter, limit], (cursor) =>
      api
        .GET('/api/data-quality/quarantine', { params: { query: { ...filter, limit, cursor } } })
        .then(unwrap),
    ),
  sources: () =>
    queryOptions({
      queryKey: ['feeds'],
      queryFn: () => api.GET('/api/feeds').then(unwrap),
      refetchInterval: 5_000,
    }),
}

const yearSpan = (year: number | undefined) =>
  year === undefined
    ? {}
    : { start: `${String(year)}-01-01T00:00:00Z`, end: `${String(year + 1)}-01-01T00:00:00Z` }

/** Ask the providers again about open gaps of live series. */
export const repairGaps = (body: { ids?: number[]; symbol?: string; timeframe?: Timeframe }) =>
  api.POST('/api/data-quality/repair', { body }).then(unwrap)
