/** Times on the axis, in the zone the person chose; the library itself only knows UTC seconds. */
import { type Time, TickMarkType, type UTCTimestamp } from 'lightweight-charts'
import { type TimeZone, formatTime } from '@/lib/format'

export const toChartTime = (at: string): UTCTimestamp => Math.floor(Date.parse(at) / 1000) as UTCTimestamp

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

export function tickText(time: Time, type: TickMarkType, zone: TimeZone): string {
  const text = formatTime(Number(time) * 1000, zone)
  const month = MONTHS[Number(text.slice(5, 7)) - 1] ?? ''
  switch (type) {
    case TickMarkType.Year:
      return text.slice(0, 4)
    case TickMarkType.Month:
      return month
    case TickMarkType.DayOfMonth:
      return `${String(Number(text.slice(8, 10)))} ${month}`
    case TickMarkType.Time:
      return text.slice(11, 16)
    case TickMarkType.TimeWithSeconds:
      return text.slice(11)
  }
}

/** The index of the last value at or before `wanted`; −1 when all are later. */
export function indexAtOrBefore(times: readonly number[], wanted: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((times[middle] ?? Infinity) <= wanted) low = middle + 1
    else high = middle
  }
  return low - 1
}
