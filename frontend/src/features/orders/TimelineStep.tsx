/** One step of a timeline: a dot, a title, when, and what there is to say. */
import type { ReactNode } from 'react'
import { Instant } from '@/components/Time'
import styles from './Timeline.module.css'

interface TimelineStepProps {
  icon: ReactNode
  title: ReactNode
  at?: string | null | undefined
  tone?: 'good' | 'error' | undefined
  children?: ReactNode
}

export function TimelineStep({ icon, title, at, tone, children }: TimelineStepProps) {
  return (
    <li className={styles.step} data-tone={tone}>
      <div className={styles.dot} aria-hidden>
        {icon}
      </div>
      <div>
        <div className={styles.head}>
          <h3 className={styles.title}>{title}</h3>
          {at && (
            <span className={styles.when}>
              <Instant at={at} />
            </span>
          )}
        </div>
        {children !== undefined && <div className={styles.body}>{children}</div>}
      </div>
    </li>
  )
}
