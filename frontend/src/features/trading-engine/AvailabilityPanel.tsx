/** How much of the time the system was there, a day at a time, against the target. */
import { Tooltip } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Badge, type Tone } from '@/components/Badge'
import { Panel } from '@/components/Panel'
import { Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import type { Availability } from '@/lib/api/types'
import { formatDuration, formatName, formatPercent } from '@/lib/format'
import styles from './Availability.module.css'
import { tradingEngine } from './api'

export function AvailabilityPanel({ className }: { className?: string | undefined }) {
  const { data, error, refetch } = useQuery(tradingEngine.availability())
  return (
    <Panel title="Availability" className={className}>
      {error && !data && <Failed error={error} onRetry={() => void refetch()} />}
      {!data && !error && <Loading rows={2} height={24} />}
      {data && <Days availability={data} />}
    </Panel>
  )
}

const share = (value: number | null | undefined) =>
  value === null || value === undefined ? 'not known' : formatPercent(value, { decimals: 2 })

const toneOf = ({ is_met }: Availability): Tone =>
  is_met === null || is_met === undefined ? 'neutral' : is_met ? 'good' : 'error'

export function levelOf(value: number | null | undefined, target: number): string {
  if (value === null || value === undefined) return 'unknown'
  return value >= target ? 'met' : 'missed'
}

function Days({ availability }: { availability: Availability }) {
  const { days, outages, target } = availability
  return (
    <>
      <p className={styles.sum}>
        <b className={styles.share}>{share(availability.share)}</b>{' '}
        <Badge tone={toneOf(availability)}>Target {formatPercent(target, { decimals: 0 })}</Badge>{' '}
        <span className="dim">
          {availability.state ? `${formatName(availability.state)} now` : 'no worker looks at the moment'}
        </span>
      </p>
      <ol className={styles.days} aria-label="Days">
        {days.map(({ day, share: value }) => (
          <Tooltip key={day} label={`${day}: ${share(value)}`}>
            <li className={styles.day} data-level={levelOf(value, target)}>
              <span className="visually-hidden">
                {day}: {share(value)}
              </span>
            </li>
          </Tooltip>
        ))}
      </ol>
      {outages.length > 0 && <Outages outages={outages.slice(0, 5)} />}
    </>
  )
}

function Outages({ outages }: { outages: Availability['outages'] }) {
  return (
    <ul className={styles.outages} aria-label="Outages">
      {outages.map((outage) => (
        <li key={outage.since}>
          {formatName(outage.state)} <TimeAgo at={outage.since} />, for{' '}
          {formatDuration((Date.parse(outage.until) - Date.parse(outage.since)) / 1000)}: {outage.reason}
        </li>
      ))}
    </ul>
  )
}
