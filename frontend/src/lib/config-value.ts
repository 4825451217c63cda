/** Settings as people read and write them: fractions as percentages, lists as words. */
import { formatFigure, formatPercent } from './format'

/** Settings that are fractions: shown, and typed, as percentages. */
const FRACTIONS = new Set([
  'max_position_size',
  'max_portfolio_exposure',
  'max_sector_exposure',
  'default_stop_loss',
  'max_daily_loss',
  'max_drawdown',
  'price_collar',
])

export const isFraction = (key: string): boolean => FRACTIONS.has(key)

export function showValue(key: string, value: unknown): string {
  if (value === null || value === undefined) return 'off'
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(String).join(', ')
  if (typeof value === 'string' || typeof value === 'number') {
    return isFraction(key)
      ? formatPercent(value, { decimals: 2 }).replace(/\.?0+(?=\u2009%)/, '')
      : String(value)
  }
  return JSON.stringify(value)
}

export type Kind = 'flag' | 'list' | 'percent' | 'number' | 'text'

interface ValueSchema {
  type?: string | string[]
  anyOf?: ValueSchema[]
  format?: string
  minimum?: number
  maximum?: number
}

const typesOf = (schema: ValueSchema): string[] => [
  ...(Array.isArray(schema.type) ? schema.type : schema.type ? [schema.type] : []),
  ...(schema.anyOf ?? []).flatMap(typesOf),
]

/** Which kind of field a setting needs. */
export function kindOf(key: string, value: unknown, schema: ValueSchema): Kind {
  const types = typesOf(schema)
  if (typeof value === 'boolean' || types.includes('boolean')) return 'flag'
  if (Array.isArray(value) || types.includes('array')) return 'list'
  if (isFraction(key)) return 'percent'
  return typeof value === 'number' || types.includes('integer') || types.includes('number')
    ? 'number'
    : 'text'
}

/** What may be typed: `Between 0.01 % and 1 000 %.` */
export function boundsOf(key: string, { minimum, maximum }: ValueSchema): string | undefined {
  if (minimum === undefined || maximum === undefined) return undefined
  const show = (value: number) =>
    isFraction(key)
      ? showValue(key, value)
      : formatFigure(value, { decimals: Number.isInteger(value) ? 0 : 4 })
  return `Between ${show(minimum)} and ${show(maximum)}.`
}

export const mayBeOff = (schema: ValueSchema): boolean => typesOf(schema).includes('null')

/** A percentage as typed, as the exact fraction the API wants: `4.5` → `"0.045"`. Decimal text, no float. */
export function toFraction(percent: string | number): string {
  const text = String(percent).trim()
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.')
  const digits = (whole + fraction).padStart(fraction.length + 3, '0')
  const point = digits.length - fraction.length - 2
  const plain = `${digits.slice(0, point)}.${digits.slice(point)}`
    .replace(/^0+(?=\d)/, '')
    .replace(/\.?0+$/, '')
  return text.startsWith('-') ? `-${plain}` : plain || '0'
}
