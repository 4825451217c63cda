/** Settings as people read and write them: fractions as percentages, units beside figures, lists as words. */
import { formatFigure, formatName, formatPercent } from './format'

/** Settings that are fractions: shown, and typed, as percentages. */
const FRACTIONS = new Set([
  'max_position_size',
  'max_portfolio_exposure',
  'max_sector_exposure',
  'default_stop_loss',
  'max_daily_loss',
  'max_drawdown',
  'price_collar',
  'quality.completeness',
  'quality.bad_rows',
])

/** The last word of a key that is a unit, and how it is written behind a figure. */
const UNITS: Record<string, string> = {
  ms: 'ms',
  seconds: 's',
  minutes: 'min',
  hours: 'h',
  days: 'days',
  mb: 'MiB',
  percent: '%',
}

/** Where the key alone would say too little. */
const TITLES: Record<string, string> = {
  trade_extended_hours: 'Trade extended hours',
  'sessions.hours': 'Longest session',
  'sessions.idle_minutes': 'Idle session',
  'sessions.refresh_days': 'Refresh token',
  'retention.metrics_5m_days': 'Metrics, five minutes',
  'retention.metrics_1h_days': 'Metrics, hours',
  'alerts.command_ms': 'Slow commands',
  'quality.write_ms': 'Slow writes',
}

const THIN = '\u2009'
/** `alerts.backup_hours` → `backup_hours`. */
const bare = (key: string): string => key.slice(key.indexOf('.') + 1)

export const isFraction = (key: string): boolean => FRACTIONS.has(key)

/** `MiB` for `backups.spare_mb`; a setting that nothing is known of has none. */
export function unitOf(key: string): string | undefined {
  const words = bare(key).split('_')
  // `errors_per_5_minutes` counts errors.
  return words.includes('per') ? undefined : UNITS[words.at(-1) ?? '']
}

/** What a setting is called: `order_timeout_seconds` → `Order timeout`. */
export function titleOf(key: string): string {
  const known = TITLES[key]
  if (known !== undefined) return known
  const words = bare(key).split('_')
  const named = unitOf(key) !== undefined && words.length > 1 ? words.slice(0, -1) : words
  return formatName(named.join('_'))
}

export function showValue(key: string, value: unknown): string {
  // Only limits can be off; of the others null means that nothing is stored.
  if (value === null || value === undefined) return key.includes('.') ? 'not changed' : 'off'
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(String).join(', ')
  if (typeof value === 'string' || typeof value === 'number') {
    if (isFraction(key)) return formatPercent(value, { decimals: 2 }).replace(/\.?0+(?=\u2009%)/, '')
    if (typeof value === 'string' && !NUMBER.test(value)) return value
    const unit = unitOf(key)
    if (unit === undefined) return plain(value)
    return `${plain(value)}${THIN}${unit === 'days' && Number(value) === 1 ? 'day' : unit}`
  }
  return JSON.stringify(value)
}

const NUMBER = /^-?\d+(\.\d+)?$/

/** With the decimals that it has, and groups. */
function plain(value: string | number): string {
  const fraction = String(value).split('.')[1]?.replace(/0+$/, '') ?? ''
  return formatFigure(value, { decimals: fraction.length })
}

export type Kind = 'flag' | 'list' | 'choice' | 'percent' | 'number' | 'text'

export interface ValueSchema {
  type?: string | string[]
  anyOf?: ValueSchema[]
  enum?: string[]
  format?: string
  pattern?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
}

const typesOf = (schema: ValueSchema): string[] => [
  ...(Array.isArray(schema.type) ? schema.type : schema.type ? [schema.type] : []),
  ...(schema.anyOf ?? []).flatMap(typesOf),
]

/** Which kind of field a setting needs. */
export function kindOf(key: string, value: unknown, schema: ValueSchema): Kind {
  const types = typesOf(schema)
  if (schema.enum) return 'choice'
  if (typeof value === 'boolean' || types.includes('boolean')) return 'flag'
  if (Array.isArray(value) || types.includes('array')) return 'list'
  if (isFraction(key)) return 'percent'
  const isNumber = typeof value === 'number' || types.includes('integer') || types.includes('number')
  return isNumber ? 'number' : 'text'
}

/** What may be typed: `Between 0.01 % and 1 000 %.` */
export function boundsOf(key: string, schema: ValueSchema): string | undefined {
  if (schema.pattern !== undefined) return 'A time of day such as 01:30.'
  const { minimum, maximum, exclusiveMinimum } = schema
  if (maximum === undefined) return undefined
  if (exclusiveMinimum !== undefined)
    return `Above ${showValue(key, exclusiveMinimum)}, up to ${showValue(key, maximum)}.`
  return minimum === undefined
    ? undefined
    : `Between ${showValue(key, minimum)} and ${showValue(key, maximum)}.`
}

export const mayBeOff = (schema: ValueSchema): boolean => typesOf(schema).includes('null')

/** What is wrong with a value as the API would get it; undefined when nothing is. */
export function problemOf(key: string, value: unknown, schema: ValueSchema): string | undefined {
  if (value === null || value === '') return mayBeOff(schema) ? undefined : 'A value is needed.'
  if (schema.pattern !== undefined)
    return typeof value === 'string' && new RegExp(schema.pattern).test(value)
      ? undefined
      : boundsOf(key, schema)
  const { minimum = -Infinity, maximum, exclusiveMinimum = -Infinity } = schema
  if (maximum === undefined || typeof value === 'boolean') return undefined
  const number = Number(value)
  if (!Number.isFinite(number)) return 'A number is needed.'
  if (typesOf(schema).includes('integer') && !Number.isInteger(number)) return 'A whole number is needed.'
  return number >= minimum && number > exclusiveMinimum && number <= maximum
    ? undefined
    : boundsOf(key, schema)
}

/** A percentage as typed, as the exact fraction the API wants: `4.5` → `"0.045"`. Decimal text, no float. */
export function toFraction(percent: string | number): string {
  const text = String(percent).trim()
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.')
  const digits = (whole + fraction).padStart(fraction.length + 3, '0')
  const point = digits.length - fraction.length - 2
  const exact = `${digits.slice(0, point)}.${digits.slice(point)}`
    .replace(/^0+(?=\d)/, '')
    .replace(/\.?0+$/, '')
  return text.startsWith('-') ? `-${exact}` : exact || '0'
}
