/** How far a run is: a bar where the job says so, and what it is at. */
import { Progress } from '@mantine/core'
import { formatName, formatPercent } from '@/lib/format'
import type { JobRun } from './api'
import styles from './RunProgress.module.css'
import { isUnderWay } from './words'

export function RunProgress({ run }: { run: JobRun }) {
  const { progress } = run
  if (!isUnderWay(run) || progress === null || progress === undefined) return null
  return (
    <span className={styles.progress}>
      <Progress.Root size="sm" className={styles.bar}>
        <Progress.Section value={progress * 100} aria-label={`How far ${formatName(run.job)} is`} />
      </Progress.Root>
      <span className={styles.percent}>{formatPercent(progress, { decimals: 0 })}</span>
    </span>
  )
}
