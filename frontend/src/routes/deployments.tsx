/** Deployments: strategies at work, and the form to put another to work. */
import { Button } from '@mantine/core'
import { IconRocket } from '@tabler/icons-react'
import { createLazyRoute, getRouteApi, useNavigate } from '@tanstack/react-router'
import { Page } from '@/components/Page'
import { Panel } from '@/components/Panel'
import { SideDrawer } from '@/components/SideDrawer'
import { FilterChips } from '@/components/table/FilterChips'
import { DeployForm } from '@/features/deployments/DeployForm'
import { DeploymentsTable } from '@/features/deployments/DeploymentsTable'
import { useAccount } from '@/lib/account'
import { firstPriced, useChoices } from '@/lib/choices'
import { useDefaultTimeframe } from '@/lib/default-timeframe'
import { formatName } from '@/lib/format'
import { asText, useUrlState } from '@/lib/url-state'

const page = getRouteApi('/frame/deployments')

const STATES = ['created', 'running', 'paused', 'stopped', 'failed'].map((value) => ({
  value,
  label: formatName(value),
}))

function DeploymentsPage() {
  const { deploy, ...search } = page.useSearch()
  const change = useUrlState()
  const navigate = useNavigate()
  const { account } = useAccount()
  const { stocks, symbols } = useChoices()
  const symbol = firstPriced(stocks)
  const timeframe = useDefaultTimeframe(symbol, account?.dataset)
  const open = (id: number) =>
    void navigate({ to: '/deployments/$deploymentId', params: { deploymentId: String(id) } })
  const deployButton = (
    <Button leftSection={<IconRocket size={14} />} onClick={() => change({ deploy: 'choose' })}>
      Deploy a strategy
    </Button>
  )
  return (
    <Page
      fills
      title="Deployments"
      lead="Strategies at work, each with its own ledger."
      actions={deployButton}
    >
      <Panel flush className="fill">
        <DeploymentsTable
          filter={{
            account_id: account?.id,
            state: search.state ? [search.state] : undefined,
            strategy: search.strategy,
          }}
          filters={
            <FilterChips
              filters={[{ key: 'state', label: 'State', choices: STATES }]}
              values={asText(search)}
              onChange={change}
            />
          }
          onOpen={open}
          emptyAction={deployButton}
        />
      </Panel>
      <SideDrawer
        isOpen={deploy !== undefined}
        onClose={() => change({ deploy: undefined })}
        title={<b>Deploy a strategy</b>}
      >
        {account && symbol && timeframe && (
          <DeployForm
            account={account}
            symbols={symbols}
            suggested={{ symbol, timeframe }}
            strategyName={deploy}
            onChooseStrategy={(name) => change({ deploy: name })}
            onDeployed={(deployment) => open(deployment.id)}
          />
        )}
      </SideDrawer>
    </Page>
  )
}

export const route = createLazyRoute('/frame/deployments')({ component: DeploymentsPage })
