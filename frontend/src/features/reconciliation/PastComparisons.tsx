/** The last comparisons, newest first: when, and what nothing explained. */
import { useQuery } from '@tanstack/react-query'
import { Row, Rows } from '@/components/Rows'
import { Failed } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { accounts } from '@/lib/api/accounts'
import { plural } from '@/lib/format'

export function PastComparisons({ accountId }: { accountId: number }) {
  const { data, error, refetch } = useQuery(accounts.reconciliations(accountId))
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data || data.items.length === 0) return null
  return (
    <>
      <h3 style={{ margin: '20px 0 0', fontSize: 13 }}>Last comparisons on record</h3>
      <Rows label="Past comparisons">
        {data.items.map((one) => (
          <Row
            key={one.id}
            note={`${plural(one.open_orders, 'open order')}, ${plural(one.positions, 'position')} at the broker`}
          >
            <TimeAgo at={one.at} />:{' '}
            {one.differences.length === 0 ? 'no differences' : one.differences.join(' ')}
          </Row>
        ))}
      </Rows>
    </>
  )
}
