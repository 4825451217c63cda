/** The charts, fetched when the first one is shown. */
import { Skeleton } from '@mantine/core'
import { Suspense, lazy } from 'react'
import type { LineChartProps } from './LineChart'
import type { PriceChartProps } from './PriceChart'

const LazyPriceChart = lazy(() => import('./PriceChart'))
const LazyLineChart = lazy(() => import('./LineChart'))

const waiting = <Skeleton style={{ flex: 1, minHeight: 0 }} radius={0} height="100%" />

export function PriceChart(props: PriceChartProps) {
  return (
    <Suspense fallback={waiting}>
      <LazyPriceChart {...props} />
    </Suspense>
  )
}

export function LineChart(props: LineChartProps) {
  return (
    <Suspense fallback={waiting}>
      <LazyLineChart {...props} />
    </Suspense>
  )
}
