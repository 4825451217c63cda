/** The account in one line: equity, the day's result, exposure against its limit, drawdown. */
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Change } from '@/components/Change'
import { Flash } from '@/components/Flash'
import { LimitBar } from '@/components/LimitBar'
import { accounts } from '@/lib/api/accounts'
import type { Account } from '@/lib/api/types'
import { formatMoney, formatPercent, toNumber } from '@/lib/format'
import styles from './FiguresStrip.module.css'

export function FiguresStrip({ account }: { account: Account }) {
  const { data } = useQuery(accounts.limits(account.id))
  const exposure = data?.items.find(({ name }) => name === 'max_portfolio_exposure')
  const fall = data?.items.find(({ name }) => name === 'max_drawdown')
  return (
    <dl className={styles.strip}>
      <Figure name="Equity" note={account.currency}>
        <Flash value={toNumber(account.equity)}>{formatMoney(account.equity)}</Flash>
      </Figure>
      <Figure name="Day P&L" note={<Change value={account.day_pnl_fraction} percent arrow />}>
        <Change value={account.day_pnl} />
      </Figure>
      <Figure
        name="Unrealized P&L"
        note={
          <>
            realized <Change value={account.realized_pnl} />
          </>
        }
      >
        <Change value={account.unrealized_pnl} />
      </Figure>
      <Figure
        name="Exposure"
        note={
          <LimitBar
            closeness={toNumber(exposure?.use)}
            label={`Exposure ${formatPercent(account.exposure_fraction)} of a limit of ${formatPercent(exposure?.limit)}`}
          />
        }
      >
        {formatPercent(account.exposure_fraction, { decimals: 1 })}
        {exposure?.limit && (
          <span className={styles.of}> / {formatPercent(exposure.limit, { decimals: 0 })}</span>
        )}
      </Figure>
      <Figure
        name="Drawdown"
        note={
          <LimitBar
            closeness={toNumber(fall?.use)}
            label={`Drawdown ${formatPercent(account.drawdown)} of a limit of ${formatPercent(fall?.limit)}`}
          />
        }
      >
        {formatPercent(-(toNumber(account.drawdown) ?? 0))}
        {fall?.limit && <span className={styles.of}> / {formatPercent(fall.limit, { decimals: 0 })}</span>}
      </Figure>
      <Figure name="Buying power" note={<>cash {formatMoney(account.cash)}</>}>
        {formatMoney(account.buying_power)}
      </Figure>
    </dl>
  )
}

function Figure({ name, children, note }: { name: string; children: ReactNode; note: ReactNode }) {
  return (
    <div className={styles.figure}>
      <dt className={styles.name}>{name}</dt>
      <dd className={styles.value}>{children}</dd>
      <dd className={styles.note}>{note}</dd>
    </div>
  )
}
