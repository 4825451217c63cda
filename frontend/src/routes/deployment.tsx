/** One deployment: its state, its own portfolio and result, its chart, orders, trades and log. */
import { Group, SegmentedControl, Tabs } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { createLazyRoute, getRouteApi, useNavigate } from '@tanstack/react-router'
import { DeploymentState } from '@/components/Badge'
import { Facts } from '@/components/Facts'
import { Page } from '@/components/Page'
import { Panel } from '@/components/Panel'
import { Failed, Loading } from '@/components/States'
import { Instant } from '@/components/Time'
import { DeploymentControls } from '@/features/deployments/DeploymentControls'
import { DeploymentLog } from '@/features/deployments/DeploymentLog'
import { PerformancePanel } from '@/features/deployments/PerformancePanel'
import { MarketChart } from '@/features/market/MarketChart'
import { OrderDrawer } from '@/features/orders/OrderDrawer'
import { OrdersTable } from '@/features/orders/OrdersTable'
import { PositionsTable } from '@/features/positions/PositionsTable'
import { TradesTable } from '@/features/trades/TradesTable'
import { useAccount } from '@/lib/account'
import { deployments } from '@/lib/api/deployments'
import type { Deployment } from '@/lib/api/types'
import { titleOf } from '@/lib/choices'
import { formatMoney, formatName } from '@/lib/format'
import { useUrlState } from '@/lib/url-state'
import styles from './deployment.module.css'

const page = getRouteApi('/frame/deployments/$deploymentId')

function DeploymentPage() {
  const { deploymentId } = page.useParams()
  const { data, error, refetch } = useQuery(deployments.one(Number(deploymentId)))
  if (error) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={8} height={32} />
  return <Detail deployment={data} />
}

function Detail({ deployment }: { deployment: Deployment }) {
  const { order } = page.useSearch()
  const change = useUrlState()
  return (
    <Page
      title={titleOf(deployment)}
      lead={
        <Group gap={8} component="span">
          <DeploymentState state={deployment.state} /> {deployment.strategy} on bars of {deployment.timeframe}
          , ledger {deployment.ledger}
          {deployment.state_reason && `: ${deployment.state_reason}`}
        </Group>
      }
      actions={<DeploymentControls deployment={deployment} />}
    >
      <Panel title="Result">
        <PerformancePanel deploymentId={deployment.id} />
      </Panel>
      <div className={styles.columns}>
        <OwnTabs deployment={deployment} />
        <div className={styles.aside}>
          <Panel title="Set-up">
            <Facts
              facts={[
                ...Object.entries(deployment.parameters).map(
                  ([name, value]) => [formatName(name), showParameter(value)] as const,
                ),
                ['Capital', deployment.capital ? formatMoney(deployment.capital) : 'what the limits allow'],
                ['Symbols', deployment.symbols.join(', ')],
                ['Started', <Instant key="started" at={deployment.started_at} />],
              ]}
            />
          </Panel>
          <Panel title="Own positions" flush className={styles.positions}>
            <OwnPositions deployment={deployment} />
          </Panel>
        </div>
      </div>
      <OrderDrawer clientOrderId={order} onClose={() => change({ order: undefined })} />
    </Page>
  )
}

function showParameter(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'Yes' : 'No'
  return typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value)
}

function OwnTabs({ deployment }: { deployment: Deployment }) {
  const { order, tab = 'chart' } = page.useSearch()
  const change = useUrlState()
  return (
    <Panel flush className={styles.tabs}>
      <Tabs
        value={tab}
        onChange={(next) => change({ tab: next ?? undefined })}
        keepMounted={false}
        classNames={{ root: styles.tabRoot, panel: styles.tabPanel }}
      >
        <Tabs.List>
          <Tabs.Tab value="chart">Chart</Tabs.Tab>
          <Tabs.Tab value="orders">Orders</Tabs.Tab>
          <Tabs.Tab value="trades">Trades</Tabs.Tab>
          <Tabs.Tab value="log">Log</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="chart">
          <OwnChart deployment={deployment} />
        </Tabs.Panel>
        <Tabs.Panel value="orders">
          <OrdersTable
            filter={{ deployment_id: deployment.id }}
            openId={order}
            onOpen={(next) => change({ order: next })}
          />
        </Tabs.Panel>
        <Tabs.Panel value="trades">
          <OwnTrades deployment={deployment} />
        </Tabs.Panel>
        <Tabs.Panel value="log">
          <DeploymentLog deploymentId={deployment.id} />
        </Tabs.Panel>
      </Tabs>
    </Panel>
  )
}

const NO_INDICATORS: readonly never[] = []

function OwnChart({ deployment }: { deployment: Deployment }) {
  const { symbol = deployment.symbols[0] ?? '' } = page.useSearch()
  const change = useUrlState()
  const { all } = useAccount()
  const account = all.find(({ id }) => id === deployment.account_id)
  if (!account) return <Loading />
  return (
    <>
      {deployment.symbols.length > 1 && (
        <SegmentedControl
          aria-label="Symbol"
          size="xs"
          className={styles.symbols}
          data={deployment.symbols}
          value={symbol}
          onChange={(next) => change({ symbol: next })}
        />
      )}
      <MarketChart
        account={account}
        symbol={symbol}
        timeframe={deployment.timeframe}
        chosen={NO_INDICATORS}
        deploymentId={deployment.id}
        onOpenOrder={(next) => change({ order: next })}
      />
    </>
  )
}

function OwnPositions({ deployment }: { deployment: Deployment }) {
  const change = useUrlState()
  return (
    <PositionsTable
      isCompact
      filter={{ deployment_id: deployment.id }}
      onOpen={(symbol) => change({ tab: 'chart', symbol })}
    />
  )
}

function OwnTrades({ deployment }: { deployment: Deployment }) {
  const navigate = useNavigate()
  return (
    <TradesTable
      filter={{ deployment_id: deployment.id }}
      onOpen={(trade) =>
        void navigate({ to: '/trades', search: { deployment: deployment.id, trade: trade.trade_id } })
      }
    />
  )
}

export const route = createLazyRoute('/frame/deployments/$deploymentId')({ component: DeploymentPage })
