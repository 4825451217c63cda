/** Under the header: hatched when the market is not real, red when the money is. */
import { marketOf } from '@/components/ModeBadge'
import { useAccount } from '@/lib/account'
import styles from './ModeStripe.module.css'

const SAID = {
  simulated: 'Simulated market: no price here is real',
  replay: 'Replayed market: these prices are from the past',
  imported: 'Imported data: this market does not move',
} as const

export function ModeStripe() {
  const { account } = useAccount()
  if (!account) return null
  if (account.mode === 'live') {
    const isArmed = Boolean(account.arming?.armed_at)
    const said = isArmed ? 'Live: real money, armed' : 'Live: real money, not armed'
    return <div className={styles.live} role="note" aria-label={said} title={said} />
  }
  const market = marketOf(account)
  if (market === null) return null
  const text = SAID[market]
  return <div className={styles.simulated} role="note" aria-label={text} title={text} />
}
