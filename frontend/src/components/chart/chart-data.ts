/** What a price chart is given. Plain data, so that it can be made and tested without a chart. */
import type { Bar, Execution, Order, Position, Timeframe } from '@/lib/api/types'
import { formatPrice, formatQuantity, toNumber } from '@/lib/format'

/** What a candle needs of a bar. */
export type ChartBar = Pick<Bar, 'start' | 'open' | 'high' | 'low' | 'close' | 'volume'>

/** An execution as an arrow. */
export interface Mark {
  id: string
  /** ISO instant of the fill. */
  at: string
  side: 'buy' | 'sell'
  text: string
  clientOrderId: string
}

export interface Level {
  price: number
  title: string
  kind: 'position' | 'stop' | 'target' | 'order'
}

export interface IndicatorLine {
  name: string
  values: (number | null)[]
}

export interface IndicatorData {
  /** E.g. `sma(20)`. */
  label: string
  pane: 'price' | 'own'
  start: string[]
  lines: IndicatorLine[]
}

export function marksOf(executions: readonly Execution[]): Mark[] {
  return executions
    .map((execution) => ({
      id: execution.execution_id,
      at: execution.at,
      side: execution.side,
      text: `${execution.side === 'buy' ? 'Bought' : 'Sold'} ${formatQuantity(execution.quantity)} at ${formatPrice(execution.price)}`,
      clientOrderId: execution.client_order_id,
    }))
    .sort((a, b) => a.at.localeCompare(b.at))
}

function level(price: string | null | undefined, kind: Level['kind'], title: string): Level[] {
  const value = toNumber(price)
  return value === null ? [] : [{ price: value, kind, title }]
}

export function levelsOf(positions: readonly Position[], orders: readonly Order[]): Level[] {
  const held = positions.filter((position) => toNumber(position.quantity) !== 0)
  return [
    ...held.flatMap((position) => [
      ...level(position.average_price, 'position', `${formatQuantity(position.quantity, true)} avg`),
      ...level(position.stop_loss, 'stop', 'stop'),
      ...level(position.take_profit, 'target', 'take profit'),
    ]),
    ...orders
      .filter((order) => order.is_open && order.leg !== 'stop_loss' && order.leg !== 'take_profit')
      .flatMap((order) =>
        level(
          order.limit_price ?? order.stop_price,
          'order',
          `${order.side} ${formatQuantity(order.remaining_quantity)}`,
        ),
      ),
  ]
}

/** How the newer array follows from the older: replaced, or only its end moved. */
export function firstChange(before: readonly ChartBar[], after: readonly ChartBar[]): number | 'all' {
  const lastKnown = before.length - 1
  const isContinued =
    before.length > 0 &&
    after.length >= before.length &&
    after[0]?.start === before[0]?.start &&
    after[lastKnown]?.start === before[lastKnown]?.start
  return isContinued && after.length - before.length < 50 ? lastKnown : 'all'
}

/** A live bar put where it belongs: replacing the one that started with it, or at the end. Late ones are left out. */
export function withBar(bars: readonly ChartBar[], bar: ChartBar): readonly ChartBar[] {
  const last = bars.at(-1)
  if (!last || bar.start > last.start) return [...bars, bar]
  if (bar.start === last.start) return [...bars.slice(0, -1), bar]
  return bars
}

/** Lengths of a bar, in words. */
export const TIMEFRAME_TITLES: Record<Timeframe, string> = {
  '1s': '1 second',
  '1m': '1 minute',
  '5m': '5 minutes',
  '15m': '15 minutes',
  '1h': '1 hour',
  '1d': '1 day',
}
