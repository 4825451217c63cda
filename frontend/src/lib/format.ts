/** Turns values into words and figures, the same way on every page. */

const THIN = '\u2009'
const MINUS = '\u2212'
export const NONE = '–'

/** Money, quantities and order prices come as strings; market data as numbers. */
export type Numeric = string | number | null | undefined

export type TimeZone = 'utc' | 'local'

/** The number behind a decimal string, or null when there is none. For display only, never for money arithmetic. */
export function toNumber(value: Numeric): number | null {
  if (value === null || value === undefined || value === '') return null
  const number = Number(value)
  return Number.isFinite(number) ? number : null
}

interface FigureOptions {
  decimals?: number
  /** Show + as well as −. */
  signed?: boolean
}

/** `1234567.891` → `1 234 567.89`, groups parted by thin spaces. */
export function formatFigure(value: Numeric, { decimals = 2, signed = false }: FigureOptions = {}): string {
  const number = toNumber(value)
  if (number === null) return NONE
  const [whole = '0', fraction] = Math.abs(number).toFixed(decimals).split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, THIN)
  const text = fraction === undefined ? grouped : `${grouped}.${fraction}`
  const isZero = Number(text.replaceAll(THIN, '')) === 0
  if (number < 0 && !isZero) return MINUS + text
  return signed && !isZero ? `+${text}` : text
}

export const formatMoney = (value: Numeric, signed = false): string =>
  formatFigure(value, { decimals: 2, signed })

/** Prices under one dollar keep four decimals. */
export function formatPrice(value: Numeric): string {
  const number = toNumber(value)
  return formatFigure(value, { decimals: number !== null && number !== 0 && Math.abs(number) < 1 ? 4 : 2 })
}

/** Quantities show the decimals they have, at most eight. */
export function formatQuantity(value: Numeric, signed = false): string {
  const number = toNumber(value)
  if (number === null) return NONE
  const fraction = Math.abs(number).toFixed(8).split('.')[1]?.replace(/0+$/, '') ?? ''
  return formatFigure(number, { decimals: fraction.length, signed })
}

/** A fraction as a percentage: `0.0123` → `+1.23 %`. */
export function formatPercent(
  fraction: Numeric,
  { decimals = 2, signed = false }: FigureOptions = {},
): string {
  const number = toNumber(fraction)
  return number === null ? NONE : `${formatFigure(number * 100, { decimals, signed })}${THIN}%`
}

const MAGNITUDES = [
  [1e12, 'T'],
  [1e9, 'B'],
  [1e6, 'M'],
  [1e3, 'K'],
] as const

/** `1234567` → `1.23M`. For volumes and axis labels. */
export function formatCompact(value: Numeric): string {
  const number = toNumber(value)
  if (number === null) return NONE
  for (const [size, suffix] of MAGNITUDES) {
    if (Math.abs(number) >= size) return `${formatFigure(number / size, { decimals: 2 })}${suffix}`
  }
  return formatFigure(number, { decimals: Number.isInteger(number) ? 0 : 2 })
}

export function formatBytes(value: Numeric): string {
  const number = toNumber(value)
  if (number === null) return NONE
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  const power = number < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(number) / 10))
  return `${formatFigure(number / 2 ** (10 * power), { decimals: power === 0 ? 0 : 1 })} ${units[power] ?? 'B'}`
}

/** Seconds as a person says it: `0.4 s`, `3 min`, `2 h 5 min`, `4 d`. */
export function formatDuration(seconds: Numeric): string {
  const number = toNumber(seconds)
  if (number === null) return NONE
  if (number === 0) return '0 s'
  if (number < 0.001) return `${formatFigure(number * 1e6, { decimals: 0 })} µs`
  if (number < 0.1) return `${formatFigure(number * 1e3, { decimals: 1 })} ms`
  if (number < 10) return `${formatFigure(number, { decimals: 1 })} s`
  if (number < 90) return `${formatFigure(number, { decimals: 0 })} s`
  const minutes = Math.round(number / 60)
  if (minutes < 90) return `${String(minutes)} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48)
    return minutes % 60 === 0 ? `${String(hours)} h` : `${String(hours)} h ${String(minutes % 60)} min`
  return `${String(Math.round(hours / 24))} d`
}

/** `12 s ago`, `in 3 min`, `just now`. */
export function formatRelative(at: string | number | Date, now: number = Date.now()): string {
  const seconds = (now - new Date(at).getTime()) / 1000
  if (!Number.isFinite(seconds)) return NONE
  if (Math.abs(seconds) < 1.5) return 'just now'
  const distance = Math.round(Math.abs(seconds))
  const text = distance < 90 ? `${String(distance)} s` : formatDuration(distance)
  return seconds > 0 ? `${text} ago` : `in ${text}`
}

const two = (value: number): string => String(value).padStart(2, '0')

interface Parts {
  date: string
  time: string
}

function partsOf(at: string | number | Date, zone: TimeZone): Parts | null {
  const when = new Date(at)
  if (Number.isNaN(when.getTime())) return null
  return zone === 'utc'
    ? {
        date: when.toISOString().slice(0, 10),
        time: when.toISOString().slice(11, 19),
      }
    : {
        date: `${String(when.getFullYear())}-${two(when.getMonth() + 1)}-${two(when.getDate())}`,
        time: `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}`,
      }
}

/** `2026-03-05 14:31:00`, in UTC or local time, without the zone's name. */
export function formatTime(at: string | number | Date, zone: TimeZone): string {
  const parts = partsOf(at, zone)
  return parts ? `${parts.date} ${parts.time}` : NONE
}

export const formatClock = (at: string | number | Date, zone: TimeZone): string =>
  partsOf(at, zone)?.time ?? NONE

export const formatDate = (at: string | number | Date, zone: TimeZone): string =>
  partsOf(at, zone)?.date ?? NONE

/** Both clocks, for the tooltip of every relative time. */
export function formatBothTimes(at: string | number | Date): string {
  return `${formatTime(at, 'utc')} UTC · ${formatTime(at, 'local')} local`
}

/** `order_filled` → `Order filled`; leaves other text alone. */
export function formatName(code: string): string {
  const words = code.replaceAll('_', ' ').trim()
  return words.charAt(0).toUpperCase() + words.slice(1)
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatFigure(count, { decimals: 0 })} ${count === 1 ? one : many}`

/** Which way a change points: decides colour, arrow and sign together. */
export function directionOf(value: Numeric): 'up' | 'down' | 'flat' {
  const number = toNumber(value)
  if (number === null || number === 0) return 'flat'
  return number > 0 ? 'up' : 'down'
}
