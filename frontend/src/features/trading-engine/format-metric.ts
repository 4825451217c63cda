/** A metric in its own unit. */
import type { Metric } from '@/lib/api/types'
import { formatBytes, formatDuration, formatFigure, formatPercent } from '@/lib/format'

export function formatMetric({ value, unit }: Pick<Metric, 'value' | 'unit'>): string {
  switch (unit) {
    case 'percent':
    case '%':
      return formatPercent(value / 100, { decimals: 1 })
    case 'fraction':
    case 'ratio':
      return formatPercent(value, { decimals: 1 })
    case 'seconds':
    case 's':
      return formatDuration(value)
    case 'milliseconds':
    case 'ms':
      return formatDuration(value / 1000)
    case 'bytes':
      return formatBytes(value)
    case 'megabytes':
    case 'MB':
      return formatBytes(value * 1024 * 1024)
    default:
      return formatFigure(value, { decimals: Number.isInteger(value) ? 0 : 2 })
  }
}
