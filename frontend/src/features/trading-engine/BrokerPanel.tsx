/** The chosen account and its broker: the connection, our books against its, and what people may do. */
import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Facts } from '@/components/Facts'
import { Panel } from '@/components/Panel'
import { Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { notifyError } from '@/components/notify'
import { useAccount } from '@/lib/account'
import { accounts, reconcile } from '@/lib/api/accounts'
import type { Account, BrokerState } from '@/lib/api/types'
import { plural } from '@/lib/format'
import styles from './TradingEngineStatus.module.css'
import { foundLines, linkWords } from './reconciliation'

export function BrokerPanel() {
  const { account } = useAccount()
  return (
    <Panel title={account ? `Broker of ${account.name}` : 'Broker'} className={styles.metrics}>
      {account ? <Broker account={account} /> : <Loading rows={2} height={24} />}
    </Panel>
  )
}

function Broker({ account }: { account: Account }) {
  const { data, error, refetch } = useQuery(accounts.broker(account.id))
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={2} height={24} />
  return (
    <>
      <State state={data} />
      <Comparisons accountId={account.id} differences={data.differences} />
    </>
  )
}

function State({ state }: { state: BrokerState }) {
  return (
    <Facts
      facts={[
        ['Broker', `${state.broker}, ${state.mode}`],
        ['Connection', linkWords(state)],
        state.planned_until ? ['Expected back', <TimeAgo key="until" at={state.planned_until} />] : null,
        state.looked_at ? ['Books compared', <TimeAgo key="looked" at={state.looked_at} />] : null,
        ['Orders unanswered', String(state.in_flight)],
      ]}
    />
  )
}

function Comparisons({ accountId, differences }: { accountId: number; differences: readonly string[] }) {
  const client = useQueryClient()
  const past = useQuery(accounts.reconciliations(accountId))
  const act = useMutation({
    mutationFn: (wish: { dry_run: boolean; adopt: boolean }) => reconcile(accountId, wish),
    onError: notifyError,
    onSettled: () => void client.invalidateQueries({ queryKey: accounts.all }),
  })
  return (
    <>
      {differences.length > 0 && (
        <ul aria-label="Unexplained differences">
          {differences.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      )}
      <div className={styles.buttons}>
        <Button
          variant="outline"
          loading={act.isPending}
          onClick={() => act.mutate({ dry_run: true, adopt: false })}
        >
          Show what would be done
        </Button>
        <Button
          variant="outline"
          loading={act.isPending}
          onClick={() => act.mutate({ dry_run: false, adopt: false })}
        >
          Compare now
        </Button>
        {differences.length > 0 && (
          <Button
            color="red"
            variant="outline"
            loading={act.isPending}
            onClick={() => act.mutate({ dry_run: false, adopt: true })}
          >
            The broker is right: take it over
          </Button>
        )}
      </div>
      {act.data && (
        <ul aria-label="Result" role="status">
          {foundLines(act.data).map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      )}
      <ol className="dim" aria-label="Past comparisons">
        {(past.data?.items ?? []).map((one) => (
          <li key={one.id}>
            <TimeAgo at={one.at} />: {plural(one.open_orders, 'open order', 'open orders')},{' '}
            {one.differences.length === 0 ? 'no differences' : one.differences.join(' ')}
          </li>
        ))}
      </ol>
    </>
  )
}
