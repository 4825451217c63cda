/** What each page keeps in its URL, so that a link shows the same thing to everybody. */
import { TIMEFRAMES } from '@/lib/api/types'
import { SPANS } from '@/lib/since'
import { flag, integer, list, oneOf, text } from '@/lib/search'

type Raw = Record<string, unknown>

/** Every part is optional: a link names only what it cares about. */
const page = <T extends object>(state: T): Partial<T> => state

export const signIn = (raw: Raw) => page({ next: text(raw, 'next') })

export const market = (raw: Raw) =>
  page({
    symbol: text(raw, 'symbol'),
    timeframe: oneOf(raw, 'timeframe', TIMEFRAMES),
    indicators: list(raw, 'indicators')?.join(','),
    view: oneOf(raw, 'view', ['chart', 'options']),
    /** Of the option chain. */
    expiry: text(raw, 'expiry'),
    dataset: text(raw, 'dataset'),
    /** The order whose timeline is open. */
    order: text(raw, 'order'),
    ticket: flag(raw, 'ticket'),
  })

export const orders = (raw: Raw) =>
  page({
    status: text(raw, 'status'),
    symbol: text(raw, 'symbol'),
    side: oneOf(raw, 'side', ['buy', 'sell']),
    deployment: integer(raw, 'deployment'),
    order: text(raw, 'order'),
    ticket: flag(raw, 'ticket'),
  })

export const executions = (raw: Raw) =>
  page({
    symbol: text(raw, 'symbol'),
    side: oneOf(raw, 'side', ['buy', 'sell']),
    deployment: integer(raw, 'deployment'),
    order: text(raw, 'order'),
  })

export const positions = (raw: Raw) =>
  page({
    symbol: text(raw, 'symbol'),
    deployment: integer(raw, 'deployment'),
    flat: flag(raw, 'flat'),
  })

export const trades = (raw: Raw) =>
  page({
    symbol: text(raw, 'symbol'),
    direction: oneOf(raw, 'direction', ['long', 'short']),
    result: oneOf(raw, 'result', ['win', 'loss']),
    deployment: integer(raw, 'deployment'),
    trade: text(raw, 'trade'),
  })

export const signals = (raw: Raw) =>
  page({
    symbol: text(raw, 'symbol'),
    type: oneOf(raw, 'type', ['long', 'flat', 'short']),
    outcome: oneOf(raw, 'outcome', ['order', 'satisfied', 'denied', 'expired', 'open']),
    deployment: integer(raw, 'deployment'),
    signal: text(raw, 'signal'),
  })

export const strategies = (raw: Raw) => page({ strategy: text(raw, 'strategy') })

export const deployments = (raw: Raw) =>
  page({
    state: oneOf(raw, 'state', ['created', 'running', 'paused', 'stopped', 'failed']),
    strategy: text(raw, 'strategy'),
    /** The strategy that the deploy form is open for; true: none chosen yet. */
    deploy: text(raw, 'deploy'),
  })

const DEPLOYMENT_TABS = ['chart', 'orders', 'trades', 'log'] as const
export const deployment = (raw: Raw) =>
  page({
    tab: oneOf(raw, 'tab', DEPLOYMENT_TABS),
    symbol: text(raw, 'symbol'),
    order: text(raw, 'order'),
  })

const ENGINE_TABS = ['status', 'alerts', 'config', 'events', 'bus', 'jobs', 'errors'] as const
export const tradingEngine = (raw: Raw) =>
  page({
    tab: oneOf(raw, 'tab', ENGINE_TABS),
    /** Of alerts. */
    state: oneOf(raw, 'state', ['open', 'acknowledged', 'resolved']),
    severity: oneOf(raw, 'severity', ['info', 'warning', 'error', 'critical']),
    category: oneOf(raw, 'category', ['system', 'trading', 'performance', 'security']),
    alert: integer(raw, 'alert'),
    /** Of the configuration: who changed what; of the alerts: what raises them. */
    view: oneOf(raw, 'view', ['history', 'rules']),
    /** Of the configuration: which category, and values from where. */
    group: text(raw, 'group'),
    source: oneOf(raw, 'source', ['default', 'profile', 'environment', 'stored']),
    /** The setting that is open. */
    key: text(raw, 'key'),
    /** The metric whose history is open. */
    metric: text(raw, 'metric'),
    /** The job, and the dead letter, that is open. */
    job: text(raw, 'job'),
    letter: text(raw, 'letter'),
    /** The group of errors that is open. */
    error: text(raw, 'error'),
    /** Of the event history: how far back. */
    since: oneOf(raw, 'since', SPANS),
    type: text(raw, 'type'),
    /** Of the event history: bars and ticks of the clock too. */
    whole: flag(raw, 'whole'),
    priority: oneOf(raw, 'priority', ['low', 'normal', 'high', 'critical']),
    stream: text(raw, 'stream'),
    correlation: text(raw, 'correlation'),
    deployment: integer(raw, 'deployment'),
    event: text(raw, 'event'),
  })

export const SETTINGS_TABS = [
  'account',
  'security',
  'sessions',
  'keys',
  'users',
  'credentials',
  'notifications',
  'backups',
  'audit',
] as const
export type SettingsTab = (typeof SETTINGS_TABS)[number]
export const settings = (raw: Raw) =>
  page({
    tab: oneOf(raw, 'tab', SETTINGS_TABS),
    user: integer(raw, 'user'),
    /** Of the audit trail. */
    actor: text(raw, 'actor'),
    action: text(raw, 'action'),
    resource: text(raw, 'resource'),
    act: integer(raw, 'act'),
  })

export const risk = (raw: Raw) =>
  page({
    code: text(raw, 'code'),
    symbol: text(raw, 'symbol'),
    violation: integer(raw, 'violation'),
    /** The question that is open. */
    asks: oneOf(raw, 'asks', ['explain', 'what-if']),
    signal: text(raw, 'signal'),
  })

const DATA_TABS = ['series', 'gaps', 'quarantine', 'sources', 'imports'] as const
export const VERDICTS = ['good', 'gaps', 'stale', 'bad', 'unchecked'] as const
export const GAP_STATES = ['unexplained', 'provider_hole', 'no_trade', 'closed', 'repaired'] as const
export const data = (raw: Raw) =>
  page({
    tab: oneOf(raw, 'tab', DATA_TABS),
    dataset: text(raw, 'dataset'),
    symbol: text(raw, 'symbol'),
    timeframe: oneOf(raw, 'timeframe', TIMEFRAMES),
    verdict: oneOf(raw, 'verdict', VERDICTS),
    state: oneOf(raw, 'state', GAP_STATES),
    reason: text(raw, 'reason'),
    kind: oneOf(raw, 'kind', ['bar', 'tick', 'quote', 'option']),
    /** The series whose coverage is open: data set, symbol and timeframe. */
    series: text(raw, 'series'),
    /** Of the coverage calendar; the last twelve months without it. */
    year: integer(raw, 'year'),
    gap: integer(raw, 'gap'),
    refused: integer(raw, 'refused'),
    import: integer(raw, 'import'),
  })
