/** Limits of single accounts, deployments and symbols: they tighten, and never loosen. */
import { Button, Group, Select, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Failed, Loading } from '@/components/States'
import { notifyDone, notifyError } from '@/components/notify'
import { showValue } from '@/lib/config-value'
import { sentenceOf } from '@/lib/api/errors'
import type { ScopedValue } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import styles from './Risk.module.css'
import { limitScope, limits, risk } from './api'
import { parseLimit } from './limit-text'

export function ScopesPanel() {
  const { data, error, refetch } = useQuery(risk.scopes())
  if (error) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={2} />
  return (
    <>
      {data.items.length === 0 ? (
        <p className={styles.sum}>
          The limits above hold for everything. A deployment or a symbol can have tighter ones.
        </p>
      ) : (
        <ul className={styles.scopes}>
          {data.items.map((value) => (
            <ScopeRow key={`${value.scope}/${value.key}`} value={value} />
          ))}
        </ul>
      )}
      <ScopeForm />
    </>
  )
}

function useChange(onDone?: () => void) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ key, value, scope }: { key: string; value: unknown; scope: string }) =>
      limitScope(key, value, scope, null),
    onSuccess: (saved) => {
      notifyDone(
        `${formatName(saved.key)} of ${saved.scope} is ${showValue(saved.key, saved.value)}.`,
        'Changed',
      )
      void client.invalidateQueries({ queryKey: risk.all })
      void client.invalidateQueries({ queryKey: ['accounts'] })
      onDone?.()
    },
    onError: notifyError,
  })
}

function ScopeRow({ value: { scope, key, value } }: { value: ScopedValue }) {
  const change = useChange()
  return (
    <li className={styles.scope}>
      <span>
        <b className="mono">{scope}</b> {formatName(key)} <b>{showValue(key, value)}</b>
      </span>
      <Button
        size="compact-xs"
        variant="default"
        loading={change.isPending}
        aria-label={`Remove ${formatName(key)} of ${scope}`}
        onClick={() => change.mutate({ key, value: null, scope })}
      >
        Remove
      </Button>
    </li>
  )
}

function ScopeForm() {
  const known = useQuery(limits())
  const [scope, setScope] = useState('')
  const [key, setKey] = useState('max_position_size')
  const [value, setValue] = useState('')
  const change = useChange(() => setValue(''))
  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault()
        change.mutate({ key, value: parseLimit(value), scope: scope.trim() })
      }}
    >
      <TextInput
        label="Scope"
        placeholder="deployment:3 or symbol:AAPL"
        value={scope}
        onChange={(event) => setScope(event.currentTarget.value)}
      />
      <Select
        label="Limit"
        searchable
        value={key}
        data={(known.data?.items ?? []).map((entry) => ({ value: entry.key, label: formatName(entry.key) }))}
        onChange={(next) => setKey(next ?? key)}
      />
      <TextInput
        label="At most"
        placeholder="2 %"
        value={value}
        error={change.error ? sentenceOf(change.error) : undefined}
        onChange={(event) => setValue(event.currentTarget.value)}
      />
      <Group align="end">
        <Button
          type="submit"
          variant="default"
          loading={change.isPending}
          disabled={scope.trim() === '' || value.trim() === ''}
        >
          Tighten
        </Button>
      </Group>
    </form>
  )
}
