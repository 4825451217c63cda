/** A thin amber bar while the live connection is away: since when, and that what is shown may be old. */
import { useEffect, useState, useSyncExternalStore } from 'react'
import { formatClock, formatRelative } from '@/lib/format'
import { useLiveState } from '@/lib/live/connection'
import { getNow, watchNow } from '@/lib/now'
import { usePreferences } from '@/lib/preferences'
import styles from './ConnectionBar.module.css'

/** A blink of the connection is not worth a bar. */
const PATIENCE_MS = 1_500

export function ConnectionBar() {
  const { lostAt } = useLiveState()
  const { timeZone } = usePreferences()
  const now = useSyncExternalStore(watchNow, getNow)
  const [isLate, setLate] = useState(false)

  useEffect(() => {
    if (lostAt === null) return
    const timer = setTimeout(() => setLate(true), PATIENCE_MS)
    return () => {
      clearTimeout(timer)
      setLate(false)
    }
  }, [lostAt])

  const isShown = lostAt !== null && isLate
  useEffect(() => {
    document.documentElement.toggleAttribute('data-disconnected', isShown)
    return () => document.documentElement.removeAttribute('data-disconnected')
  }, [isShown])

  if (!isShown) return null
  return (
    <div className={styles.bar} role="status">
      No live connection since {formatClock(lostAt, timeZone)} ({formatRelative(lostAt, now)}). What you see
      may be old; it continues by itself.
    </div>
  )
}
