/** Risk: how much of each limit is used, what the limits refused, and what others would have done. */
import { Button, Group } from '@mantine/core'
import { createLazyRoute, getRouteApi } from '@tanstack/react-router'
import { Page } from '@/components/Page'
import { Panel } from '@/components/Panel'
import { FilterChips } from '@/components/table/FilterChips'
import { SignalDrawer } from '@/features/orders/OrderDrawer'
import { LimitsPanel } from '@/features/risk-violations/LimitsPanel'
import { RiskViolationsTable } from '@/features/risk-violations/RiskViolationsTable'
import { ExplainDrawer } from '@/features/risk/ExplainDrawer'
import { ScopesPanel } from '@/features/risk/ScopesPanel'
import { WhatIfDrawer } from '@/features/risk/WhatIfDrawer'
import { useAccount } from '@/lib/account'
import { useChoices } from '@/lib/choices'
import { DENIAL_CODES, wordsOf } from '@/lib/risk'
import { asText, useUrlState } from '@/lib/url-state'

const page = getRouteApi('/frame/risk')

const CODES = DENIAL_CODES.map((value) => ({ value, label: wordsOf(value).title }))

function RiskPage() {
  const { violation, signal, asks, ...search } = page.useSearch()
  const change = useUrlState()
  const { account } = useAccount()
  const { symbols } = useChoices()
  const filters = [
    { key: 'code', label: 'Limit', choices: CODES },
    { key: 'symbol', label: 'Symbol', suggestions: symbols },
  ]
  return (
    <Page fills title="Risk" lead="Limits with their present use, and the orders they refused.">
      <Panel
        title="Limits in use"
        actions={
          <Group gap={8}>
            <Button size="compact-sm" variant="default" onClick={() => change({ asks: 'explain' })}>
              Explain a moment
            </Button>
            <Button size="compact-sm" variant="default" onClick={() => change({ asks: 'what-if' })}>
              What if…
            </Button>
          </Group>
        }
      >
        {account && <LimitsPanel accountId={account.id} />}
      </Panel>
      <Panel title="Limits of accounts, deployments and symbols">
        <ScopesPanel />
      </Panel>
      <Panel title="Risk violations" flush className="fill">
        <RiskViolationsTable
          filter={{ account_id: account?.id, code: search.code, symbol: search.symbol }}
          filters={<FilterChips filters={filters} values={asText(search)} onChange={change} />}
          openId={violation}
          onOpen={(row) => change({ violation: row.id, signal: row.signal_id ?? undefined })}
        />
      </Panel>
      {account && (
        <>
          <ExplainDrawer
            isOpen={asks === 'explain'}
            onClose={() => change({ asks: undefined })}
            accountId={account.id}
            symbol={search.symbol ?? symbols[0] ?? ''}
            at={account.market_at ?? new Date().toISOString()}
          />
          <WhatIfDrawer
            isOpen={asks === 'what-if'}
            onClose={() => change({ asks: undefined })}
            accountId={account.id}
            at={account.market_at ?? new Date().toISOString()}
          />
        </>
      )}
      <SignalDrawer signalId={signal} onClose={() => change({ violation: undefined, signal: undefined })} />
    </Page>
  )
}

export const route = createLazyRoute('/frame/risk')({ component: RiskPage })
