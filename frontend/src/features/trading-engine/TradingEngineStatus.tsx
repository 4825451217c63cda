/** The engine at a glance, refreshed by itself: health, parts, trading state, figures. */
import { useQuery } from '@tanstack/react-query'
import { Panel } from '@/components/Panel'
import { Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { health } from '@/lib/api/health'
import type { Health, HealthStatus, Metric, TradingStateNow } from '@/lib/api/types'
import { formatBytes, formatDuration, formatFigure, formatName, formatPercent } from '@/lib/format'
import { BrokerPanel } from './BrokerPanel'
import { Controls } from './Controls'
import { isConfirmed } from './confirmation'
import styles from './TradingEngineStatus.module.css'
import { tradingEngine } from './api'

export function TradingEngineStatus() {
  const now = useQuery(health())
  const state = useQuery(tradingEngine.state())
  const metrics = useQuery(tradingEngine.metrics())
  if (now.error && !now.data) return <Failed error={now.error} onRetry={() => void now.refetch()} />
  if (!now.data || !state.data) return <Loading rows={8} height={28} />
  return (
    <div className={styles.grid}>
      <Overview health={now.data} />
      <Panel title="Trading state and controls" className={styles.controls}>
        <TradingStates trading={state.data} />
        <Controls trading={state.data} />
      </Panel>
      <BrokerPanel />
      <Panel title="Metrics" className={styles.metrics}>
        {metrics.error && <Failed error={metrics.error} onRetry={() => void metrics.refetch()} />}
        {metrics.data && <Metrics metrics={metrics.data.items} />}
      </Panel>
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

function TradingStates({ trading }: { trading: TradingStateNow }) {
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
            <td>{scope.scope === 'all' ? 'All accounts' : scope.scope.replace(':', ' ')}</td>
            <td data-state={scope.state}>{formatName(scope.state)}</td>
            <td>{isConfirmed(scope, trading.scopes) ? 'Yes' : 'Not yet'}</td>
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

/** A metric in its own unit. */
export function formatMetric({ value, unit }: Pick<Metric, 'value' | 'unit'>): string {
  switch (unit) {
    case 'percent':
    case '%':
      return formatPercent(value / 100, { decimals: 1 })
    case 'fraction':
    case 'ratio':
      return formatPercent(value, { decimals: 1 })
    case 'seconds':
    case 's':
      return formatDuration(value)
    case 'milliseconds':
    case 'ms':
      return formatDuration(value / 1000)
    case 'bytes':
      return formatBytes(value)
    case 'megabytes':
    case 'MB':
      return formatBytes(value * 1024 * 1024)
    default:
      return formatFigure(value, { decimals: Number.isInteger(value) ? 0 : 2 })
  }
}

function Metrics({ metrics }: { metrics: readonly Metric[] }) {
  const groups = new Map<string, Metric[]>()
  for (const metric of metrics) groups.set(metric.group, [...(groups.get(metric.group) ?? []), metric])
  return (
    <div className={styles.groups}>
      {[...groups].map(([group, members]) => (
        <section key={group}>
          <h3 className={styles.group}>{formatName(group)}</h3>
          <dl className={styles.cards}>
            {members.map((metric) => (
              <div key={metric.name} className={styles.card} title={metric.name}>
                <dt>{metric.title}</dt>
                <dd>{formatMetric(metric)}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </div>
  )
}
