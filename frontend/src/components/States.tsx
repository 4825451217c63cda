/** What stands where data will be: nothing yet, not now, or still loading. */
import { Button, Skeleton } from '@mantine/core'
import { IconAlertTriangle, IconRefresh } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { describeError } from '@/lib/api/errors'
import styles from './States.module.css'

interface EmptyProps {
  title: string
  /** What to do next, in words. */
  children?: ReactNode
  action?: ReactNode
  icon?: ReactNode
}

export function Empty({ title, children, action, icon }: EmptyProps) {
  return (
    <div className={styles.state}>
      {icon !== undefined && <div className={styles.icon}>{icon}</div>}
      <p className={styles.title}>{title}</p>
      {children !== undefined && <p className={styles.text}>{children}</p>}
      {action}
    </div>
  )
}

export function Failed({ error, onRetry }: { error: unknown; onRetry?: (() => void) | undefined }) {
  const { title, detail, remedy, correlationId } = describeError(error)
  return (
    <div className={styles.state} role="alert">
      <div className={styles.iconError}>
        <IconAlertTriangle size={20} />
      </div>
      <p className={styles.title}>{title}</p>
      <p className={styles.text}>
        {detail} {remedy}
      </p>
      {onRetry !== undefined && (
        <Button variant="default" leftSection={<IconRefresh size={14} />} onClick={onRetry}>
          Try again
        </Button>
      )}
      {correlationId !== null && <p className={styles.reference}>Reference {correlationId}</p>}
    </div>
  )
}

export function Loading({ rows = 5, height = 16 }: { rows?: number; height?: number }) {
  return (
    <div className={styles.loading} role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} height={height} width={`${String(92 - ((row * 17) % 40))}%`} />
      ))}
    </div>
  )
}
