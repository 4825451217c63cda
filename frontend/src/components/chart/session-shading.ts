/** Shades bars outside regular trading hours and draws a hairline where a session opens. */
import type {
  IChartApi,
  IPrimitivePaneRenderer,
  IPrimitivePaneView,
  ISeriesPrimitive,
  Logical,
  SeriesAttachedParameter,
} from 'lightweight-charts'

export interface SessionSpan {
  /** Seconds since epoch. */
  open: number
  close: number
}

interface Shape {
  /** Runs of bar indices outside every session, both ends inclusive. */
  closed: [number, number][]
  /** Index of the first bar of each session. */
  opens: number[]
}

export function shapeOf(barTimes: readonly number[], sessions: readonly SessionSpan[]): Shape {
  const shape: Shape = { closed: [], opens: [] }
  let session = 0
  let openedIn = -1
  barTimes.forEach((time, index) => {
    while ((sessions[session]?.close ?? Infinity) <= time) session += 1
    const current = sessions[session]
    const isOpen = current !== undefined && current.open <= time
    if (isOpen && openedIn !== session) {
      openedIn = session
      if (index > 0) shape.opens.push(index)
    }
    if (isOpen) return
    const last = shape.closed.at(-1)
    if (last?.[1] === index - 1) last[1] = index
    else shape.closed.push([index, index])
  })
  return shape
}

type DrawTarget = Parameters<IPrimitivePaneRenderer['draw']>[0]

export class SessionShading implements ISeriesPrimitive {
  private chart: IChartApi | null = null
  private requestUpdate: (() => void) | null = null
  private shape: Shape = { closed: [], opens: [] }
  private colors = { shade: 'transparent', line: 'transparent' }

  attached({ chart, requestUpdate }: SeriesAttachedParameter): void {
    this.chart = chart
    this.requestUpdate = requestUpdate
  }

  detached(): void {
    this.chart = null
  }

  set(shape: Shape, colors: { shade: string; line: string }): void {
    this.shape = shape
    this.colors = colors
    this.requestUpdate?.()
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return [{ zOrder: () => 'bottom', renderer: () => ({ draw: (target) => this.draw(target) }) }]
  }

  private draw(target: DrawTarget): void {
    const scale = this.chart?.timeScale()
    if (!scale) return
    const halfBar = scale.options().barSpacing / 2
    const at = (index: number) => scale.logicalToCoordinate(index as Logical)
    target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio: ratio }) => {
      context.fillStyle = this.colors.shade
      for (const [first, last] of this.shape.closed) {
        const left = at(first)
        const right = at(last)
        if (left === null || right === null) continue
        context.fillRect((left - halfBar) * ratio, 0, (right - left + 2 * halfBar) * ratio, bitmapSize.height)
      }
      context.fillStyle = this.colors.line
      for (const index of this.shape.opens) {
        const x = at(index)
        if (x !== null) context.fillRect(Math.round((x - halfBar) * ratio), 0, 1, bitmapSize.height)
      }
    })
  }
}
