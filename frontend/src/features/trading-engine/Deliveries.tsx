/** To whom an alert was told, and what came in between. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Badge, type Tone } from '@/components/Badge'
import { Row, Rows } from '@/components/Rows'
import { Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import type { AlertDelivery } from '@/lib/api/types'
import { plural } from '@/lib/format'
import styles from './EventDrawer.module.css'
import { tradingEngine } from './api'

const STATUSES: Record<AlertDelivery['status'], { label: string; tone: Tone }> = {
  pending: { label: 'On its way', tone: 'info' },
  delivered: { label: 'Delivered', tone: 'good' },
  dead: { label: 'Given up', tone: 'error' },
  skipped: { label: 'No longer needed', tone: 'neutral' },
}

export function Deliveries({ alertId }: { alertId: number }) {
  const { data, error, refetch } = useQuery(tradingEngine.deliveries(alertId))
  return (
    <>
      <h4 className={styles.section}>Told to</h4>
      {error && !data && <Failed error={error} onRetry={() => void refetch()} />}
      {!data && !error && <Loading rows={2} />}
      {data?.items.length === 0 && (
        <p className="dim">
          Nobody: no channel hears of it.{' '}
          <Link to="/settings" search={{ tab: 'notifications' }} className="link-button">
            See the channels
          </Link>
        </p>
      )}
      <Rows label="Told to">
        {(data?.items ?? []).map((one) => (
          <Delivery key={one.id} delivery={one} />
        ))}
      </Rows>
    </>
  )
}

function Delivery({ delivery }: { delivery: AlertDelivery }) {
  const { label, tone } = STATUSES[delivery.status]
  const what = delivery.kind === 'resolved' ? 'that it is over' : delivery.round > 1 ? 'again' : ''
  return (
    <Row
      note={
        <>
          {plural(delivery.attempts, 'try', 'tries')},{' '}
          <TimeAgo at={delivery.delivered_at ?? delivery.created_at} />
          {delivery.next_attempt_at && (
            <>
              , next <TimeAgo at={delivery.next_attempt_at} />
            </>
          )}
          {delivery.error && `: ${delivery.error}`}
        </>
      }
    >
      {delivery.channel} {what} <Badge tone={tone}>{label}</Badge>
    </Row>
  )
}
