/** One series: its coverage calendar, its gaps with the evidence, what was found, its fingerprint. */
import { CopyButton, Select, Skeleton, Stack, UnstyledButton } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Facts } from '@/components/Facts'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty, Failed, Loading } from '@/components/States'
import { Instant, TimeAgo } from '@/components/Time'
import { type SeriesName, dataQuality } from '@/lib/api/data-quality'
import { useRows } from '@/lib/api/pages'
import type { Gap, Series } from '@/lib/api/types'
import { formatDuration, formatFigure, formatName, plural } from '@/lib/format'
import { CoverageCalendar, describeCoverage } from './CoverageCalendar'
import styles from './Data.module.css'
import { GapEvidence } from './GapEvidence'
import { GapMark, VerdictMark } from './Marks'
import { RepairButton } from './RepairButton'
import { yearsOf } from './coverage'
import { NEVER_ASKED, formatShare, isOpenGap, mayAskAgain, parseSeriesKey, verdictSentence } from './words'

interface SeriesDrawerProps {
  /** As `seriesKey` writes it. */
  name: string | undefined
  year: number | undefined
  onYear: (year: number | undefined) => void
  onClose: () => void
}

export function SeriesDrawer({ name, year, onYear, onClose }: SeriesDrawerProps) {
  const series = parseSeriesKey(name)
  return (
    <SideDrawer
      isOpen={name !== undefined}
      onClose={onClose}
      title={
        series ? (
          <span>
            <b>{series.symbol}</b> bars of {series.timeframe} <span className="faint">{series.dataset}</span>
          </span>
        ) : (
          'Series'
        )
      }
      size={820}
    >
      {series ? (
        <SeriesDetail name={series} year={year} onYear={onYear} />
      ) : (
        <Empty title="There is no such series">Open one from the table.</Empty>
      )}
    </SideDrawer>
  )
}

interface SeriesDetailProps {
  name: SeriesName
  year: number | undefined
  onYear: (year: number | undefined) => void
}

function SeriesDetail({ name, year, onYear }: SeriesDetailProps) {
  const { dataset, symbol, timeframe } = name
  const found = useRows(useInfiniteQuery(dataQuality.series({ dataset, symbol: [symbol], timeframe })))
  const series = found.rows[0]
  if (found.error) return <Failed error={found.error} onRetry={found.refetch} />
  if (found.isPending) return <Loading rows={8} />
  if (!series) return <Empty title="There is no such series">Nothing is stored of it any more.</Empty>
  return (
    <Stack gap="xl">
      <div className={styles.verdict}>
        <VerdictMark verdict={series.verdict} />
        <span>{verdictSentence(series)}</span>
      </div>
      <SeriesFacts series={series} />
      <Coverage name={name} series={series} year={year} onYear={onYear} />
      <SeriesGaps name={name} />
      <Findings series={series} />
    </Stack>
  )
}

function SeriesFacts({ series }: { series: Series }) {
  return (
    <Facts
      facts={[
        ['Completeness', formatShare(series.completeness, 3)],
        ['Bars', formatFigure(series.bars, { decimals: 0 })],
        ['Expected', formatFigure(series.expected, { decimals: 0 })],
        ['Missing', formatFigure(series.missing, { decimals: 0 })],
        ['First bar', <Instant key="first" at={series.first_start} />],
        ['Last bar', <Instant key="last" at={series.last_start} />],
        series.behind_seconds !== null &&
          series.behind_seconds !== undefined && ['Overdue', formatDuration(series.behind_seconds)],
        ['Sources', series.sources?.join(', ') || 'unknown'],
        ['Checked', series.checked_at ? <TimeAgo key="checked" at={series.checked_at} /> : 'not yet'],
      ]}
    />
  )
}

