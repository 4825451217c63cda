/** The account's equity over time, against what it started with. */
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { Empty, Failed, Loading } from '@/components/States'
import { LineChart } from '@/components/chart/lazy'
import { accounts } from '@/lib/api/accounts'
import type { Account } from '@/lib/api/types'
import { toNumber } from '@/lib/format'

export function EquityPanel({ account }: { account: Account }) {
  const { data, error, refetch } = useQuery(accounts.equity(account.id))
  const points = useMemo(
    () => data?.items.map(({ at, equity }) => ({ at, value: toNumber(equity) ?? 0 })) ?? [],
    [data],
  )
  if (error) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={5} height={28} />
  if (points.length < 2) {
    return <Empty title="The curve starts with the first session">Equity is noted as time goes by.</Empty>
  }
  return <LineChart label="Equity over time" points={points} baseline={toNumber(account.initial_cash) ?? 0} />
}
