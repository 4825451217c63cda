/** The charted symbol with its live quote. */
import { Change } from '@/components/Change'
import { Flash } from '@/components/Flash'
import type { Stock } from '@/lib/api/types'
import { formatPrice } from '@/lib/format'
import { useQuote } from '@/lib/live/quotes'
import styles from './MarketHeading.module.css'

interface MarketHeadingProps {
  symbol: string
  stock: Stock | undefined
  dataset: string
}

export function MarketHeading({ symbol, stock, dataset }: MarketHeadingProps) {
  const quote = useQuote(symbol, dataset)
  const last = quote?.last ?? stock?.now?.last ?? null
  const before = stock?.now?.previous_close ?? null
  return (
    <div className={styles.heading}>
      <span className={styles.symbol}>{symbol}</span>
      <span className={styles.name}>{stock?.name}</span>
      <span className={styles.price}>
        <Flash value={last}>{formatPrice(last)}</Flash>
      </span>
      {last !== null && before !== null && before > 0 && <Change value={last / before - 1} percent arrow />}
      {quote?.bid !== undefined && quote.bid !== null && (
        <span className={styles.spread}>
          {formatPrice(quote.bid)} × {formatPrice(quote.ask)}
        </span>
      )}
    </div>
  )
}
