/** The risk engine's rules in words, and how close a value came to its limit. */
import {
  type Numeric,
  NONE,
  formatDuration,
  formatFigure,
  formatName,
  formatPercent,
  toNumber,
} from './format'

type Unit = 'fraction' | 'count' | 'seconds' | 'plain'

interface RuleWords {
  title: string
  unit: Unit
  /** What the rule refuses, as a sentence. */
  meaning: string
}

const RULES: Record<string, RuleWords> = {
  trading_halted: {
    title: 'Trading not halted',
    unit: 'plain',
    meaning: 'Trading is halted: nothing is sent but cancels.',
  },
  reduce_only: {
    title: 'Not reducing only',
    unit: 'plain',
    meaning: 'The account is reducing: only orders toward zero are sent.',
  },
  no_price: { title: 'Has a price', unit: 'plain', meaning: 'There is no price of this symbol yet.' },
  stale_price: { title: 'Price is fresh', unit: 'seconds', meaning: 'The last price is too old.' },
  session_closed: {
    title: 'Exchange is open',
    unit: 'plain',
    meaning: 'The exchange is closed and extended hours are not traded.',
  },
  symbol_restricted: {
    title: 'Symbol not restricted',
    unit: 'plain',
    meaning: 'The symbol is on the list of restricted symbols.',
  },
  symbol_not_allowed: {
    title: 'Symbol allowed',
    unit: 'plain',
    meaning: 'The symbol is not on the list of allowed symbols.',
  },
  short_sale: { title: 'Short sale', unit: 'plain', meaning: 'Short positions are not allowed.' },
  not_shortable: {
    title: 'Can be borrowed',
    unit: 'plain',
    meaning: 'The broker does not lend this symbol.',
  },
  order_unknown: {
    title: 'No order of unknown fate',
    unit: 'plain',
    meaning: 'The fate of an earlier order on this symbol is unknown.',
  },
  self_crossing: {
    title: 'No self-crossing',
    unit: 'plain',
    meaning: 'Another ledger of the account has an order on the other side.',
  },
  opposite_order: {
    title: 'No order against a resting one',
    unit: 'plain',
    meaning: 'The broker takes no order that could meet another of the account.',
  },
  price_collar: {
    title: 'Price collar',
    unit: 'fraction',
    meaning: 'The order’s price is too far from the last price.',
  },
  concurrent_orders: { title: 'Concurrent orders', unit: 'count', meaning: 'Too many orders are open.' },
  order_rate: {
    title: 'Orders a minute',
    unit: 'count',
    meaning: 'Too many orders were made in the last minute.',
  },
  day_trades: {
    title: 'Day trades',
    unit: 'count',
    meaning: 'An account this small would become a pattern day trader.',
  },
  daily_loss: { title: 'Daily loss', unit: 'fraction', meaning: 'The day’s loss has reached its limit.' },
  drawdown: {
    title: 'Drawdown',
    unit: 'fraction',
    meaning: 'The fall from the highest equity has reached its limit.',
  },
  daily_notional: {
    title: 'Money moved today',
    unit: 'plain',
    meaning: 'The day’s orders would move more money than they may.',
  },
  position_limit: {
    title: 'Position size',
    unit: 'fraction',
    meaning: 'The position would exceed its share of the equity.',
  },
  sector_limit: {
    title: 'Sector exposure',
    unit: 'fraction',
    meaning: 'The sector would exceed its share of the equity.',
  },
  exposure_limit: {
    title: 'Portfolio exposure',
    unit: 'fraction',
    meaning: 'All positions together would exceed their share of the equity.',
  },
  buying_power: {
    title: 'Buying power',
    unit: 'fraction',
    meaning: 'The order costs more than what may still be bought.',
  },
  settled_cash: {
    title: 'Settled cash',
    unit: 'plain',
    meaning: 'The order costs more than the settled cash.',
  },
  below_lot: { title: 'At least one lot', unit: 'plain', meaning: 'The wanted size is below one lot.' },
}

export const wordsOf = (rule: string): RuleWords =>
  RULES[rule] ?? { title: formatName(rule), unit: 'plain', meaning: formatName(rule) }

export const DENIAL_CODES: readonly string[] = Object.keys(RULES)

/** A rule's value or limit in the rule's own unit. */
export function formatRuleValue(rule: string, value: Numeric): string {
  const number = toNumber(value)
  if (number === null) return NONE
  switch (wordsOf(rule).unit) {
    case 'fraction':
      return formatPercent(number)
    case 'count':
      return formatFigure(number, { decimals: 0 })
    case 'seconds':
      return formatDuration(number)
    case 'plain':
      return formatFigure(number)
  }
}

/** How much of the limit is used: 1 is full, more is over; null where there is nothing to measure. */
export function closenessOf(value: Numeric, limit: Numeric): number | null {
  const used = toNumber(value)
  const allowed = toNumber(limit)
  if (used === null || allowed === null) return null
  if (allowed === 0) return used > 0 ? Infinity : 0
  return Math.max(0, used / allowed)
}

/** `2.2 % over the limit of 5 %`: by how much it did not fit. */
export function excessOf(rule: string, value: Numeric, limit: Numeric): string | null {
  const used = toNumber(value)
  const allowed = toNumber(limit)
  if (used === null || allowed === null || used <= allowed) return null
  return `${formatRuleValue(rule, used - allowed)} over the limit of ${formatRuleValue(rule, allowed)}`
}
