/** Strikes of one expiry: calls on the left, puts on the right, what exercise would pay for shaded. */
import { Tooltip } from '@mantine/core'
import { useEffect, useRef } from 'react'
import type { Option } from '@/lib/api/types'
import { formatCompact, formatFigure, formatPercent } from '@/lib/format'
import styles from './StrikeTable.module.css'
import { type Strike, byStrike, nearestStrike, priceDecimals, priceOf } from './strikes'

interface Column {
  title: string
  meaning: string
  /** How narrow a screen may get before the column goes. */
  from: 'always' | 'medium' | 'wide'
  /** `decimals`: of prices, the same in every row. */
  text: (contract: Option, decimals: number) => string
}

/** From the strike outwards. */
const COLUMNS: readonly Column[] = [
  {
    title: 'Price',
    meaning: 'Middle of bid and ask, else the last trade',
    from: 'always',
    text: (one, decimals) => formatFigure(priceOf(one), { decimals }),
  },
  {
    title: 'Ask',
    meaning: 'What a buyer pays',
    from: 'medium',
    text: (one, decimals) => formatFigure(one.ask, { decimals }),
  },
  {
    title: 'Bid',
    meaning: 'What a seller gets',
    from: 'medium',
    text: (one, decimals) => formatFigure(one.bid, { decimals }),
  },
  {
    title: 'IV',
    meaning: 'Implied volatility, a year',
    from: 'always',
    text: (one) => formatPercent(one.implied_volatility, { decimals: 1 }),
  },
  {
    title: 'Δ',
    meaning: 'Delta: change of the price a dollar of the share',
    from: 'always',
    text: (one) => formatFigure(one.delta, { decimals: 2 }),
  },
  {
    title: 'Γ',
    meaning: 'Gamma: change of delta a dollar of the share',
    from: 'wide',
    text: (one) => formatFigure(one.gamma, { decimals: 4 }),
  },
  {
    title: 'Θ',
    meaning: 'Theta: change of the price a day',
    from: 'wide',
    text: (one) => formatFigure(one.theta, { decimals: 3 }),
  },
  {
    title: 'Vega',
    meaning: 'Change of the price a percentage point of volatility',
    from: 'wide',
    text: (one) => formatFigure(one.vega, { decimals: 3 }),
  },
  { title: 'Vol', meaning: 'Contracts traded', from: 'wide', text: (one) => formatCompact(one.volume) },
  {
    title: 'OI',
    meaning: 'Open interest: contracts outstanding',
    from: 'medium',
    text: (one) => formatCompact(one.open_interest),
  },
]
const OUTWARDS = COLUMNS
const INWARDS = [...COLUMNS].reverse()

interface StrikeTableProps {
  contracts: readonly Option[]
  underlyingPrice: number | null
  label: string
}

export function StrikeTable({ contracts, underlyingPrice, label }: StrikeTableProps) {
  const rows = byStrike(contracts)
  const middle = nearestStrike(rows, underlyingPrice)
  const decimals = rows.every((row) => Number.isInteger(Number(row.strike))) ? 0 : 2
  const ofPrices = priceDecimals(contracts)
  const start = useRef<HTMLTableRowElement>(null)
  useEffect(() => {
    start.current?.scrollIntoView({ block: 'center' })
  }, [])
  return (
    <div className={styles.scroll} role="region" aria-label={label} tabIndex={0}>
      <table className={styles.table}>
        <thead>
          <Sides />
          <tr>
            <Titles side="Call" columns={INWARDS} />
            <th scope="col" className={styles.strike}>
              Strike
            </th>
            <Titles side="Put" columns={OUTWARDS} />
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <StrikeRow
              key={row.strike}
              row={row}
              decimals={decimals}
              ofPrices={ofPrices}
              price={underlyingPrice}
              rowRef={row.strike === middle ? start : undefined}
            />
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** The sides' names, each over the column that every screen shows in the middle of its side. */
function Sides() {
  const names = (name: string, columns: readonly Column[]) =>
    columns.map((column) => (
      <td key={column.title} data-from={column.from} className={styles.side}>
        {column.title === 'IV' && name}
      </td>
    ))
  return (
    <tr aria-hidden>
      {names('Calls', INWARDS)}
      <td className={styles.strike} />
      {names('Puts', OUTWARDS)}
    </tr>
  )
}

function Titles({ side, columns }: { side: string; columns: readonly Column[] }) {
  return columns.map((column) => (
    <th key={column.title} scope="col" data-from={column.from} aria-label={`${side}: ${column.title}`}>
      <Tooltip label={column.meaning}>
        <span>{column.title}</span>
      </Tooltip>
    </th>
  ))
}

interface StrikeRowProps {
  row: Strike
  /** Of the strike: one precision a column. */
  decimals: number
  ofPrices: number
  price: number | null
  rowRef: React.Ref<HTMLTableRowElement> | undefined
}

function StrikeRow({ row, decimals, ofPrices, price, rowRef }: StrikeRowProps) {
  const strike = Number(row.strike)
  return (
    <tr ref={rowRef} data-middle={rowRef !== undefined || undefined}>
      <Side
        contract={row.call}
        columns={INWARDS}
        decimals={ofPrices}
        pays={price !== null && strike < price}
      />
      <th scope="row" className={styles.strike}>
        {formatFigure(row.strike, { decimals })}
      </th>
      <Side
        contract={row.put}
        columns={OUTWARDS}
        decimals={ofPrices}
        pays={price !== null && strike > price}
      />
    </tr>
  )
}

interface SideProps {
  contract: Option | null
  columns: readonly Column[]
  decimals: number
  /** Exercised now it would pay. */
  pays: boolean
}

function Side({ contract, columns, decimals, pays }: SideProps) {
  return columns.map((column) => (
    <td key={column.title} data-from={column.from} data-pays={pays || undefined}>
      {contract === null ? '' : column.text(contract, decimals)}
    </td>
  ))
}
