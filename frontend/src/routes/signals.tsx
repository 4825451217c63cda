/** Signals: what strategies and people wanted, and what became of it. */
import { createLazyRoute, getRouteApi } from '@tanstack/react-router'
import { Page } from '@/components/Page'
import { Panel } from '@/components/Panel'
import { FilterChips } from '@/components/table/FilterChips'
import { SignalDrawer } from '@/features/orders/OrderDrawer'
import { SignalsTable } from '@/features/signals/SignalsTable'
import { useAccount } from '@/lib/account'
import { useChoices } from '@/lib/choices'
import { formatName } from '@/lib/format'
import { asText, useUrlState } from '@/lib/url-state'

const page = getRouteApi('/frame/signals')

const asChoices = (values: readonly string[]) => values.map((value) => ({ value, label: formatName(value) }))
const TYPES = asChoices(['long', 'flat', 'short'])
const OUTCOMES = asChoices(['order', 'satisfied', 'denied', 'expired', 'open'])

function SignalsPage() {
  const { signal, ...search } = page.useSearch()
  const change = useUrlState()
  const { account } = useAccount()
  const { symbols, deployments } = useChoices()
  const filters = [
    { key: 'symbol', label: 'Symbol', suggestions: symbols },
    { key: 'type', label: 'Type', choices: TYPES },
    { key: 'outcome', label: 'Outcome', choices: OUTCOMES },
    { key: 'deployment', label: 'Deployment', choices: deployments },
  ]
  return (
    <Page fills title="Signals" lead="What strategies and people wanted to hold, and what became of it.">
      <Panel flush className="fill">
        <SignalsTable
          filter={{
            account_id: account?.id,
            symbol: search.symbol,
            signal_type: search.type,
            outcome: search.outcome,
            deployment_id: search.deployment,
          }}
          filters={<FilterChips filters={filters} values={asText(search)} onChange={change} />}
          openId={signal}
          onOpen={(signalId) => change({ signal: signalId })}
        />
      </Panel>
      <SignalDrawer signalId={signal} onClose={() => change({ signal: undefined })} />
    </Page>
  )
}

export const route = createLazyRoute('/frame/signals')({ component: SignalsPage })
