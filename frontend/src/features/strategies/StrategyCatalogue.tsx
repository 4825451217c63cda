/** Every strategy that can be deployed, as cards. */
import { useQuery } from '@tanstack/react-query'
import { Alert, UnstyledButton } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import { Badge } from '@/components/Badge'
import { Failed, Loading } from '@/components/States'
import { strategies } from '@/lib/api/strategies'
import type { Strategy } from '@/lib/api/types'
import { plural } from '@/lib/format'
import styles from './StrategyCatalogue.module.css'

export function StrategyCatalogue({ onOpen }: { onOpen: (name: string) => void }) {
  const { data, error, refetch } = useQuery(strategies.list())
  if (error) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={6} height={40} />
  return (
    <>
      <Unusable problems={data.problems ?? {}} />
      <ul className={styles.list}>
        {data.items.map((strategy) => (
          <li key={strategy.name}>
            <StrategyCard strategy={strategy} onOpen={onOpen} />
          </li>
        ))}
      </ul>
    </>
  )
}

/** Files that hold no strategy, or one that cannot be used: said here, or they would be missed in silence. */
function Unusable({ problems }: { problems: Record<string, string> }) {
  return Object.entries(problems).map(([file, reason]) => (
    <Alert key={file} color="yellow" title={file} icon={<IconAlertTriangle />}>
      {reason}
    </Alert>
  ))
}

function StrategyCard({ strategy, onOpen }: { strategy: Strategy; onOpen: (name: string) => void }) {
  const defaults = Object.entries(strategy.defaults)
  return (
    <UnstyledButton className={styles.card} onClick={() => onOpen(strategy.name)}>
      <span className={styles.name}>
        {strategy.name} {strategy.is_panel && <Badge>all symbols together</Badge>}{' '}
        {strategy.origin !== 'built in' && <Badge tone="info">yours</Badge>}
      </span>
      <span className={styles.text}>{strategy.description}</span>
      <span className={styles.foot}>
        {defaults.map(([name, value]) => (
          <span key={name} className={styles.parameter}>
            {name} <b>{String(value)}</b>
          </span>
        ))}
        <span className="faint">first opinion after {plural(strategy.lookback, 'bar')}</span>
      </span>
    </UnstyledButton>
  )
}
