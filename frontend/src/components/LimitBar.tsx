/** How close a value is to its limit: a bar, with the words beside it. */
import styles from './LimitBar.module.css'

interface LimitBarProps {
  /** 1 is full; null when there is nothing to measure. */
  closeness: number | null
  label: string
}

const NEAR = 0.8

export function LimitBar({ closeness, label }: LimitBarProps) {
  if (closeness === null) return <div className={styles.none} />
  const level = closeness > 1 ? 'over' : closeness >= NEAR ? 'near' : 'fine'
  return (
    <div className={styles.bar} role="img" aria-label={label} data-level={level}>
      <div className={styles.fill} style={{ width: `${String(Math.min(100, closeness * 100))}%` }} />
    </div>
  )
}
