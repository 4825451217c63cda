/** The tables that follow from orders: executions, positions, trades, signals, risk violations, events. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from './client'
import { PAGE_SIZE, pagesOf } from './pages'
import type {
  EventFilter,
  ExecutionFilter,
  PositionFilter,
  RiskViolationFilter,
  SignalFilter,
  TradeFilter,
} from './types'

export const executions = {
  all: ['executions'] as const,
  list: (filter: ExecutionFilter, limit = PAGE_SIZE) =>
    pagesOf([...executions.all, 'list', filter, limit], (cursor) =>
      api.GET('/api/executions', { params: { query: { ...filter, limit, cursor } } }).then(unwrap),
    ),
}

export const positions = {
  all: ['positions'] as const,
  list: (filter: PositionFilter, limit = PAGE_SIZE) =>
    pagesOf([...positions.all, 'list', filter, limit], (cursor) =>
      api.GET('/api/positions', { params: { query: { ...filter, limit, cursor } } }).then(unwrap),
    ),
}

export const trades = {
  all: ['trades'] as const,
  list: (filter: TradeFilter, limit = PAGE_SIZE) =>
    pagesOf([...trades.all, 'list', filter, limit], (cursor) =>
      api.GET('/api/trades', { params: { query: { ...filter, limit, cursor } } }).then(unwrap),
    ),
}

export const signals = {
  all: ['signals'] as const,
  list: (filter: SignalFilter, limit = PAGE_SIZE) =>
    pagesOf([...signals.all, 'list', filter, limit], (cursor) =>
      api.GET('/api/signals', { params: { query: { ...filter, limit, cursor } } }).then(unwrap),
    ),
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
    pagesOf([...riskViolations.all, 'list', filter, limit], (cursor) =>
      api.GET('/api/risk-violations', { params: { query: { ...filter, limit, cursor } } }).then(unwrap),
    ),
}

export const events = {
  all: ['events'] as const,
  list: (filter: EventFilter, limit = PAGE_SIZE) =>
    pagesOf([...events.all, 'list', filter, limit], (cursor) =>
      api.GET('/api/events', { params: { query: { ...filter, limit, cursor } } }).then(unwrap),
    ),
  /** What led to an event, and what followed from it. */
  causation: (stream: string, seq: number) =>
    queryOptions({
      // Not below the events' own key: the past does not change with every new event.
      queryKey: ['causation', stream, seq],
      queryFn: () =>
        api.GET('/api/events/{stream}/{seq}/causation', { params: { path: { stream, seq } } }).then(unwrap),
    }),
}
