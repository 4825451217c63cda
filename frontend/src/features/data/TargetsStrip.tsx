/** The four promises about live data: what they are now, what they may be, and whether they are kept. */
import { Skeleton, Tooltip } from '@mantine/core'
import { IconCircleCheck, IconCircleX, IconHelpCircle } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Failed } from '@/components/States'
import { dataQuality } from '@/lib/api/data-quality'
import type { QualitySummary, QualityTarget, SeriesVerdict } from '@/lib/api/types'
import { plural } from '@/lib/format'
import styles from './TargetsStrip.module.css'
import { VERDICT_WORDS, formatLimit, formatTarget, targetTitle } from './words'

const STATES = {
  met: { icon: IconCircleCheck, label: 'Met' },
  missed: { icon: IconCircleX, label: 'Missed' },
  unknown: { icon: IconHelpCircle, label: 'No live data yet' },
} as const

const ORDER: SeriesVerdict[] = ['bad', 'stale', 'gaps', 'unchecked', 'good']

interface TargetsStripProps {
  dataset: string | undefined
  verdict: string | undefined
  onChoose: (verdict: SeriesVerdict | undefined) => void
}

export function TargetsStrip({ dataset, verdict, onChoose }: TargetsStripProps) {
  const { data, error, refetch } = useQuery(dataQuality.summary(dataset))
  if (error && !data) {
    return (
      <div className={styles.failed}>
        <Failed error={error} onRetry={() => void refetch()} />
      </div>
    )
  }
  return (
    <section className={styles.strip} aria-label="Quality at a glance">
      <Overall summary={data} verdict={verdict} onChoose={onChoose} />
      <dl className={styles.targets}>
        {data
          ? data.targets.map((target) => <Target key={target.name} target={target} />)
          : Array.from({ length: 4 }, (_, index) => (
              <div key={index} className={styles.target}>
                <Skeleton height={12} width="70%" mt={4} />
                <Skeleton height={18} width="50%" mt={10} />
                <Skeleton height={10} width="60%" mt={10} />
              </div>
            ))}
      </dl>
    </section>
  )
}

function Overall({
  summary,
  verdict,
  onChoose,
}: Omit<TargetsStripProps, 'dataset'> & { summary: QualitySummary | undefined }) {
  const present = ORDER.filter((one) => (summary?.verdicts[one] ?? 0) > 0)
  return (
    <div className={styles.overall}>
      <p className={styles.name}>Stored</p>
      <p className={styles.value}>{summary ? plural(summary.series, 'series', 'series') : '\u00a0'}</p>
      <div className={styles.verdicts}>
        {present.map((one) => (
          <button
            key={one}
            type="button"
            className={styles.verdict}
            data-tone={VERDICT_WORDS[one].tone}
            aria-pressed={verdict === one}
            onClick={() => onChoose(verdict === one ? undefined : one)}
          >
            <b>{summary?.verdicts[one]}</b>{' '}
            {one === 'gaps' ? 'with gaps' : VERDICT_WORDS[one].label.toLowerCase()}
          </button>
        ))}
      </div>
    </div>
  )
}

function Target({ target }: { target: QualityTarget }) {
  const { icon: Icon, label } = STATES[target.state]
  return (
    <Tooltip label={`${target.title}. ${target.detail}`} multiline maw={320}>
      <div className={styles.target} data-state={target.state}>
        <dt className={styles.name}>{targetTitle(target)}</dt>
        <dd className={styles.value}>
          {formatTarget(target, target.value)} <span className={styles.of}>{formatLimit(target)}</span>
        </dd>
        <dd className={styles.state}>
          <Icon size={14} stroke={1.9} aria-hidden /> {label}
        </dd>
      </div>
    </Tooltip>
  )
}
