/** One curve against time with its starting value as the baseline: equity, or a cumulative result. */
import { useMantineColorScheme } from '@mantine/core'
import {
  BaselineSeries,
  type IChartApi,
  type ISeriesApi,
  type TickMarkType,
  type Time,
  createChart,
} from 'lightweight-charts'
import { useEffect, useRef } from 'react'
import { formatCompact } from '@/lib/format'
import { usePreferences } from '@/lib/preferences'
import { chartOptions, readColors } from './chart-theme'
import { tickText, toChartTime } from './chart-time'

export interface CurvePoint {
  at: string
  value: number
}

export interface LineChartProps {
  label: string
  points: readonly CurvePoint[]
  /** Above it is a gain, below a loss. */
  baseline: number
}

interface Drawn {
  chart: IChartApi
  series: ISeriesApi<'Baseline'>
}

/** One point a second at most: the newest wins, since the library wants strictly rising times. */
function strictlyRising(points: readonly CurvePoint[]) {
  const byTime = new Map(points.map(({ at, value }) => [toChartTime(at), value]))
  return [...byTime].sort(([a], [b]) => a - b).map(([time, value]) => ({ time, value }))
}

export default function LineChart({ label, points, baseline }: LineChartProps) {
  const element = useRef<HTMLDivElement>(null)
  const drawn = useRef<Drawn>(null)
  const { colorScheme } = useMantineColorScheme()
  const { timeZone, pnlColors } = usePreferences()

  useEffect(() => {
    if (!element.current) return
    const chart = createChart(element.current, {
      autoSize: true,
      handleScroll: false,
      handleScale: false,
      localization: { priceFormatter: formatCompact },
    })
    drawn.current = {
      chart,
      series: chart.addSeries(BaselineSeries, { lineWidth: 2, priceLineVisible: false }),
    }
    return () => {
      drawn.current = null
      chart.remove()
    }
  }, [])

  useEffect(() => {
    if (!drawn.current) return
    const colors = readColors()
    drawn.current.chart.applyOptions({
      ...chartOptions(colors),
      timeScale: {
        borderColor: colors.border,
        timeVisible: true,
        tickMarkFormatter: (time: Time, type: TickMarkType) => tickText(time, type, timeZone),
      },
    })
    drawn.current.series.applyOptions({
      baseValue: { type: 'price', price: baseline },
      topLineColor: colors.up,
      topFillColor1: colors.upSoft,
      topFillColor2: 'transparent',
      bottomLineColor: colors.down,
      bottomFillColor1: 'transparent',
      bottomFillColor2: colors.downSoft,
    })
  }, [colorScheme, pnlColors, timeZone, baseline])

  useEffect(() => {
    drawn.current?.series.setData(strictlyRising(points))
    drawn.current?.chart.timeScale().fitContent()
  }, [points])

  return <div ref={element} role="img" aria-label={label} style={{ flex: 1, minHeight: 0 }} />
}
