/** One metric over time. */
import { Group, SegmentedControl, Select } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { Facts } from '@/components/Facts'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty, Failed, Loading } from '@/components/States'
import { LineChart } from '@/components/chart/lazy'
import { SPANS, SPAN_WORDS, type Span } from '@/lib/since'
import { formatMetric } from './format-metric'
import { seriesOf } from './metric-series'
import styles from './TradingEngineStatus.module.css'
import { tradingEngine } from './api'

interface MetricDrawerProps {
  name: string | undefined
  title: string | undefined
  onClose: () => void
}

export function MetricDrawer({ name, title, onClose }: MetricDrawerProps) {
  return (
    <SideDrawer isOpen={name !== undefined} onClose={onClose} title={<b>{title ?? name}</b>} size={680}>
      {name !== undefined && <History key={name} name={name} />}
    </SideDrawer>
  )
}

/** Below every point: a metric has no gain and loss, so all of its curve is drawn in one colour. */
function floorOf(points: readonly { value: number }[]): number {
  const values = points.map(({ value }) => value)
  return Math.min(...values) - 0.02 * Math.max(1e-9, Math.max(...values) - Math.min(...values))
}

function History({ name }: { name: string }) {
  const [span, setSpan] = useState<Span>('1h')
  const { data, error, refetch } = useQuery(tradingEngine.metricHistory(name, span))
  const all = useMemo(() => seriesOf(data?.items ?? []), [data])
  const [chosen, setChosen] = useState<string | null>(null)
  const series = all.find((each) => each.name === chosen) ?? all[0]
  return (
    <>
      <Group mb="md">
        <SegmentedControl
          aria-label="How far back"
          data={SPANS.map((value) => ({ value, label: SPAN_WORDS[value] }))}
          value={span}
          onChange={(next) => setSpan(SPANS.find((each) => each === next) ?? span)}
        />
        {all.length > 1 && (
          <Select
            aria-label="Which"
            size="xs"
            data={all.map((each) => each.name)}
            value={series?.name ?? null}
            allowDeselect={false}
            onChange={setChosen}
          />
        )}
      </Group>
      {error && !data && <Failed error={error} onRetry={() => void refetch()} />}
      {!data && !error && <Loading rows={6} height={28} />}
      {data && (series?.points.length ?? 0) < 2 && (
        <Empty title="Nothing was measured yet in that time">
          The worker notes every metric as time goes by; look again in some minutes.
        </Empty>
      )}
      {data && series && series.points.length > 1 && (
        <>
          <div className={styles.chart}>
            <LineChart
              label={`${data.title} over time`}
              points={series.points}
              baseline={floorOf(series.points)}
            />
          </div>
          <Facts
            facts={[
              ['Least', formatMetric({ value: series.minimum, unit: data.unit })],
              ['Most', formatMetric({ value: series.maximum, unit: data.unit })],
              ['Newest', formatMetric({ value: series.points.at(-1)?.value ?? 0, unit: data.unit })],
              ['Points', `${String(series.points.length)} (${data.resolution})`],
            ]}
          />
        </>
      )}
    </>
  )
}
