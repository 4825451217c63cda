/** When market data last arrived in this browser. */

let newest: number | null = null

export function noteMarketData(at: number = Date.now()): void {
  newest = at
}

export const newestMarketData = (): number | null => newest
