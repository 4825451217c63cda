/** How old the newest market data is: amber when it stops coming. */
import { Tooltip } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useAccount } from '@/lib/account'
import { stocks } from '@/lib/api/stocks'
import { formatDuration } from '@/lib/format'
import { newestMarketData } from '@/lib/live/freshness'
import { useQuoteFeed } from '@/lib/live/quotes'
import styles from './Header.module.css'

const STALE_SECONDS = 10
const LISTENED_TO = 12

export function FeedFreshness() {
  const { account } = useAccount()
  const { data } = useQuery({ ...stocks.list(account?.id ?? null), enabled: account !== null })
  useQuoteFeed(data?.items.slice(0, LISTENED_TO).map((stock) => stock.symbol) ?? [], account?.dataset)
  const [age, setAge] = useState<number | null>(null)

  useEffect(() => {
    const timer = setInterval(() => {
      const newest = newestMarketData()
      setAge(newest === null ? null : Math.round((Date.now() - newest) / 100) / 10)
    }, 500)
    return () => clearInterval(timer)
  }, [])

  // Imported data does not move: nothing to be late.
  if (account?.dataset.startsWith('import:')) return null
  const isStale = age === null || age > STALE_SECONDS
  const label =
    age === null
      ? 'No market data has arrived since this page was opened'
      : `The newest market data arrived ${formatDuration(age)} ago`
  return (
    <Tooltip label={label}>
      <span className={[styles.quiet, styles.feed, isStale ? styles.stale : ''].join(' ')}>
        {age === null
          ? 'no quotes yet'
          : `quotes ${age < 0.1 ? '0.0 s' : formatDuration(Math.max(0.1, age))}`}
      </span>
    </Tooltip>
  )
}
