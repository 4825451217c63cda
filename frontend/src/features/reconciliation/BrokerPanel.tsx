/** The chosen account and its broker: the connection, both books side by side, and what people may do. */
import { useQuery } from '@tanstack/react-query'
import { Facts } from '@/components/Facts'
import { Panel } from '@/components/Panel'
import { Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { useAccount } from '@/lib/account'
import { accounts } from '@/lib/api/accounts'
import type { Account, BrokerState } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import { useMay } from '@/lib/permission'
import { ComparisonTable } from './ComparisonTable'
import { PastComparisons } from './PastComparisons'
import { ReconcileButtons } from './ReconcileButtons'
import { linkWords } from './words'

export function BrokerPanel() {
  const { account } = useAccount()
  return (
    <Panel title={account ? `Broker of ${account.name}` : 'Broker'}>
      {account ? <Broker key={account.id} account={account} /> : <Loading rows={2} height={24} />}
    </Panel>
  )
}

function Broker({ account }: { account: Account }) {
  const mayTrade = useMay('trade')
  const { data, error, refetch } = useQuery(accounts.broker(account.id))
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={2} height={24} />
  if (account.broker === 'paper')
    return (
      <>
        <State state={data} />
        <p className="dim" style={{ margin: '12px 0 0', fontSize: 13 }}>
          The paper broker’s book is our own: there is nothing to compare.
        </p>
      </>
    )
  return (
    <>
      <State state={data} />
      <ComparisonTable accountId={account.id} />
      {mayTrade && <ReconcileButtons accountId={account.id} differences={data.differences} />}
      <PastComparisons accountId={account.id} />
    </>
  )
}

function State({ state }: { state: BrokerState }) {
  return (
    <Facts
      facts={[
        [
          'Broker',
          state.broker === 'paper' ? 'Paper, simulated here' : `${formatName(state.broker)}, ${state.mode}`,
        ],
        ['Connection', linkWords(state)],
        state.planned_until ? ['Expected back', <TimeAgo key="until" at={state.planned_until} />] : null,
        state.looked_at ? ['Books compared', <TimeAgo key="looked" at={state.looked_at} />] : null,
        ['Orders unanswered', String(state.in_flight)],
      ]}
    />
  )
}
