/** One alert: what it says, what it is about, who did what, and to whom it was told. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { AlertState, SeverityBadge } from '@/components/Badge'
import { Facts } from '@/components/Facts'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty, Loading } from '@/components/States'
import { Instant, TimeAgo } from '@/components/Time'
import { useRows } from '@/lib/api/pages'
import type { Alert, AlertFilter } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import { AlertForm } from './AlertActions'
import { Deliveries } from './Deliveries'
import styles from './EventDrawer.module.css'
import { tradingEngine } from './api'

interface AlertDrawerProps {
  alertId: number | undefined
  filter: AlertFilter
  onClose: () => void
}

export function AlertDrawer({ alertId, filter, onClose }: AlertDrawerProps) {
  // The same query as the table's: what the row shows is already here.
  const { rows, isPending } = useRows(useInfiniteQuery(tradingEngine.alerts(filter)))
  const alert = rows.find(({ id }) => id === alertId)
  return (
    <SideDrawer isOpen={alertId !== undefined} onClose={onClose} title={<b>Alert {alertId}</b>} size={480}>
      {alert ? (
        <Detail alert={alert} />
      ) : isPending ? (
        <Loading rows={5} />
      ) : (
        <Empty title="It is not among these alerts">Try fewer filters.</Empty>
      )}
    </SideDrawer>
  )
}

function Detail({ alert }: { alert: Alert }) {
  const context = Object.keys(alert.context ?? {}).length > 0
  return (
    <>
      <h3 className={styles.title}>{alert.title}</h3>
      <p className="dim">{alert.detail}</p>
      <Facts
        facts={[
          ['Severity', <SeverityBadge key="severity" severity={alert.severity} />],
          ['State', <AlertState key="state" state={alert.state} />],
          ['Category', formatName(alert.category)],
          ['Times', String(alert.occurrences)],
          alert.escalations > 0 && ['Announced again', String(alert.escalations)],
          ['Raised', <Instant key="raised" at={alert.raised_at} />],
          ['Last seen', <TimeAgo key="seen" at={alert.last_seen_at} />],
          alert.acknowledged_at
            ? [
                'Acknowledged',
                <span key="acknowledged">
                  {alert.acknowledged_by} <TimeAgo at={alert.acknowledged_at} />
                </span>,
              ]
            : null,
          alert.resolved_at
            ? [
                'Resolved',
                <span key="resolved">
                  {alert.resolved_by} <TimeAgo at={alert.resolved_at} />
                </span>,
              ]
            : null,
        ]}
      />
      <AlertForm key={alert.state} alert={alert} />
      <Deliveries alertId={alert.id} />
      {context && (
        <>
          <h4 className={styles.section}>Context</h4>
          <pre className={styles.payload} tabIndex={0} aria-label="Context">
            {JSON.stringify(alert.context, null, 2)}
          </pre>
        </>
      )}
    </>
  )
}
