/** A chain as traders read it: one row a strike, the call on the left, the put on the right. */
import type { Option } from '@/lib/api/types'

export interface Strike {
  /** As the API says it, exact. */
  strike: string
  call: Option | null
  put: Option | null
}

/** Contracts of one expiry by strike, the lowest first. */
export function byStrike(contracts: readonly Option[]): Strike[] {
  const rows = new Map<string, Strike>()
  for (const contract of contracts) {
    const row = rows.get(contract.strike) ?? { strike: contract.strike, call: null, put: null }
    row[contract.type] = contract
    rows.set(contract.strike, row)
  }
  return [...rows.values()].sort((one, other) => Number(one.strike) - Number(other.strike))
}

/** The strike nearest to the share's price: where the eye begins. */
export function nearestStrike(rows: readonly Strike[], price: number | null | undefined): string | null {
  if (price === null || price === undefined) return null
  const distance = (row: Strike) => Math.abs(Number(row.strike) - price)
  const first = rows[0]
  if (first === undefined) return null
  return rows.reduce((best, row) => (distance(row) < distance(best) ? row : best), first).strike
}

/** What a contract costs: the middle of a two-sided quote, else the last trade. */
export function priceOf(contract: Option | null): number | null {
  if (contract === null) return null
  const { bid, ask, last } = contract
  if (bid && ask && ask >= bid) return (bid + ask) / 2
  return last ?? null
}

/** Of all prices of a chain, so that a column has one precision: three where middles of quotes need it. */
export function priceDecimals(contracts: readonly Option[]): number {
  const prices = contracts.flatMap((one) => [one.bid, one.ask, priceOf(one)])
  const isFiner = prices.some((price) => price && Math.abs(price * 100 - Math.round(price * 100)) > 1e-6)
  return isFiner ? 3 : 2
}

/** Days until the expiry, counted from the chain's own time. */
export function daysUntil(expiry: string, at: string | null): number | null {
  if (at === null) return null
  const days = (Date.parse(`${expiry}T00:00:00Z`) - Date.parse(`${at.slice(0, 10)}T00:00:00Z`)) / 86_400_000
  return Number.isFinite(days) ? Math.round(days) : null
}
