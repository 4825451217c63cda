/** Paper, simulated, replayed or live: never to be mistaken. */
import type { Account } from '@/lib/api/types'
import styles from './ModeBadge.module.css'

/** Where the account's market comes from, when it is not the real one. */
export function marketOf(
  account: Pick<Account, 'dataset' | 'is_simulated'>,
): 'simulated' | 'replay' | 'imported' | null {
  if (account.dataset.startsWith('replay:')) return 'replay'
  if (account.dataset.startsWith('import:')) return 'imported'
  return account.is_simulated ? 'simulated' : null
}

type Shown = Pick<Account, 'mode' | 'dataset' | 'is_simulated'> & { arming?: Account['arming'] }

export function ModeBadge({ account }: { account: Shown }) {
  const market = marketOf(account)
  return (
    <span className={styles.badges}>
      <span className={styles.badge} data-mode={account.mode}>
        {account.mode.toUpperCase()}
      </span>
      {account.arming && (
        <span className={styles.badge} data-mode={account.arming.armed_at ? 'live' : 'disarmed'}>
          {account.arming.armed_at ? 'ARMED' : 'NOT ARMED'}
        </span>
      )}
      {market !== null && (
        <span className={styles.badge} data-mode="simulated">
          {market.toUpperCase()}
        </span>
      )}
    </span>
  )
}
