/** Candles with everything we did and would do drawn on them; the same in Market, Deployments and timelines. */
import { useMantineColorScheme } from '@mantine/core'
import { useEffect, useRef, useState } from 'react'
import { usePreferences } from '@/lib/preferences'
import { ChartLegend } from './ChartLegend'
import styles from './PriceChart.module.css'
import { ChartController, type Crosshair } from './chart-controller'
import type { ChartBar, IndicatorData, Level, Mark } from './chart-data'
import type { SessionSpan } from './session-shading'

export interface PriceChartProps {
  label: string
  bars: readonly ChartBar[]
  indicators?: readonly IndicatorData[]
  marks?: readonly Mark[]
  levels?: readonly Level[]
  sessions?: readonly SessionSpan[]
  onNearStart?: () => void
  onOpenOrder?: (clientOrderId: string) => void
}

const NONE: readonly never[] = []
const NOWHERE: Crosshair = { bar: null, values: [], markId: null }

export default function PriceChart(props: PriceChartProps) {
  const { label, bars, indicators = NONE, marks = NONE, levels = NONE, sessions = NONE } = props
  const element = useRef<HTMLDivElement>(null)
  const controller = useRef<ChartController>(null)
  const latest = useRef(props)
  const [crosshair, setCrosshair] = useState<Crosshair>(NOWHERE)
  const { colorScheme } = useMantineColorScheme()
  const { timeZone, pnlColors } = usePreferences()

  useEffect(() => {
    latest.current = props
  })

  useEffect(() => {
    if (!element.current) return
    const chart = new ChartController(element.current)
    controller.current = chart
    chart.onCrosshair(setCrosshair)
    chart.onNearStart(() => latest.current.onNearStart?.())
    chart.onMarkClick((id) => {
      const mark = latest.current.marks?.find((each) => each.id === id)
      if (mark) latest.current.onOpenOrder?.(mark.clientOrderId)
    })
    return () => {
      controller.current = null
      chart.destroy()
    }
  }, [])

  useEffect(() => controller.current?.repaint(), [colorScheme, pnlColors])
  useEffect(() => controller.current?.setZone(timeZone), [timeZone])
  useEffect(() => controller.current?.setBars(bars), [bars])
  useEffect(() => controller.current?.setIndicators(indicators), [indicators])
  useEffect(() => controller.current?.setMarks(marks), [marks])
  useEffect(() => controller.current?.setLevels(levels), [levels])
  useEffect(() => controller.current?.setSessions(sessions), [sessions])

  return (
    <div className={styles.frame}>
      <ChartLegend
        bar={crosshair.bar ?? bars.at(-1) ?? null}
        values={crosshair.values}
        mark={marks.find((mark) => mark.id === crosshair.markId) ?? null}
      />
      <div
        ref={element}
        className={styles.chart}
        role="img"
        aria-label={label}
        data-bars={bars.length}
        data-marks={marks.length}
      />
    </div>
  )
}
