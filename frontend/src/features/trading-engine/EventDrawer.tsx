/** One event with its payload, what caused it, and what it caused. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { PriorityBadge } from '@/components/Badge'
import { Facts } from '@/components/Facts'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty, Failed, Loading } from '@/components/States'
import { Instant } from '@/components/Time'
import { useRows } from '@/lib/api/pages'
import { events } from '@/lib/api/records'
import type { JournalEvent } from '@/lib/api/types'
import { describeEvent } from '@/lib/events'
import { formatName } from '@/lib/format'
import styles from './EventDrawer.module.css'

/** Consequences follow their cause closely in the stream. */
const NEIGHBOURS = 40

/** `account:1:120` → the stream and the place in it. */
export function parseKey(key: string): { stream: string; seq: number } | null {
  const at = key.lastIndexOf(':')
  const seq = Number(key.slice(at + 1))
  return at > 0 && Number.isInteger(seq) ? { stream: key.slice(0, at), seq } : null
}

interface EventDrawerProps {
  eventKey: string | undefined
  onClose: () => void
  onOpen: (key: string) => void
  /** Show everything that one input set off, in the history. */
  onShowChain: (correlationId: string) => void
}

export function EventDrawer({ eventKey, onClose, ...shared }: EventDrawerProps) {
  const place = eventKey === undefined ? null : parseKey(eventKey)
  return (
    <SideDrawer isOpen={place !== null} onClose={onClose} title={<b>Event {place?.seq}</b>}>
      {place && <Loaded {...place} {...shared} />}
    </SideDrawer>
  )
}

type LoadedProps = { stream: string; seq: number } & Pick<EventDrawerProps, 'onOpen' | 'onShowChain'>

function Loaded({ stream, seq, onOpen, onShowChain }: LoadedProps) {
  const near = useRows(
    useInfiniteQuery(events.list({ stream, after_seq: Math.max(0, seq - 1), order: 'asc' }, NEIGHBOURS)),
  )
  const event = near.rows.find((each) => each.seq === seq)
  if (near.error) return <Failed error={near.error} onRetry={near.refetch} />
  if (near.isPending) return <Loading rows={6} />
  if (!event) return <Empty title="There is no such event">It may have been archived.</Empty>
  const caused = near.rows.filter((each) => each.caused_by === seq)
  const cause = event.caused_by ?? null
  return (
    <>
      <h3 className={styles.title}>{formatName(event.type)}</h3>
      <p className="dim">{describeEvent(event)}</p>
      <Facts
        facts={[
          ['Occurred', <Instant key="occurred" at={event.occurred_at} />],
          ['Recorded', <Instant key="recorded" at={event.recorded_at} />],
          ['Stream', event.stream],
          ['Priority', <PriorityBadge key="priority" priority={event.priority} />],
          ['Actor', event.actor ?? '–'],
          cause !== null && [
            'Caused by',
            <button
              key="cause"
              type="button"
              className="link-button"
              onClick={() => onOpen(`${stream}:${String(cause)}`)}
            >
              event {cause}
            </button>,
          ],
          event.correlation_id
            ? [
                'Set off by one input',
                <button
                  key="chain"
                  type="button"
                  className="link-button"
                  onClick={() => onShowChain(event.correlation_id ?? '')}
                >
                  show all of it
                </button>,
              ]
            : null,
        ]}
      />
      {caused.length > 0 && <Consequences events={caused} onOpen={onOpen} />}
      <h4 className={styles.section}>Payload</h4>
      <pre className={styles.payload} tabIndex={0} aria-label="Payload">
        {JSON.stringify(event.data, null, 2)}
      </pre>
    </>
  )
}

function Consequences({ events: caused, onOpen }: { events: JournalEvent[]; onOpen: (key: string) => void }) {
  return (
    <>
      <h4 className={styles.section}>It caused</h4>
      <ul className={styles.list}>
        {caused.map((each) => (
          <li key={each.seq}>
            <button
              type="button"
              className="link-button"
              onClick={() => onOpen(`${each.stream}:${String(each.seq)}`)}
            >
              {formatName(each.type)}
            </button>{' '}
            <span className="dim">{describeEvent(each)}</span>
          </li>
        ))}
      </ul>
    </>
  )
}
