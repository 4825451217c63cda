/** The health score; pressed, it says what is wrong. */
import { Popover, UnstyledButton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { health } from '@/lib/api/health'
import type { Health } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import styles from './Header.module.css'
import list from './HealthPill.module.css'

const ORDER = { unhealthy: 0, degraded: 1, healthy: 2 } as const

function Components({ health: now }: { health: Health }) {
  const parts = Object.entries(now.components).sort(([, a], [, b]) => ORDER[a.status] - ORDER[b.status])
  return (
    <ul className={list.list}>
      {parts.map(([name, part]) => (
        <li key={name} className={list.item}>
          <span className={styles.dot} data-status={part.status} />
          <span className={list.name}>{formatName(name)}</span>
          <span className={list.detail}>{part.detail ?? part.status}</span>
        </li>
      ))}
    </ul>
  )
}

export function HealthPill() {
  const { data, isError } = useQuery(health())
  const status = isError ? 'unhealthy' : data?.status
  const score = isError ? 'unreachable' : (data?.score ?? '…')
  return (
    <Popover position="bottom-end" width={380} withinPortal>
      <Popover.Target>
        <UnstyledButton className={styles.pill} aria-label={`Health ${score}: ${status ?? 'not known yet'}`}>
          <span className={styles.dot} data-status={status} />
          <span className={styles.score}>{score}</span>
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        {data ? (
          <Components health={data} />
        ) : (
          <p className={list.detail}>The server does not say how it is.</p>
        )}
        <Link to="/trading-engine" className={list.more}>
          Open the engine page
        </Link>
      </Popover.Dropdown>
    </Popover>
  )
}
