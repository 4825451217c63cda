/** Turns what happened into which queries to ask again: the socket marks things stale, the cache stays the store. */
import type { Query, QueryClient } from '@tanstack/react-query'
import { atMostEvery } from './frames'
import { noteMarketData } from './freshness'
import type { LiveMessage, LiveSocket } from './socket'

const FLUSH_EVERY_MS = 500
/** Prices move equity and positions all the time; asking more often than this helps nobody. */
const MARKS_EVERY_MS = 2_000
/** A list that somebody scrolled far down is fetched again page by page: less often. */
const LONG_LIST_PAGES = 5
const LONG_LISTS_EVERY_MS = 15_000

const ROOTS: Record<string, readonly string[]> = {
  order_approved: ['orders', 'signals', 'accounts'],
  order_submitted: ['orders'],
  order_accepted: ['orders'],
  order_rejected: ['orders', 'alerts'],
  order_unknown: ['orders', 'alerts'],
  order_canceled: ['orders', 'accounts'],
  order_expired: ['orders', 'accounts'],
  order_filled: ['orders', 'executions', 'accounts'],
  order_denied: ['risk-violations', 'signals'],
  cancel_requested: ['orders'],
  position_changed: ['positions', 'accounts', 'deployments'],
  position_adjusted: ['positions', 'accounts', 'deployments', 'trades'],
  order_adjusted: ['orders'],
  cash_moved: ['accounts', 'deployments', 'equity'],
  trade_closed: ['trades', 'deployments', 'equity'],
  signal_raised: ['signals'],
  signal_satisfied: ['signals'],
  signal_expired: ['signals'],
  deployment_started: ['deployments', 'accounts', 'strategy-events'],
  deployment_paused: ['deployments', 'accounts', 'strategy-events'],
  deployment_stopped: ['deployments', 'accounts', 'strategy-events'],
  deployment_failed: ['deployments', 'accounts', 'strategy-events', 'alerts'],
  strategy_noted: ['strategy-events'],
  trading_halted: ['trading-state', 'accounts', 'orders'],
  trading_resumed: ['trading-state', 'accounts'],
  limits_changed: ['config', 'accounts'],
  config_changed: ['config'],
  alert_raised: ['alerts', 'health'],
  alert_resolved: ['alerts', 'health'],
  feed_connected: ['health'],
  feed_disconnected: ['health'],
  broker_connected: ['health'],
  broker_disconnected: ['health'],
  reconciled: ['positions', 'orders'],
}

/** Moves marks, decides nothing: too frequent to list, too frequent to refetch for. */
const IS_MARKET: ReadonlySet<string> = new Set(['slice_closed', 'clock_ticked', 'bar_late'])

export function rootsOf(type: string): readonly string[] {
  return ROOTS[type] ?? []
}

function isLong(query: Query): boolean {
  const data = query.state.data as { pages?: unknown[] } | undefined
  return Array.isArray(data?.pages) && data.pages.length > LONG_LIST_PAGES
}

export function syncWith(live: LiveSocket, client: QueryClient): () => void {
  const stale = new Set<string>()
  const staleLong = new Set<string>()
  const refreshLong = atMostEvery(LONG_LISTS_EVERY_MS, () => {
    const roots = [...staleLong]
    staleLong.clear()
    for (const root of roots) void client.invalidateQueries({ queryKey: [root], predicate: isLong })
  })
  const invalidate = (root: string) => {
    void client.invalidateQueries({ queryKey: [root], predicate: (query) => !isLong(query) })
    staleLong.add(root)
    refreshLong()
  }
  const flush = atMostEvery(FLUSH_EVERY_MS, () => {
    const roots = [...stale]
    stale.clear()
    for (const root of roots) invalidate(root)
  })
  const marks = atMostEvery(MARKS_EVERY_MS, () => {
    for (const root of ['accounts', 'positions']) invalidate(root)
  })
  const receive = (message: LiveMessage) => {
    if (IS_MARKET.has(message.type)) {
      noteMarketData()
      marks()
      return
    }
    for (const root of rootsOf(message.type)) stale.add(root)
    stale.add('events')
    flush()
  }
  const stops = [live.subscribe('events', receive), live.onResync(() => void client.invalidateQueries())]
  return () => {
    for (const stop of stops) stop()
  }
}
