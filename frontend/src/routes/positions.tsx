/** Positions: what is held now, by ledger. */
import { createLazyRoute, getRouteApi, useNavigate } from '@tanstack/react-router'
import { Page } from '@/components/Page'
import { Panel } from '@/components/Panel'
import { FilterChips } from '@/components/table/FilterChips'
import { PositionsTable } from '@/features/positions/PositionsTable'
import { useAccount } from '@/lib/account'
import { useChoices } from '@/lib/choices'
import { asText, useUrlState } from '@/lib/url-state'

const page = getRouteApi('/frame/positions')

function PositionsPage() {
  const search = page.useSearch()
  const change = useUrlState()
  const navigate = useNavigate()
  const { account } = useAccount()
  const { symbols, deployments } = useChoices()
  const filters = [
    { key: 'symbol', label: 'Symbol', suggestions: symbols },
    { key: 'deployment', label: 'Deployment', choices: deployments },
    { key: 'flat', label: 'Show', choices: [{ value: 'true', label: 'Also flat ones' }] },
  ]
  return (
    <Page fills title="Positions" lead="What each ledger holds now, marked at the newest price.">
      <Panel flush className="fill">
        <PositionsTable
          filter={{
            account_id: account?.id,
            symbol: search.symbol,
            deployment_id: search.deployment,
            held: search.flat !== true,
          }}
          filters={<FilterChips filters={filters} values={asText(search)} onChange={change} />}
          onOpen={(symbol) => void navigate({ to: '/market', search: { symbol } })}
        />
      </Panel>
    </Page>
  )
}

export const route = createLazyRoute('/frame/positions')({ component: PositionsPage })
