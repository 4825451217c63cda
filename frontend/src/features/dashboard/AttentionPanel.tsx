/** What needs a person: open alerts, parts that are not well, an engine that is not running. */
import { IconCircleCheck } from '@tabler/icons-react'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { SeverityBadge } from '@/components/Badge'
import { Empty } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { alerts } from '@/lib/api/alerts'
import { health } from '@/lib/api/health'
import { useRows } from '@/lib/api/pages'
import type { Account, Health, Severity } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import styles from './AttentionPanel.module.css'

interface Concern {
  id: string
  severity: Severity
  title: string
  detail: string
  at: string | null
}

export function concernsOf(now: Health | undefined, account: Account): Concern[] {
  const parts = Object.entries(now?.components ?? {})
    .filter(([, part]) => part.status !== 'healthy')
    .map(([name, part]) => ({
      id: `health-${name}`,
      severity: part.status === 'unhealthy' ? ('error' as const) : ('warning' as const),
      title: `${formatName(name)} is ${part.status}`,
      detail: part.detail ?? '',
      at: null,
    }))
  if (account.engine.is_running) return parts
  const stopped = {
    id: 'engine',
    severity: 'critical' as const,
    title: 'No engine holds this account',
    detail: 'Nothing is decided or sent until “tradewright core” runs again.',
    at: null,
  }
  return [stopped, ...parts]
}

const SHOWN = 8

export function AttentionPanel({ account }: { account: Account }) {
  const { data: now } = useQuery(health())
  const open = useRows(useInfiniteQuery(alerts.list({ state: ['open'] })))
  const concerns = [
    ...concernsOf(now, account),
    ...open.rows.map(({ id, severity, title, detail, raised_at }) => ({
      id: `alert-${String(id)}`,
      severity,
      title,
      detail,
      at: raised_at,
    })),
  ].slice(0, SHOWN)
  if (concerns.length === 0) {
    return (
      <Empty title="All is well" icon={<IconCircleCheck size={28} stroke={1.4} />}>
        Nothing needs you now.
      </Empty>
    )
  }
  return (
    <ul className={styles.list}>
      {concerns.map((concern) => (
        <li key={concern.id}>
          <Link
            to="/trading-engine"
            search={{ tab: concern.id.startsWith('alert') ? 'alerts' : 'status' }}
            className={styles.item}
          >
            <span className={styles.head}>
              <SeverityBadge severity={concern.severity} />
              <b>{concern.title}</b>
              {concern.at && (
                <span className={styles.when}>
                  <TimeAgo at={concern.at} />
                </span>
              )}
            </span>
            <span className={styles.detail}>{concern.detail}</span>
          </Link>
        </li>
      ))}
    </ul>
  )
}
