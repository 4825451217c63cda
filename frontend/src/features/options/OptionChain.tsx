/** The option chain on a symbol: an expiry, its strikes, calls and puts with their greeks. */
import { Select } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Empty, Failed, Loading } from '@/components/States'
import { Instant } from '@/components/Time'
import { options } from '@/lib/api/options'
import { formatPrice, plural } from '@/lib/format'
import styles from './OptionChain.module.css'
import { StrikeTable } from './StrikeTable'
import { daysUntil } from './strikes'

interface OptionChainProps {
  symbol: string
  accountId: number
  /** From the URL; undefined: the account's. */
  dataset: string | undefined
  expiry: string | undefined
  onChange: (change: { expiry?: string | undefined; dataset?: string | undefined }) => void
}

export function OptionChain({ symbol, accountId, dataset, expiry, onChange }: OptionChainProps) {
  const key = { symbol, accountId, dataset }
  const summary = useQuery(options.summary(key))
  const expiries = summary.data?.expiries ?? []
  const chosen = expiry !== undefined && expiries.includes(expiry) ? expiry : expiries[0]
  const chain = useQuery({ ...options.chain(key, chosen ?? ''), enabled: chosen !== undefined })

  if (summary.isPending) return <Loading rows={10} height={24} />
  if (summary.isError) return <Failed error={summary.error} onRetry={() => void summary.refetch()} />
  const { datasets, at } = summary.data
  if (chosen === undefined) {
    return (
      <Empty
        title={`No option chain on ${symbol} here`}
        action={
          datasets.length > 0 && (
            <Select
              label="Another data set has one"
              data={datasets}
              value={null}
              placeholder="Choose a data set"
              onChange={(next) => onChange({ dataset: next ?? undefined, expiry: undefined })}
            />
          )
        }
      >
        Import one with <code>tradewright data import FILE --kind options</code>, or subscribe to option
        quotes at a data provider.
      </Empty>
    )
  }
  return (
    <div className={styles.chain}>
      <div className={styles.tools}>
        <Select
          aria-label="Expiry"
          className={styles.expiry}
          size="xs"
          allowDeselect={false}
          data={expiries.map((each) => ({ value: each, label: labelOf(each, at) }))}
          value={chosen}
          onChange={(next) => onChange({ expiry: next ?? undefined })}
        />
        {(datasets.length > 1 || dataset !== undefined) && (
          <Select
            aria-label="Data set of the chain"
            className={styles.dataset}
            size="xs"
            allowDeselect={false}
            data={datasets}
            value={summary.data.dataset}
            onChange={(next) => onChange({ dataset: next ?? undefined, expiry: undefined })}
          />
        )}
        <span className={styles.facts}>
          {symbol} {formatPrice(chain.data?.underlying_price)} at <Instant at={chain.data?.at ?? at} />
        </span>
      </div>
      {chain.isPending && <Loading rows={10} height={24} />}
      {chain.isError && <Failed error={chain.error} onRetry={() => void chain.refetch()} />}
      {chain.data && (
        <StrikeTable
          key={`${symbol} ${chosen}`}
          contracts={chain.data.items}
          underlyingPrice={chain.data.underlying_price}
          label={`Options on ${symbol} that expire on ${chosen}`}
        />
      )}
    </div>
  )
}

function labelOf(expiry: string, at: string | null): string {
  const days = daysUntil(expiry, at)
  return days === null ? expiry : `${expiry} · ${plural(days, 'day')}`
}
