/** Everything `/trading-engine` asks and says: status, metrics, alerts, history, controls. */
import { queryOptions } from '@tanstack/react-query'
import { api, unwrap } from '@/lib/api/client'
import { PAGE_SIZE, pagesOf } from '@/lib/api/pages'
import type { AlertFilter, EventFilter } from '@/lib/api/types'
import { type Span, startOf } from '@/lib/since'

const REFRESH_MS = 5_000

export const tradingEngine = {
  all: ['trading-engine'] as const,
  health: () =>
    queryOptions({
      queryKey: [...tradingEngine.all, 'health'],
      queryFn: () => api.GET('/api/trading-engine/health').then(unwrap),
      refetchInterval: REFRESH_MS,
    }),
  state: () =>
    queryOptions({
      queryKey: ['trading-state'],
      queryFn: () => api.GET('/api/trading-engine/state').then(unwrap),
      refetchInterval: REFRESH_MS,
    }),
  metrics: () =>
    queryOptions({
      queryKey: [...tradingEngine.all, 'metrics'],
      queryFn: () => api.GET('/api/trading-engine/metrics').then(unwrap),
      refetchInterval: REFRESH_MS,
    }),
  alerts: (filter: AlertFilter, limit = PAGE_SIZE) => ({
    ...pagesOf(['alerts', filter, limit], (cursor) =>
      api.GET('/api/trading-engine/alerts', { params: { query: { ...filter, limit, cursor } } }).then(unwrap),
    ),
    refetchInterval: REFRESH_MS,
  }),
  deliveries: (alertId: number) =>
    queryOptions({
      queryKey: ['alerts', 'deliveries', alertId],
      queryFn: () =>
        api
          .GET('/api/alerts/{alert_id}/deliveries', { params: { path: { alert_id: alertId } } })
          .then(unwrap),
      refetchInterval: REFRESH_MS,
    }),
  alertRules: () =>
    queryOptions({ queryKey: ['alert-rules'], queryFn: () => api.GET('/api/alert-rules').then(unwrap) }),
  availability: () =>
    queryOptions({
      queryKey: ['availability'],
      queryFn: () => api.GET('/api/availability').then(unwrap),
      refetchInterval: 60_000,
    }),
  metricHistory: (name: string, span: Span) =>
    queryOptions({
      queryKey: [...tradingEngine.all, 'metric-history', name, span],
      queryFn: () =>
        api
          .GET('/api/metrics/history', { params: { query: { name, start: startOf(span, Date.now()) } } })
          .then(unwrap),
      refetchInterval: 30_000,
    }),
  errors: () => ({
    ...pagesOf(['errors'], (cursor) =>
      api.GET('/api/errors', { params: { query: { limit: PAGE_SIZE, cursor } } }).then(unwrap),
    ),
    refetchInterval: 15_000,
  }),
  eventHistory: (filter: EventFilter) =>
    pagesOf(['events', 'history', filter], (cursor) =>
      api
        .GET('/api/trading-engine/event-history', {
          params: { query: { ...filter, limit: PAGE_SIZE, cursor } },
        })
        .then(unwrap),
    ),
}

export const emergencyStop = (reason: string, flatten = false) =>
  api.POST('/api/trading-engine/emergency-stop', { body: { reason, flatten } }).then(unwrap)

export const reduceTrading = (reason: string) =>
  api.POST('/api/trading-engine/reduce', { body: { reason } }).then(unwrap)

/** Every account, or one. */
export const resumeTrading = (reason: string, accountId?: number) =>
  api.POST('/api/trading-engine/resume', { body: { reason, account_id: accountId ?? null } }).then(unwrap)

export const acknowledgeAlert = (id: number, note: string | null) =>
  api
    .POST('/api/trading-engine/alerts/{alert_id}/acknowledge', {
      params: { path: { alert_id: id } },
      body: { note },
    })
    .then(unwrap)

export const resolveAlert = (id: number, note: string | null) =>
  api
    .POST('/api/trading-engine/alerts/{alert_id}/resolve', {
      params: { path: { alert_id: id } },
      body: { note },
    })
    .then(unwrap)

export const setThreshold = ({ key, value, reason }: { key: string; value: number; reason: string | null }) =>
  api
    .PUT('/api/alert-rules/thresholds/{key}', { params: { path: { key } }, body: { value, reason } })
    .then(unwrap)
