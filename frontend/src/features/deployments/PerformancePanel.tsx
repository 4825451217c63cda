/** The deployment's own result: figures over closed trades, and the curve they make. */
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { Change } from '@/components/Change'
import { Facts } from '@/components/Facts'
import { Empty, Failed, Loading } from '@/components/States'
import { LineChart } from '@/components/chart/lazy'
import { deployments } from '@/lib/api/deployments'
import { NONE, formatFigure, formatMoney, formatPercent, toNumber } from '@/lib/format'
import styles from './PerformancePanel.module.css'

export function PerformancePanel({ deploymentId }: { deploymentId: number }) {
  const { data, error, refetch } = useQuery(deployments.performance(deploymentId))
  const points = useMemo(
    () => data?.curve.map(({ at, pnl }) => ({ at, value: toNumber(pnl) ?? 0 })) ?? [],
    [data],
  )
  if (error) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={4} />
  return (
    <div className={styles.panel}>
      <Facts
        facts={[
          ['Realized P&L', <Change key="realized" value={data.realized_pnl} />],
          ['Unrealized P&L', <Change key="unrealized" value={data.unrealized_pnl} />],
          ['Trades', `${String(data.trades)} (${String(data.wins)} won)`],
          ['Win rate', formatPercent(data.win_rate, { decimals: 1 })],
          ['Profit factor', data.profit_factor ? formatFigure(data.profit_factor) : NONE],
          ['Average trade', <Change key="average" value={data.average_pnl} />],
          ['Largest fall', formatMoney(data.max_drawdown)],
          ['Commission', formatMoney(data.commission)],
        ]}
      />
      <div className={styles.chart}>
        {points.length > 1 ? (
          <LineChart label="Cumulative result of closed trades" points={points} baseline={0} />
        ) : (
          <Empty title="No curve yet">It is drawn from closed trades, and starts with the second.</Empty>
        )}
      </div>
    </div>
  )
}
