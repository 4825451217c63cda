/** Every limit that can be measured now, with how much of it is used. */
import { useQuery } from '@tanstack/react-query'
import { LimitBar } from '@/components/LimitBar'
import { Failed, Loading } from '@/components/States'
import { accounts } from '@/lib/api/accounts'
import type { LimitUse } from '@/lib/api/types'
import { formatFigure, formatMoney, formatPercent, toNumber } from '@/lib/format'
import styles from './LimitsPanel.module.css'

function inUnit(unit: string, value: string | null | undefined): string {
  if (unit === 'fraction') return formatPercent(value, { decimals: 1 })
  return unit === 'money' ? formatMoney(value) : formatFigure(value, { decimals: 0 })
}

export function LimitsPanel({ accountId }: { accountId: number }) {
  const { data, error, refetch } = useQuery(accounts.limits(accountId))
  if (error) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={4} />
  return (
    <ul className={styles.list}>
      {data.items.map((limit) => (
        <Limit key={`${limit.scope ?? ''}${limit.name}`} limit={limit} />
      ))}
    </ul>
  )
}

function Limit({ limit: { title, unit, value, limit, use, subject, scope } }: { limit: LimitUse }) {
  const used = inUnit(unit, value)
  const figures =
    limit === null || limit === undefined ? `${used}, no limit` : `${used} of ${inUnit(unit, limit)}`
  return (
    <li className={styles.item}>
      <div className={styles.head}>
        <span>
          {title}
          {subject && <span className="faint"> {subject}</span>}
          {scope && <span className="faint"> (its own limit)</span>}
        </span>
        <span className="tabular dim">{figures}</span>
      </div>
      <LimitBar closeness={toNumber(use)} label={`${title}: ${figures}`} />
    </li>
  )
}
