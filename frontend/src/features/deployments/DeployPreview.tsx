/** What a deployment would see: "12 240 bars, first opinion after 30". */
import { IconAlertTriangle, IconDatabase } from '@tabler/icons-react'
import type { Preview } from '@/lib/api/types'
import { formatFigure, plural } from '@/lib/format'
import styles from './DeployPreview.module.css'

interface DeployPreviewProps {
  preview: Preview | undefined
  isFetching: boolean
}

export function DeployPreview({ preview, isFetching }: DeployPreviewProps) {
  if (!preview)
    return (
      <div className={styles.preview}>
        {isFetching ? 'Looking at the data…' : 'Choose symbols to see the data behind them.'}
      </div>
    )
  return (
    <div className={styles.preview} role="status" data-fetching={isFetching || undefined}>
      {preview.series.map((series) => {
        const isReady = Boolean(series.first_opinion_at)
        const missing = preview.lookback - series.bars
        return (
          <p key={series.symbol} className={styles.line}>
            {isReady ? <IconDatabase size={14} aria-hidden /> : <IconAlertTriangle size={14} aria-hidden />}
            <b>{series.symbol}</b>
            <span>
              {formatFigure(series.bars, { decimals: 0 })} bars, first opinion after {preview.lookback}
              {!isReady && missing > 0 && `: ${plural(missing, 'more bar')} to come first`}
            </span>
          </p>
        )
      })}
    </div>
  )
}
