/** The quiet parts of a table: rows that are on their way, and how many there are. */
import { Skeleton } from '@mantine/core'
import { plural } from '@/lib/format'
import styles from './DataTable.module.css'

export function SkeletonRows() {
  return (
    <div role="status" aria-label="Loading">
      {Array.from({ length: 12 }, (_, row) => (
        <div key={row} className={styles.skeletonRow}>
          <Skeleton height={10} width={`${String(95 - ((row * 23) % 45))}%`} />
        </div>
      ))}
    </div>
  )
}

interface TableFooterProps {
  count: number
  hasMore: boolean
  isFetchingMore: boolean
}

export function TableFooter({ count, hasMore, isFetchingMore }: TableFooterProps) {
  const rows = plural(count, 'row')
  return (
    <div className={styles.footer}>
      <span>{isFetchingMore ? `${rows}, fetching more…` : hasMore ? `${rows}, more below` : rows}</span>
      <span className={styles.hint}>↑ ↓ to move · Enter to open</span>
    </div>
  )
}
