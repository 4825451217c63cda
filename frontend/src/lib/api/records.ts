/** The tables that follow from orders: executions, positions, trades, signals, risk violations, events. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { api, unwrap } from './client'
import { PAGE_SIZE, paging } from './pages'
import {
  type EventFilter,
  type ExecutionFilter,
  type PositionFilter,
  type RiskViolationFilter,
  type SignalFilter,
  type TradeFilter,
} from './types'

export const executions = {
  all: ['executions'] as const,
  list: (filter: ExecutionFilter, limit = PAGE_SIZE) =>
    infiniteQueryOptions({
      queryKey: [...executions.all, 'list', filter, limit],
      queryFn: ({ pageParam }) =>
        api.GET('/api/executions', { params: { query: { ...filter, limit, cursor: pageParam } } }).then(unwrap),
      ...paging,
    }),
}

export const positions = {
  all: ['positions'] as const,
  list: (filter: PositionFilter, limit = PAGE_SIZE) =>
    infiniteQueryOptions({
      queryKey: [...positions.all, 'list', filter, limit],
      queryFn: ({ pageParam }) =>
        api.GET('/api/positions', { params: { query: { ...filter, limit, cursor: pageParam } } }).then(unwrap),
      ...paging,
    }),
}

export const trades = {
  all: ['trades'] as const,
  list: (filter: TradeFilter, limit = PAGE_SIZE) =>
    infiniteQueryOptions({
      queryKey: [...trades.all, 'list', filter, limit],
      queryFn: ({ pageParam }) =>
        api.GET('/api/trades', { params: { query: { ...filter, limit, cursor: pageParam } } }).then(unwrap),
      ...paging,
    }),
}

export const signals = {
  all: ['signals'] as const,
  list: (filter: SignalFilter, limit = PAGE_SIZE) =>
    infiniteQueryOptions({
      queryKey: [...signals.all, 'list', filter, limit],
      queryFn: ({ pageParam }) =>
        api.GET('/api/signals', { params: { query: { ...filter, limit, cursor: pageParam } } }).then(unwrap),
      ...paging,
    }),
  timeline: (signalId: string) =>
    queryOptions({
      queryKey: [...signals.all, 'timeline', signalId],
      queryFn: () =>
        api
          .GET('/api/signals/{signal_id}/timeline', { params: { path: { signal_id: signalId } } })
          .then(unwrap),
    }),
}

export const riskViolations = {
  all: ['risk-violations'] as const,
  list: (filter: RiskViolationFilter, limit = PAGE_SIZE) =>
    infiniteQueryOptions({
      queryKey: [...riskViolations.all, 'list', filter, limit],
      queryFn: ({ pageParam }) =>
        api.GET('/api/risk-violations', { params: { query: { ...filter, limit, cursor: pageParam } } }).then(unwrap),
      ...paging,
    }),
}

export const events = {
  all: ['events'] as const,
  list: (filter: EventFilter, limit = PAGE_SIZE) =>
    infiniteQueryOptions({
      queryKey: [...events.all, 'list', filter, limit],
      queryFn: ({ pageParam }) =>
        api.GET('/api/events', { params: { query: { ...filter, limit, cursor: pageParam } } }).then(unwrap),
      ...paging,
    }),
}
