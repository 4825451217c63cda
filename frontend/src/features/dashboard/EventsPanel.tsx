/** The newest facts of the journal, as they are committed. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Empty, Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { useRows } from '@/lib/api/pages'
import { events } from '@/lib/api/records'
import type { Account, JournalEvent } from '@/lib/api/types'
import { describeEvent } from '@/lib/events'
import { formatName } from '@/lib/format'
import styles from './EventsPanel.module.css'

const SHOWN = 30
/** The milestones; the steps between them are on the engine page. */
const WORTH_SEEING = [
  'signal_raised',
  'order_denied',
  'order_filled',
  'order_canceled',
  'order_rejected',
  'order_expired',
  'order_unknown',
  'trade_closed',
  'deployment_started',
  'deployment_paused',
  'deployment_stopped',
  'deployment_failed',
  'trading_halted',
  'trading_resumed',
  'limits_changed',
  'bar_late',
]
const IS_BAD = new Set([
  'order_rejected',
  'order_denied',
  'order_unknown',
  'deployment_failed',
  'trading_halted',
])
const IS_GOOD = new Set(['order_filled', 'trading_resumed', 'deployment_started'])

const toneOf = (type: string) => (IS_BAD.has(type) ? 'bad' : IS_GOOD.has(type) ? 'good' : 'quiet')

export function EventsPanel({ account }: { account: Account }) {
  const { rows, isPending, error, refetch } = useRows(
    useInfiniteQuery(events.list({ account_id: account.id, type: WORTH_SEEING }, SHOWN)),
  )
  if (error && rows.length === 0) return <Failed error={error} onRetry={refetch} />
  if (isPending) return <Loading rows={7} />
  if (rows.length === 0)
    return <Empty title="Quiet so far">Signals, orders and fills appear here as they happen.</Empty>
  return (
    <ul className={styles.list}>
      {rows.slice(0, SHOWN).map((event) => (
        <EventLine key={`${event.stream}:${String(event.seq)}`} event={event} />
      ))}
    </ul>
  )
}

function EventLine({ event }: { event: JournalEvent }) {
  return (
    <li>
      <Link
        to="/trading-engine"
        search={{ tab: 'events', event: `${event.stream}:${String(event.seq)}` }}
        className={styles.line}
      >
        <span className={styles.dot} data-tone={toneOf(event.type)} aria-hidden />
        <span className={styles.type}>{formatName(event.type)}</span>
        <span className={styles.text}>{describeEvent(event)}</span>
        <span className={styles.when}>
          <TimeAgo at={event.recorded_at} />
        </span>
      </Link>
    </li>
  )
}
