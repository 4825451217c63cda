/** The figures under the crosshair, or the newest ones. */
import { formatBothTimes, formatCompact, formatPercent, formatPrice, formatTime } from '@/lib/format'
import { usePreferences } from '@/lib/preferences'
import styles from './PriceChart.module.css'
import type { Crosshair } from './chart-controller'
import type { ChartBar, Mark } from './chart-data'

interface ChartLegendProps {
  bar: ChartBar | null
  values: Crosshair['values']
  mark: Mark | null
}

export function ChartLegend({ bar, values, mark }: ChartLegendProps) {
  const { timeZone } = usePreferences()
  if (!bar) return null
  const change = bar.open === 0 ? 0 : bar.close / bar.open - 1
  return (
    <div className={styles.legend} aria-hidden>
      <span className="dim" title={formatBothTimes(bar.start)}>
        {formatTime(bar.start, timeZone).slice(0, 16)}
      </span>
      <span>
        <b>O</b> {formatPrice(bar.open)} <b>H</b> {formatPrice(bar.high)} <b>L</b> {formatPrice(bar.low)}{' '}
        <b>C</b> {formatPrice(bar.close)}
      </span>
      <span className={change < 0 ? 'down' : 'up'}>{formatPercent(change, { signed: true })}</span>
      <span>
        <b>Vol</b> {formatCompact(bar.volume)}
      </span>
      {values.map(({ label, color, value }) => (
        <span key={label}>
          <i className={styles.key} style={{ background: color }} />
          <b>{label}</b> {formatPrice(value)}
        </span>
      ))}
      {mark && <span className={styles.mark}>{mark.text}. Press to see why.</span>}
    </div>
  )
}
