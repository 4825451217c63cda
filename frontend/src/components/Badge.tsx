/** A word with a tone: statuses, severities, sides. */
import type { ReactNode } from 'react'
import type { Alert, Deployment, Order, Severity, Signal } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import styles from './Badge.module.css'

export type Tone = 'neutral' | 'info' | 'good' | 'warning' | 'error' | 'critical' | 'up' | 'down'

export function Badge({ tone = 'neutral', children }: { tone?: Tone; children: ReactNode }) {
  return (
    <span className={styles.badge} data-tone={tone}>
      {children}
    </span>
  )
}

const ORDER_TONES: Record<Order['status'], Tone> = {
  approved: 'info',
  submitted: 'info',
  accepted: 'info',
  unknown: 'error',
  partially_filled: 'warning',
  filled: 'good',
  canceled: 'neutral',
  rejected: 'error',
  expired: 'neutral',
}

export const OrderStatus = ({ status }: { status: Order['status'] }) => (
  <Badge tone={ORDER_TONES[status]}>{formatName(status)}</Badge>
)

/** A request to the broker that it has not answered: nothing while there is none. */
export const PendingChange = ({ order }: { order: Order }) =>
  order.pending !== 'none' && order.is_open ? (
    <Badge tone="warning">{order.pending === 'cancel' ? 'Canceling' : 'Changing'}</Badge>
  ) : null

/** Where an open order waits: what is held here is watched only while we run. */
export const OrderPlace = ({ order }: { order: Order }) => {
  if (!order.is_open) return <>–</>
  return order.is_held ? <Badge tone="warning">Only while running</Badge> : <>At the broker</>
}

const DEPLOYMENT_TONES: Record<Deployment['state'], Tone> = {
  created: 'info',
  running: 'good',
  paused: 'warning',
  stopped: 'neutral',
  failed: 'error',
}

export const DeploymentState = ({ state }: { state: Deployment['state'] }) => (
  <Badge tone={DEPLOYMENT_TONES[state]}>{formatName(state)}</Badge>
)

const SEVERITY_TONES: Record<Severity, Tone> = {
  info: 'neutral',
  warning: 'warning',
  error: 'error',
  critical: 'critical',
}

export const SeverityBadge = ({ severity }: { severity: Severity }) => (
  <Badge tone={SEVERITY_TONES[severity]}>{formatName(severity)}</Badge>
)

export const AlertState = ({ state }: { state: Alert['state'] }) => (
  <Badge tone={state === 'open' ? 'warning' : 'neutral'}>{formatName(state)}</Badge>
)

const PRIORITY_TONES = { low: 'neutral', normal: 'neutral', high: 'warning', critical: 'critical' } as const

export const PriorityBadge = ({ priority }: { priority: keyof typeof PRIORITY_TONES }) => (
  <Badge tone={PRIORITY_TONES[priority]}>{formatName(priority)}</Badge>
)

export const SignalType = ({ type }: { type: Signal['signal_type'] }) => (
  <Badge tone={type === 'long' ? 'up' : type === 'short' ? 'down' : 'neutral'}>{formatName(type)}</Badge>
)

/** Buy or sell: a word, never a colour alone. */
export const Side = ({ side }: { side: 'buy' | 'sell' | null | undefined }) =>
  side ? <span className={side === 'buy' ? 'up' : 'down'}>{formatName(side)}</span> : <>–</>
