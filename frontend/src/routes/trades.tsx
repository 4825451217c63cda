/** Trades: round trips with what they brought. */
import { createLazyRoute, getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'
import { Page } from '@/components/Page'
import { Panel } from '@/components/Panel'
import { FilterChips } from '@/components/table/FilterChips'
import { SignalDrawer } from '@/features/orders/OrderDrawer'
import { TradeDrawer } from '@/features/trades/TradeDrawer'
import { TradesTable } from '@/features/trades/TradesTable'
import { useAccount } from '@/lib/account'
import { useChoices } from '@/lib/choices'
import { asText, useUrlState } from '@/lib/url-state'

const page = getRouteApi('/frame/trades')

const DIRECTIONS = [
  { value: 'long', label: 'Long' },
  { value: 'short', label: 'Short' },
]
const RESULTS = [
  { value: 'win', label: 'Won' },
  { value: 'loss', label: 'Lost' },
]

function TradesPage() {
  const { trade, ...search } = page.useSearch()
  const change = useUrlState()
  const [signalId, setSignalId] = useState<string>()
  const { account } = useAccount()
  const { symbols, deployments } = useChoices()
  const filter = {
    account_id: account?.id,
    symbol: search.symbol,
    direction: search.direction,
    result: search.result,
    deployment_id: search.deployment,
  }
  const filters = [
    { key: 'symbol', label: 'Symbol', suggestions: symbols },
    { key: 'direction', label: 'Direction', choices: DIRECTIONS },
    { key: 'result', label: 'Result', choices: RESULTS },
    { key: 'deployment', label: 'Deployment', choices: deployments },
  ]
  return (
    <Page fills title="Trades" lead="Round trips: from flat, to a position, back to flat.">
      <Panel flush className="fill">
        <TradesTable
          filter={filter}
          filters={<FilterChips filters={filters} values={asText(search)} onChange={change} />}
          openId={trade}
          onOpen={(row) => change({ trade: row.trade_id })}
        />
      </Panel>
      <TradeDrawer
        tradeId={signalId === undefined ? trade : undefined}
        filter={filter}
        onClose={() => change({ trade: undefined })}
        onOpenSignal={setSignalId}
      />
      <SignalDrawer signalId={signalId} onClose={() => setSignalId(undefined)} />
    </Page>
  )
}

export const route = createLazyRoute('/frame/trades')({ component: TradesPage })
