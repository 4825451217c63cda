/** The engine at a glance, refreshed by itself: health, parts, trading state, figures. */
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Panel } from '@/components/Panel'
import { Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { health } from '@/lib/api/health'
import { useAccount } from '@/lib/account'
import type { Account, Health, HealthStatus, Metric, TradingStateNow } from '@/lib/api/types'
import { formatDuration, formatName } from '@/lib/format'
import { useMay } from '@/lib/permission'
import { AvailabilityPanel } from './AvailabilityPanel'
import { Controls } from './Controls'
import { MetricDrawer } from './MetricDrawer'
import { isConfirmed } from './confirmation'
import { formatMetric } from './format-metric'
import styles from './TradingEngineStatus.module.css'
import { tradingEngine } from './api'

interface TradingEngineStatusProps {
  /** Whose history is open. */
  metric: string | undefined
  onMetric: (name: string | undefined) => void
  /** Below the controls, and the whole width below them. */
  aside: ReactNode
  children: ReactNode
}

export function TradingEngineStatus({ metric, onMetric, aside, children }: TradingEngineStatusProps) {
  const mayControl = useMay('trade')
  const now = useQuery(health())
  const state = useQuery(tradingEngine.state())
  const metrics = useQuery(tradingEngine.metrics())
  if (now.error && !now.data) return <Failed error={now.error} onRetry={() => void now.refetch()} />
  if (!now.data || !state.data) return <Loading rows={8} height={28} />
  return (
    <div className={styles.grid}>
      <Overview health={now.data} />
      <div className={styles.more}>
        <Panel title="Trading state and controls" className={styles.controls}>
          <TradingStates trading={state.data} />
          {mayControl && <Controls trading={state.data} />}
        </Panel>
        {aside}
      </div>
      <div className={styles.metrics}>{children}</div>
      <AvailabilityPanel className={styles.metrics} />
      <Panel title="Metrics" className={styles.metrics}>
        {metrics.error && <Failed error={metrics.error} onRetry={() => void metrics.refetch()} />}
        {!metrics.data && !metrics.error && <Loading rows={3} height={28} />}
        {metrics.data && <Metrics metrics={metrics.data.items} onOpen={onMetric} />}
      </Panel>
      <MetricDrawer
        name={metric}
        title={metrics.data?.items.find(({ name }) => name === metric)?.title}
        onClose={() => onMetric(undefined)}
      />
    </div>
  )
}

const STATUS_WORDS: Record<HealthStatus, string> = {
  healthy: 'Everything works',
  degraded: 'Something is not as it should be',
  unhealthy: 'Something is broken',
}

function Overview({ health: now }: { health: Health }) {
  return (
    <Panel
      title="Health"
      actions={
        <span className={styles.at}>
          <TimeAgo at={now.at} />
        </span>
      }
    >
      <div className={styles.score} data-status={now.status}>
        <span className={styles.number}>{now.score}</span>
        <span>
          <b>{formatName(now.status)}</b>
          <br />
          <span className="dim">{STATUS_WORDS[now.status]}</span>
        </span>
      </div>
      <ul className={styles.parts}>
        {Object.entries(now.components).map(([name, part]) => (
          <li key={name} className={styles.part}>
            <span className={styles.dot} data-status={part.status} aria-hidden />
            <span>{formatName(name)}</span>
            <span className={styles.detail}>{part.detail ?? formatName(part.status)}</span>
            <span className={styles.latency}>
              {part.score < 100 && <b>{part.score} </b>}
              {part.latency_ms === null || part.latency_ms === undefined
                ? ''
                : formatDuration(part.latency_ms / 1000)}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  )
}

const accountOf = (scope: string, all: readonly Account[]): Account | undefined =>
  all.find(({ id }) => scope === `account:${String(id)}`)

/** No engine runs the account: there is nobody to confirm, and nobody who sends. */
const isIdle = (scope: string, all: readonly Account[]): boolean =>
  accountOf(scope, all)?.engine.is_running === false

/** `account:1` under the account's own name. */
function scopeName(scope: string, all: readonly Account[]): string {
  if (scope === 'all') return 'All accounts'
  return accountOf(scope, all)?.name ?? formatName(scope.replace(':', ' '))
}

function TradingStates({ trading }: { trading: TradingStateNow }) {
  const { all } = useAccount()
  return (
    <table className={styles.scopes}>
      <thead>
        <tr>
          <th>Scope</th>
          <th>State</th>
          <th>Confirmed</th>
          <th>Why</th>
        </tr>
      </thead>
      <tbody>
        {trading.scopes.map((scope) => (
          <tr key={scope.scope}>
            <td>{scopeName(scope.scope, all)}</td>
            <td data-state={scope.state}>{formatName(scope.state)}</td>
            <td>
              {isConfirmed(scope, trading.scopes)
                ? 'Yes'
                : isIdle(scope.scope, all)
                  ? 'No engine'
                  : 'Not yet'}
            </td>
            <td className="dim">
              {[scope.reason, scope.actor].filter(Boolean).join(', ')}{' '}
              {scope.latched_at && <TimeAgo at={scope.latched_at} />}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

interface MetricsProps {
  metrics: readonly Metric[]
  onOpen: (name: string) => void
}

function Metrics({ metrics, onOpen }: MetricsProps) {
  const groups = new Map<string, Metric[]>()
  for (const metric of metrics) groups.set(metric.group, [...(groups.get(metric.group) ?? []), metric])
  return (
    <div className={styles.groups}>
      {[...groups].map(([group, members]) => (
        <section key={group}>
          <h3 className={styles.group}>{formatName(group)}</h3>
          <ul className={styles.cards}>
            {members.map((metric) => (
              <li key={metric.name}>
                <button
                  type="button"
                  className={styles.card}
                  title={`${metric.name}: show it over time`}
                  onClick={() => onOpen(metric.name)}
                >
                  <span className={styles.cardTitle}>{metric.title}</span>
                  <span className={styles.cardValue}>{formatMetric(metric)}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  )
}
