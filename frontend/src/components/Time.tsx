/** Instants: relative in lists, exact on hover, in the zone the person chose. */
import { Tooltip } from '@mantine/core'
import { useSyncExternalStore } from 'react'
import { NONE, formatBothTimes, formatRelative, formatTime } from '@/lib/format'
import { getNow, watchNow } from '@/lib/now'
import { usePreferences } from '@/lib/preferences'

interface TimeProps {
  at: string | null | undefined
}

/** `12 s ago`; moves on by itself once a second. */
export function TimeAgo({ at }: TimeProps) {
  const now = useSyncExternalStore(watchNow, getNow)
  if (!at) return <>{NONE}</>
  return (
    <Tooltip label={formatBothTimes(at)}>
      <time dateTime={at}>{formatRelative(at, now)}</time>
    </Tooltip>
  )
}

/** `2026-03-05 14:31:00`, for the market's own time, which may be years ago. */
export function Instant({ at, short = false }: TimeProps & { short?: boolean }) {
  const { timeZone } = usePreferences()
  if (!at) return <>{NONE}</>
  const text = formatTime(at, timeZone)
  return (
    <Tooltip label={formatBothTimes(at)}>
      <time dateTime={at}>{short ? text.slice(5) : text}</time>
    </Tooltip>
  )
}
