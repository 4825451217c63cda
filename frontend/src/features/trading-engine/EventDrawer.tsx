/** One event with its payload, what caused it, and what it caused. */
import { useQuery } from '@tanstack/react-query'
import { PriorityBadge } from '@/components/Badge'
import { Facts } from '@/components/Facts'
import { SideDrawer } from '@/components/SideDrawer'
import { Failed, Loading } from '@/components/States'
import { Instant } from '@/components/Time'
import { events } from '@/lib/api/records'
import type { JournalEvent } from '@/lib/api/types'
import { describeEvent } from '@/lib/events'
import { formatName } from '@/lib/format'
import styles from './EventDrawer.module.css'
import { consequencesOf } from './causation'

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
  const { data, error, refetch } = useQuery(events.causation(stream, seq))
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={6} />
  const { event, ancestors } = data
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
      {ancestors.length > 0 && (
        <>
          <h4 className={styles.section}>What led to it</h4>
          <ol className={styles.tree} aria-label="What led to it">
            {ancestors.map((each) => (
              <Step key={each.seq} event={each} depth={0} onOpen={onOpen} />
            ))}
          </ol>
        </>
      )}
      <Consequences causation={data} onOpen={onOpen} />
      <h4 className={styles.section}>Payload</h4>
      <pre className={styles.payload} tabIndex={0} aria-label="Payload">
        {JSON.stringify(event.data, null, 2)}
      </pre>
    </>
  )
}

interface ConsequencesProps {
  causation: { event: JournalEvent; descendants: JournalEvent[]; is_complete: boolean }
  onOpen: (key: string) => void
}

function Consequences({ causation, onOpen }: ConsequencesProps) {
  const { event, descendants, is_complete } = causation
  if (descendants.length === 0) return null
  return (
    <>
      <h4 className={styles.section}>What followed from it</h4>
      <ol className={styles.tree} aria-label="What followed from it">
        {consequencesOf(event.seq, descendants).map((each) => (
          <Step key={each.event.seq} {...each} depth={each.depth - 1} onOpen={onOpen} />
        ))}
      </ol>
      {!is_complete && <p className="dim">More followed than is shown here.</p>}
    </>
  )
}

interface StepProps {
  event: JournalEvent
  depth: number
  onOpen: (key: string) => void
}

const DEEPEST_INDENT = 6

function Step({ event, depth, onOpen }: StepProps) {
  return (
    <li style={{ marginInlineStart: Math.min(depth, DEEPEST_INDENT) * 14 }}>
      <button
        type="button"
        className="link-button"
        onClick={() => onOpen(`${event.stream}:${String(event.seq)}`)}
      >
        {formatName(event.type)}
      </button>{' '}
      <span className="dim">{describeEvent(event)}</span>
    </li>
  )
}
