/** After sign-up: three steps to the first trade, gone once they are done. */
import { Button, CloseButton } from '@mantine/core'
import { IconChartCandle, IconDatabase, IconRocket } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { marketOf } from '@/components/ModeBadge'
import type { Account } from '@/lib/api/types'
import { plural } from '@/lib/format'
import { setPreferences, usePreferences } from '@/lib/preferences'
import styles from './FirstMinute.module.css'

const MARKETS = {
  simulated: 'A simulated market is running',
  replay: 'A market of the past is being replayed',
  imported: 'The imported market stands still',
  real: 'The market is connected',
} as const

export function FirstMinute({ account, symbol }: { account: Account; symbol: string | undefined }) {
  const { firstMinuteDone } = usePreferences()
  if (firstMinuteDone) return null
  const running = account.running_deployments
  return (
    <section className={styles.card} aria-label="The first minute">
      <CloseButton
        className={styles.close}
        aria-label="Do not show this again"
        onClick={() => setPreferences({ firstMinuteDone: true })}
      />
      <ol className={styles.steps}>
        <li className={styles.step}>
          <IconChartCandle size={20} stroke={1.5} aria-hidden />
          <h2>1. Look at the market</h2>
          <p>
            {MARKETS[marketOf(account) ?? 'real']}
            {running > 0
              ? ` and ${plural(running, 'deployment trades', 'deployments trade')} on it.`
              : '.'}{' '}
            Arrows are fills; press one to see why.
          </p>
          <Button component={Link} to="/market" search={{ symbol } as never} variant="default">
            Open the chart
          </Button>
        </li>
        <li className={styles.step}>
          <IconRocket size={20} stroke={1.5} aria-hidden />
          <h2>2. Deploy a strategy</h2>
          <p>
            Two moving averages that cross, with sensible settings filled in. It trades on paper within a
            minute.
          </p>
          <Button component={Link} to="/deployments" search={{ deploy: 'sma_cross' } as never}>
            Deploy sma_cross
          </Button>
        </li>
        <li className={styles.step}>
          <IconDatabase size={20} stroke={1.5} aria-hidden />
          <h2>3. Bring your data</h2>
          <p>
            Import a CSV, Parquet or DBN file, set a provider’s key for live prices, and see how whole the
            data is.
          </p>
          <Button component={Link} to="/data" search={{ tab: 'imports' } as never} variant="default">
            Import a file
          </Button>
        </li>
      </ol>
    </section>
  )
}