function Coverage({ name, series, year, onYear }: SeriesDetailProps & { series: Series }) {
  const { data, error, refetch, isPending } = useQuery(dataQuality.coverage(name, year))
  const years = yearsOf(series.first_start, series.last_start)
  return (
    <section aria-labelledby="coverage">
      <header className={styles.sectionHead}>
        <h3 id="coverage">Coverage</h3>
        <Select
          aria-label="Period"
          size="xs"
          w={150}
          allowDeselect={false}
          value={year === undefined ? 'last' : String(year)}
          onChange={(value) => onYear(value === 'last' || value === null ? undefined : Number(value))}
          data={[
            { value: 'last', label: 'Last 12 months' },
            ...years.map((one) => ({ value: String(one), label: String(one) })),
          ]}
        />
      </header>
      {error && <Failed error={error} onRetry={() => void refetch()} />}
      {isPending && <Skeleton height={132} />}
      {data && data.items.length === 0 && (
        <Empty title="No sessions">The series has no bars in this period.</Empty>
      )}
      {data && data.items.length > 0 && (
        <>
          <p className={styles.sentence}>{describeCoverage(data.items)}</p>
          <CoverageCalendar
            sessions={data.items}
            label={`Coverage of ${name.symbol} ${name.timeframe}, one cell a session of ${data.exchange}`}
          />
        </>
      )}
    </section>
  )
}

const GAPS_AT_ONCE = 100

function SeriesGaps({ name: { dataset, symbol, timeframe } }: { name: SeriesName }) {
  const gaps = useRows(
    useInfiniteQuery(dataQuality.gaps({ dataset, symbol: [symbol], timeframe }, GAPS_AT_ONCE)),
  )
  const canAsk = gaps.rows.some(mayAskAgain)
  return (
    <section aria-labelledby="gaps">
      <header className={styles.sectionHead}>
        <h3 id="gaps">Gaps</h3>
        {canAsk && <RepairButton wish={{ symbol, timeframe }} />}
      </header>
      {gaps.error && <Failed error={gaps.error} onRetry={gaps.refetch} />}
      {gaps.isPending && <Loading rows={2} />}
      {!gaps.isPending && !gaps.error && gaps.rows.length === 0 && (
        <p className={styles.sentence}>None are in the ledger.</p>
      )}
      {dataset.startsWith('import:') && gaps.rows.some(isOpenGap) && (
        <p className={styles.sentence}>{NEVER_ASKED}</p>
      )}
      <ul className={styles.gaps}>
        {[...gaps.rows]
          .sort((a, b) => Number(isOpenGap(b)) - Number(isOpenGap(a)))
          .map((gap) => (
            <GapItem key={gap.id} gap={gap} />
          ))}
      </ul>
      {gaps.hasMore && (
        <button type="button" className="link-button" onClick={gaps.fetchMore}>
          Older ones
        </button>
      )}
    </section>
  )
}

function GapItem({ gap }: { gap: Gap }) {
  return (
    <li className={styles.gap}>
      <div className={styles.gapHead}>
        <GapMark state={gap.state} />
        <span>{plural(gap.bars, 'bar')}</span>
        <span className="dim tabular">
          <Instant at={gap.start} /> to <Instant at={gap.end} />
        </span>
      </div>
      <GapEvidence gap={gap} />
    </li>
  )
}

function Findings({ series }: { series: Series }) {
  const found = Object.entries(series.findings ?? {}).filter(([, bars]) => bars > 0)
  return (
    <section aria-labelledby="findings">
      <header className={styles.sectionHead}>
        <h3 id="findings">What the check found</h3>
      </header>
      {!series.checked_at ? (
        <p className={styles.sentence}>
          No check has looked at these bars yet; one comes by itself within minutes.
        </p>
      ) : found.length === 0 ? (
        <p className={styles.sentence}>Nothing odd: no spikes, no overlaps, no frozen prices.</p>
      ) : (
        <Facts facts={found.map(([kind, bars]) => [formatName(kind), plural(bars, 'bar')] as const)} />
      )}
      {series.fingerprint && (
        <CopyButton value={series.fingerprint}>
          {({ copied, copy }) => (
            <UnstyledButton className={styles.fingerprint} onClick={copy}>
              {copied ? <IconCheck size={14} aria-hidden /> : <IconCopy size={14} aria-hidden />}
              <span className="faint">{copied ? 'Copied' : 'Fingerprint'}</span>
              <code>{series.fingerprint}</code>
            </UnstyledButton>
          )}
        </CopyButton>
      )}
    </section>
  )
}
