/** A limit as a person types it: `2 %`, `5`, `on`, `off`, `AAPL, SPY`. */
import { toFraction } from '@/lib/config-value'

const NUMBER = /^-?\d+(\.\d+)?$/
const PERCENT = /^-?\d+(\.\d+)?\s*%$/
const WORDS: Record<string, boolean | null> = {
  on: true,
  true: true,
  false: false,
  no: false,
  none: null,
  off: null,
}

/** What the API wants: exact text for numbers with a point, lists for symbols, null for off. */
export function parseLimit(text: string): unknown {
  const plain = text.trim()
  if (plain.toLowerCase() in WORDS) return WORDS[plain.toLowerCase()]
  if (PERCENT.test(plain)) return toFraction(plain.replace('%', ''))
  if (NUMBER.test(plain)) return plain.includes('.') ? plain : Number(plain)
  return plain
    .split(',')
    .map((symbol) => symbol.trim().toUpperCase())
    .filter(Boolean)
}
