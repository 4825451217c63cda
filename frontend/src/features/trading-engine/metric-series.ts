/** Measurements over time, put in order: one curve for each set of labels. */
import type { MetricPoint } from '@/lib/api/types'

export interface MetricSeries {
  /** `process core`; empty when there is only one. */
  name: string
  points: { at: string; value: number }[]
  minimum: number
  maximum: number
}

const nameOf = (labels: Record<string, string>): string =>
  Object.entries(labels)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([key, value]) => `${key} ${value}`)
    .join(', ')

export function seriesOf(items: readonly MetricPoint[]): MetricSeries[] {
  const found = new Map<string, MetricSeries>()
  for (const { at, labels, mean, minimum, maximum } of items) {
    const name = nameOf(labels)
    const series = found.get(name) ?? { name, points: [], minimum, maximum }
    series.points.push({ at, value: mean })
    series.minimum = Math.min(series.minimum, minimum)
    series.maximum = Math.max(series.maximum, maximum)
    found.set(name, series)
  }
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name))
}
