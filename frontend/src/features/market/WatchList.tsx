/** The account's symbols with live quotes; pressing one charts it. */
import { UnstyledButton } from '@mantine/core'
import { Change } from '@/components/Change'
import { Flash } from '@/components/Flash'
import type { Stock } from '@/lib/api/types'
import { formatPrice } from '@/lib/format'
import { useQuote, useQuoteFeed } from '@/lib/live/quotes'
import styles from './WatchList.module.css'

interface WatchListProps {
  stocks: readonly Stock[]
  dataset: string
  symbol: string
  onChoose: (symbol: string) => void
}

export function WatchList({ stocks, dataset, symbol, onChoose }: WatchListProps) {
  useQuoteFeed(
    stocks.map((stock) => stock.symbol),
    dataset,
  )
  return (
    <ul className={styles.list} aria-label="Watch list">
      {stocks.map((stock) => (
        <li key={stock.symbol}>
          <WatchRow stock={stock} dataset={dataset} isChosen={stock.symbol === symbol} onChoose={onChoose} />
        </li>
      ))}
    </ul>
  )
}

interface WatchRowProps {
  stock: Stock
  dataset: string
  isChosen: boolean
  onChoose: (symbol: string) => void
}

function WatchRow({ stock, dataset, isChosen, onChoose }: WatchRowProps) {
  const quote = useQuote(stock.symbol, dataset)
  const last = quote?.last ?? stock.now?.last ?? null
  const before = stock.now?.previous_close
  const change = last !== null && before ? last / before - 1 : (stock.now?.change_fraction ?? null)
  return (
    <UnstyledButton
      className={styles.row}
      data-chosen={isChosen || undefined}
      aria-pressed={isChosen}
      onClick={() => onChoose(stock.symbol)}
    >
      <span className={styles.symbol}>
        {stock.symbol}
        <span className={styles.name}>{stock.name}</span>
      </span>
      <span className={styles.figures}>
        <Flash value={last}>{formatPrice(last)}</Flash>
        <span className={styles.change}>
          <Change value={change} percent arrow />
        </span>
      </span>
    </UnstyledButton>
  )
}
