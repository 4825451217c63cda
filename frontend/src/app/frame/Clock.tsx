/** The time, in UTC or here; pressing it changes which. The market's own time when that is another. */
import { Tooltip, UnstyledButton } from '@mantine/core'
import { useSyncExternalStore } from 'react'
import { useAccount } from '@/lib/account'
import { formatBothTimes, formatClock, formatTime } from '@/lib/format'
import { getNow, watchNow } from '@/lib/now'
import { setPreferences, usePreferences } from '@/lib/preferences'
import styles from './Header.module.css'

const FAR_MS = 120_000

export function Clock() {
  const now = useSyncExternalStore(watchNow, getNow)
  const { timeZone } = usePreferences()
  const { account } = useAccount()
  const marketAt = account?.market_at ?? null
  const isElsewhen = marketAt !== null && Math.abs(new Date(marketAt).getTime() - now) > FAR_MS
  return (
    <Tooltip label={`${formatBothTimes(now)}. Press to show ${timeZone === 'utc' ? 'local time' : 'UTC'}.`}>
      <UnstyledButton
        className={styles.clock}
        onClick={() => setPreferences({ timeZone: timeZone === 'utc' ? 'local' : 'utc' })}
      >
        <span>
          {formatClock(now, timeZone)} {timeZone === 'utc' ? 'UTC' : 'local'}
        </span>
        {isElsewhen && <span className="faint">market {formatTime(marketAt, timeZone).slice(0, 16)}</span>}
      </UnstyledButton>
    </Tooltip>
  )
}
