/** Owns one lightweight-charts instance: bars, volume, indicator panes, arrows, price lines, session shading. */
import {
  CandlestickSeries,
  HistogramSeries,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  LineSeries,
  LineStyle,
  type MouseEventParams,
  type TickMarkType,
  type Time,
  type UTCTimestamp,
  createChart,
  createSeriesMarkers,
} from 'lightweight-charts'
import { type TimeZone, formatTime } from '@/lib/format'
import { type ChartBar, type IndicatorData, type Level, type Mark, firstChange } from './chart-data'
import { type ChartColors, chartOptions, lineColor, readColors } from './chart-theme'
import { indexAtOrBefore, tickText, toChartTime } from './chart-time'
import { type SessionSpan, SessionShading, shapeOf } from './session-shading'

export interface Crosshair {
  bar: ChartBar | null
  values: { label: string; color: string; value: number }[]
  markId: string | null
}

/** Ask for older bars when fewer than this many are left of the view. */
const NEAR_START_BARS = 40

interface DrawnLine {
  label: string
  color: string
  series: ISeriesApi<'Line' | 'Histogram'>
}

export class ChartController {
  readonly chart: IChartApi
  private readonly candles: ISeriesApi<'Candlestick'>
  private readonly volume: ISeriesApi<'Histogram'>
  private readonly arrows: ISeriesMarkersPluginApi<Time>
  private readonly shading = new SessionShading()
  private colors: ChartColors
  private bars: readonly ChartBar[] = []
  private times: number[] = []
  private marks: readonly Mark[] = []
  private levels: readonly Level[] = []
  private sessions: readonly SessionSpan[] = []
  private indicators: readonly IndicatorData[] = []
  private drawnLevels: IPriceLine[] = []
  private drawnLines: DrawnLine[] = []
  private listen: (crosshair: Crosshair) => void = () => undefined

