/** The account at a glance: money, what needs a person, what is held, who earns, what happens. */
import { createLazyRoute, useNavigate } from '@tanstack/react-router'
import { Button } from '@mantine/core'
import { Page } from '@/components/Page'
import { Panel } from '@/components/Panel'
import { Empty, Failed, Loading } from '@/components/States'
import { AttentionPanel } from '@/features/dashboard/AttentionPanel'
import { EquityPanel } from '@/features/dashboard/EquityPanel'
import { EventsPanel } from '@/features/dashboard/EventsPanel'
import { FiguresStrip } from '@/features/dashboard/FiguresStrip'
import { FirstMinute } from '@/features/dashboard/FirstMinute'
import { DeploymentsTable } from '@/features/deployments/DeploymentsTable'
import { PositionsTable } from '@/features/positions/PositionsTable'
import { useAccount } from '@/lib/account'
import type { Account } from '@/lib/api/types'
import { useChoices } from '@/lib/choices'
import styles from './dashboard.module.css'

function DashboardPage() {
  const { account, isPending, error } = useAccount()
  return (
    <Page title="Dashboard">
      {isPending && <Loading rows={8} height={32} />}
      {error && !account && <Failed error={error} />}
      {!isPending && !error && !account && (
        <Empty title="No account yet">The engine makes one when it starts for the first time.</Empty>
      )}
      {account && <Overview account={account} />}
    </Page>
  )
}

function Overview({ account }: { account: Account }) {
  const navigate = useNavigate()
  const { symbols } = useChoices()
  return (
    <>
      <FirstMinute account={account} symbol={symbols[0]} />
      <FiguresStrip account={account} />
      <div className={styles.grid}>
        <Panel title="Equity" flush className={styles.wide}>
          <EquityPanel account={account} />
        </Panel>
        <Panel title="Needs attention" flush>
          <AttentionPanel account={account} />
        </Panel>
        <Panel title="Positions" flush>
          <PositionsTable
            isCompact
            filter={{ account_id: account.id }}
            onOpen={(symbol) => void navigate({ to: '/market', search: { symbol } })}
          />
        </Panel>
        <Panel title="Deployments by P&L" flush>
          <DeploymentsTable
            isCompact
            filter={{ account_id: account.id, state: ['running', 'paused'] }}
            onOpen={(id) =>
              void navigate({ to: '/deployments/$deploymentId', params: { deploymentId: String(id) } })
            }
            emptyAction={
              <Button onClick={() => void navigate({ to: '/deployments', search: { deploy: 'choose' } })}>
                Deploy a strategy
              </Button>
            }
          />
        </Panel>
        <Panel title="Live events" flush>
          <EventsPanel account={account} />
        </Panel>
      </div>
    </>
  )
}

export const route = createLazyRoute('/frame/')({ component: DashboardPage })
