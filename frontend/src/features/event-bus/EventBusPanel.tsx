/** The event bus at a glance: its sums, every handler, and the events that were given up on. */
import { useQuery } from '@tanstack/react-query'
import { Badge, type Tone } from '@/components/Badge'
import { Facts } from '@/components/Facts'
import { Panel } from '@/components/Panel'
import { Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { formatFigure, formatName } from '@/lib/format'
import { DeadLetters } from './DeadLetters'
import styles from './EventBus.module.css'
import { Handlers } from './Handlers'
import { type Bus, eventBus } from './api'

interface EventBusPanelProps {
  /** The dead letter that is open: handler, stream and seq. */
  letter: string | undefined
  onLetter: (key: string | undefined) => void
  onEvent: (key: string) => void
}

export function EventBusPanel({ letter, onLetter, onEvent }: EventBusPanelProps) {
  const { data, error, refetch } = useQuery(eventBus.now())
  return (
    <div className={styles.stack}>
      <Panel
        title="Event bus"
        actions={
          data && (
            <span className={styles.at}>
              <TimeAgo at={data.at} />
            </span>
          )
        }
      >
        {error && !data && <Failed error={error} onRetry={() => void refetch()} />}
        {!data && !error && <Loading rows={3} height={24} />}
        {data && <Sums bus={data} />}
      </Panel>
      {data && (
        <Panel title="Handlers">
          <Handlers handlers={data.handlers} />
        </Panel>
      )}
      <Panel flush title="Dead letters" className={styles.letters}>
        <DeadLetters openKey={letter} onOpen={onLetter} onEvent={onEvent} />
      </Panel>
    </div>
  )
}

const TONES: Record<Bus['status'], Tone> = { healthy: 'good', degraded: 'warning', unhealthy: 'error' }
const count = (value: number) => formatFigure(value, { decimals: 0 })

function Sums({ bus }: { bus: Bus }) {
  return (
    <>
      <p className={styles.sentence}>
        <Badge tone={TONES[bus.status]}>{formatName(bus.status)}</Badge> {bus.detail}
      </p>
      <Facts
        facts={[
          ['Published', count(bus.published)],
          ['Handled', count(bus.handled)],
          ['Failed tries', count(bus.failed)],
          ['Tried again', count(bus.retried)],
          ['Committed, not yet handed out', count(bus.lag)],
          ['Waiting', count(bus.waiting)],
          ['Dead letters', count(bus.dead_letters)],
          [
            'Other processes',
            bus.fan_out
              ? bus.fan_out.is_connected
                ? bus.fan_out.lag === 0
                  ? 'Redis has everything'
                  : `Redis has all but ${count(bus.fan_out.lag)}`
                : 'Redis is away; they read PostgreSQL'
              : 'nothing is copied to Redis',
          ],
        ]}
      />
    </>
  )
}
