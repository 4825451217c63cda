/** Executions: every fill; press one for the timeline of its order. */
import { createLazyRoute, getRouteApi } from '@tanstack/react-router'
import { Page } from '@/components/Page'
import { Panel } from '@/components/Panel'
import { FilterChips } from '@/components/table/FilterChips'
import { ExecutionsTable } from '@/features/executions/ExecutionsTable'
import { OrderDrawer } from '@/features/orders/OrderDrawer'
import { useAccount } from '@/lib/account'
import { useChoices } from '@/lib/choices'
import { asText, useUrlState } from '@/lib/url-state'

const page = getRouteApi('/frame/executions')

const SIDES = [
  { value: 'buy', label: 'Buy' },
  { value: 'sell', label: 'Sell' },
]

function ExecutionsPage() {
  const { order, ...search } = page.useSearch()
  const change = useUrlState()
  const { account } = useAccount()
  const { symbols, deployments } = useChoices()
  const filters = [
    { key: 'symbol', label: 'Symbol', suggestions: symbols },
    { key: 'side', label: 'Side', choices: SIDES },
    { key: 'deployment', label: 'Deployment', choices: deployments },
  ]
  return (
    <Page fills title="Executions" lead="Each fill, as the broker reported it.">
      <Panel flush className="fill">
        <ExecutionsTable
          filter={{
            account_id: account?.id,
            symbol: search.symbol,
            side: search.side,
            deployment_id: search.deployment,
          }}
          filters={<FilterChips filters={filters} values={asText(search)} onChange={change} />}
          onOpen={(clientOrderId) => change({ order: clientOrderId })}
        />
      </Panel>
      <OrderDrawer clientOrderId={order} onClose={() => change({ order: undefined })} />
    </Page>
  )
}

export const route = createLazyRoute('/frame/executions')({ component: ExecutionsPage })
