/** Where market data comes from: which keys are set, and what each live connection is doing. */
import { IconCircleCheck, IconCircleX, IconClockPause, IconKey, IconPlugConnected } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Badge, type Tone } from '@/components/Badge'
import { Panel } from '@/components/Panel'
import { Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { dataQuality } from '@/lib/api/data-quality'
import { health } from '@/lib/api/health'
import type { DataSource, Feed } from '@/lib/api/types'
import { formatDuration, plural } from '@/lib/format'
import styles from './Sources.module.css'

const STATES: Record<Feed['state'], { label: string; tone: Tone; says: string }> = {
  up: { label: 'Up', tone: 'good', says: 'Connected, and prices come.' },
  connecting: { label: 'Connecting', tone: 'info', says: 'The connection is being made.' },
  standby: { label: 'Standby', tone: 'neutral', says: 'A better provider serves every symbol.' },
  closed: { label: 'Market closed', tone: 'neutral', says: 'Nothing is expected before the next open.' },
  down: { label: 'Down', tone: 'error', says: 'Lost or silent; tried again.' },
  refused: { label: 'Refused', tone: 'error', says: 'The provider will not have us.' },
  gone: { label: 'Not running', tone: 'neutral', says: 'No engine reads this feed now.' },
}

export function SourcesPanel() {
  const { data, error, refetch } = useQuery(dataQuality.sources())
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={8} height={28} />
  const providers = data.items.filter((source) => !source.is_local)
  const feeds = providers.flatMap((source) => source.feeds.map((feed) => ({ source, feed })))
  return (
    <div className={styles.sources}>
      <Overview count={feeds.length} />
      {feeds.length > 0 && (
        <Panel title="Live feeds">
          <ul className={styles.feeds}>
            {feeds
              .sort((a, b) => a.feed.account_id - b.feed.account_id || a.feed.place - b.feed.place)
              .map(({ source, feed }) => (
                <FeedItem key={`${source.name}-${String(feed.account_id)}`} source={source} feed={feed} />
              ))}
          </ul>
        </Panel>
      )}
      <Panel title="Providers">
        <ul className={styles.cards}>
          {providers.map((source) => (
            <SourceCard key={source.name} source={source} />
          ))}
        </ul>
      </Panel>
      <Panel title="On this machine">
        <ul className={styles.cards}>
          {data.items
            .filter((source) => source.is_local)
            .map((source) => (
              <SourceCard key={source.name} source={source} />
            ))}
        </ul>
      </Panel>
    </div>
  )
}

/** What the health check says of market data, in its own words. */
function Overview({ count }: { count: number }) {
  const { data } = useQuery(health())
  const part = data?.components.market_data
  const Icon = part?.status === 'healthy' ? IconCircleCheck : IconCircleX
  return (
    <p className={styles.overview} data-status={part?.status}>
      {part ? <Icon size={16} stroke={1.9} aria-hidden /> : <IconClockPause size={16} aria-hidden />}
      <span>
        {part?.detail ?? 'The health check has not answered yet.'}{' '}
        {count === 0 && <span className="faint">No account takes live prices from a provider now.</span>}
      </span>
    </p>
  )
}

function FeedItem({ source, feed }: { source: DataSource; feed: Feed }) {
  const words = STATES[feed.state]
  return (
    <li className={styles.feed}>
      <span className={styles.feedName}>
        <b>{source.title}</b>
        <span className="faint">
          {' '}
          {feed.place === 0 ? 'first' : `fallback ${String(feed.place)}`} for {feed.account}
        </span>
      </span>
      <Badge tone={words.tone}>{words.label}</Badge>
      <span className={styles.feedSays}>
        {feed.problem ?? words.says}{' '}
        <span className="faint">
          {plural(feed.serving, 'symbol')} of {feed.symbols} served
          {feed.silent > 0 && `, ${String(feed.silent)} silent`}
          {feed.lag_seconds !== null &&
            feed.lag_seconds !== undefined &&
            `, ${formatDuration(feed.lag_seconds)} after a bar’s end`}
          {feed.reconnects > 0 && `, ${plural(feed.reconnects, 'reconnection')}`}
          {feed.queue > 0 && `, ${plural(feed.queue, 'item')} waiting`}
        </span>
      </span>
      <span className="faint">{feed.last_item_at && <TimeAgo at={feed.last_item_at} />}</span>
    </li>
  )
}

function SourceCard({ source }: { source: DataSource }) {
  const missing = source.needs.filter((need) => !need.is_set)
  return (
    <li className={styles.card}>
      <span className={styles.cardHead}>
        <b>{source.title}</b>
        {!source.is_local && <KeyBadge isFree={source.needs.length === 0} missing={missing.length} />}
      </span>
      <span className="dim">{source.gives}</span>
      {missing.length > 0 && (
        <span className={styles.needs}>
          <IconKey size={14} aria-hidden />
          <span>
            Set{' '}
            {missing.map(({ variable }, index) => (
              <span key={variable}>
                {index > 0 && ' and '}
                <code>{variable}</code>
              </span>
            ))}{' '}
            in <code>.env</code> or the environment.{' '}
            {source.where && (
              <a href={source.where} target="_blank" rel="noreferrer">
                Get it
              </a>
            )}
          </span>
        </span>
      )}
    </li>
  )
}

function KeyBadge({ isFree, missing }: { isFree: boolean; missing: number }) {
  if (isFree) return <Badge>No key needed</Badge>
  if (missing > 0) return <Badge>No key</Badge>
  return (
    <Badge tone="good">
      <span className={styles.ready}>
        <IconPlugConnected size={12} aria-hidden /> Key set
      </span>
    </Badge>
  )
}