  constructor(element: HTMLElement) {
    this.colors = readColors()
    this.chart = createChart(element, { ...chartOptions(this.colors), autoSize: true })
    this.candles = this.chart.addSeries(CandlestickSeries, { priceLineVisible: true, lastValueVisible: true })
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: 'volume',
      priceFormat: { type: 'volume' },
      lastValueVisible: false,
      priceLineVisible: false,
    })
    this.chart.priceScale('volume').applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } })
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.2 } })
    this.candles.attachPrimitive(this.shading)
    this.arrows = createSeriesMarkers(this.candles, [])
    this.paint()
  }

  destroy(): void {
    this.chart.remove()
  }

  setZone(zone: TimeZone): void {
    this.chart.applyOptions({
      localization: { timeFormatter: (time: Time) => formatTime(Number(time) * 1000, zone) },
      timeScale: { tickMarkFormatter: (time: Time, type: TickMarkType) => tickText(time, type, zone) },
    })
  }

  /** Takes the colours again after the scheme or the colour-blind setting changed. */
  repaint(): void {
    this.colors = readColors()
    this.chart.applyOptions(chartOptions(this.colors))
    this.paint()
    this.volume.setData(this.bars.map((bar) => this.volumeOf(bar)))
    this.setMarks(this.marks)
    this.setLevels(this.levels)
    this.setSessions(this.sessions)
  }

  setBars(bars: readonly ChartBar[]): void {
    const from = firstChange(this.bars, bars)
    const view = this.chart.timeScale().getVisibleRange()
    const wasEmpty = this.bars.length === 0
    this.bars = bars
    this.times = bars.map((bar) => toChartTime(bar.start))
    if (from === 'all') {
      this.candles.setData(bars.map((bar) => ({ time: toChartTime(bar.start), ...prices(bar) })))
      this.volume.setData(bars.map((bar) => this.volumeOf(bar)))
      if (wasEmpty) this.showNewest()
      else if (view) this.chart.timeScale().setVisibleRange(view)
    } else {
      for (const bar of bars.slice(from)) {
        this.candles.update({ time: toChartTime(bar.start), ...prices(bar) })
        this.volume.update(this.volumeOf(bar))
      }
    }
    this.setMarks(this.marks)
    this.setSessions(this.sessions)
  }

  showNewest(most = 140): void {
    const last = this.bars.length
    const count = Math.min(most, last + 2)
    this.chart.timeScale().setVisibleLogicalRange({ from: last - count, to: last + 4 })
  }

  setMarks(marks: readonly Mark[]): void {
    this.marks = marks
    const first = this.times[0]
    this.arrows.setMarkers(
      marks.flatMap((mark) => {
        const time = this.times[indexAtOrBefore(this.times, toChartTime(mark.at))]
        if (time === undefined || first === undefined) return []
        const isBuy = mark.side === 'buy'
        return {
          id: mark.id,
          time: time as UTCTimestamp,
          position: isBuy ? 'belowBar' : 'aboveBar',
          shape: isBuy ? 'arrowUp' : 'arrowDown',
          color: isBuy ? this.colors.up : this.colors.down,
          size: 1.2,
        } as const
      }),
    )
  }

  setLevels(levels: readonly Level[]): void {
    this.levels = levels
    for (const line of this.drawnLevels) this.candles.removePriceLine(line)
    const colors = {
      position: this.colors.info,
      stop: this.colors.down,
      target: this.colors.up,
      order: this.colors.warning,
    }
    this.drawnLevels = levels.map(({ price, title, kind }) =>
      this.candles.createPriceLine({
        price,
        title,
        color: colors[kind],
        lineWidth: 1,
        lineStyle: kind === 'position' ? LineStyle.Solid : LineStyle.Dashed,
        axisLabelVisible: true,
      }),
    )
  }

  setSessions(sessions: readonly SessionSpan[]): void {
    this.sessions = sessions
    const shape = sessions.length > 0 ? shapeOf(this.times, sessions) : { closed: [], opens: [] }
    this.shading.set(shape, { shade: this.colors.shade, line: this.colors.divider })
  }

  setIndicators(indicators: readonly IndicatorData[]): void {
    const isSameShape = shapeOfLines(indicators) === shapeOfLines(this.indicators)
    this.indicators = indicators
    if (!isSameShape) this.addLines()
    const values = indicators.flatMap(({ start, lines }) => lines.map((line) => ({ start, line })))
    values.forEach(({ start, line }, index) =>
      this.drawnLines[index]?.series.setData(pointsOf(start, line.values)),
    )
    if (!isSameShape) this.listen(this.read({}))
  }

  onCrosshair(listen: (crosshair: Crosshair) => void): void {
    this.listen = listen
    this.chart.subscribeCrosshairMove((event) => listen(this.read(event)))
  }

  onMarkClick(listen: (id: string) => void): void {
    this.chart.subscribeClick((event) => {
      if (typeof event.hoveredInfo?.objectId === 'string') listen(event.hoveredInfo.objectId)
    })
  }

  onNearStart(listen: () => void): void {
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < NEAR_START_BARS && this.bars.length > 0) listen()
    })
  }

  /** Series for the indicators as they are now, each in its pane; values come after. */
  private addLines(): void {
    for (const line of this.drawnLines) this.chart.removeSeries(line.series)
    this.drawnLines = []
    let panes = 0
    for (const indicator of this.indicators) {
      const pane = indicator.pane === 'own' ? (panes += 1) : 0
      for (const { name } of indicator.lines) {
        const color = lineColor(this.drawnLines.length)
        const label = indicator.lines.length === 1 ? indicator.label : `${indicator.label} ${name}`
        this.drawnLines.push({ label, color, series: this.addLine(name, color, pane) })
      }
    }
    this.chart.panes().forEach((each, index) => each.setStretchFactor(index === 0 ? 3 : 1))
  }

  private addLine(name: string, color: string, pane: number): ISeriesApi<'Line' | 'Histogram'> {
    const shared = { color, lastValueVisible: false, priceLineVisible: false }
    return name.includes('histogram')
      ? this.chart.addSeries(HistogramSeries, { ...shared, base: 0 }, pane)
      : this.chart.addSeries(LineSeries, { ...shared, lineWidth: 1, crosshairMarkerVisible: false }, pane)
  }

  private read({ time, seriesData, hoveredInfo }: Partial<MouseEventParams>): Crosshair {
    const bar = time === undefined ? null : (this.bars[indexAtOrBefore(this.times, Number(time))] ?? null)
    const values = this.drawnLines.flatMap(({ label, color, series }) => {
      const point = time === undefined ? series.data().at(-1) : seriesData?.get(series)
      return point && 'value' in point && typeof point.value === 'number'
        ? [{ label, color, value: point.value }]
        : []
    })
    return { bar, values, markId: typeof hoveredInfo?.objectId === 'string' ? hoveredInfo.objectId : null }
  }

  private paint(): void {
    const { up, down } = this.colors
    this.candles.applyOptions({
      upColor: up,
      downColor: down,
      borderVisible: false,
      wickUpColor: up,
      wickDownColor: down,
    })
  }

  private volumeOf(bar: ChartBar) {
    return {
      time: toChartTime(bar.start),
      value: bar.volume,
      color: bar.close >= bar.open ? this.colors.upSoft : this.colors.downSoft,
    }
  }
}

const prices = ({ open, high, low, close }: ChartBar) => ({ open, high, low, close })

const shapeOfLines = (indicators: readonly IndicatorData[]): string =>
  JSON.stringify(indicators.map(({ label, pane, lines }) => [label, pane, lines.map(({ name }) => name)]))

const pointsOf = (start: readonly string[], values: readonly (number | null)[]) =>
  start.flatMap((at, index) => {
    const value = values[index]
    return value === null || value === undefined ? [] : [{ time: toChartTime(at), value }]
  })
