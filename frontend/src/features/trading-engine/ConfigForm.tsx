/** One setting: its meaning, its new value, and why. */
import { Button, NumberInput, Stack, Switch, TagsInput, Text, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { notifyDone } from '@/components/notify'
import { sentenceOf } from '@/lib/api/errors'
import type { ConfigEntry } from '@/lib/api/types'
import { formatName } from '@/lib/format'
import { setConfig, tradingEngine } from './api'
import { boundsOf, kindOf, mayBeOff, showValue, toFraction } from '@/lib/config-value'

type Entry = string | number | boolean | string[] | null

/** What stands in the field at first: percentages for fractions. */
function initial(entry: ConfigEntry): Entry {
  const value = entry.value as Entry
  const kind = kindOf(entry.key, value, entry.value_schema)
  return kind === 'percent' && value !== null ? Number((Number(value) * 100).toFixed(6)) : value
}

export function ConfigForm({ entry, onDone }: { entry: ConfigEntry; onDone: () => void }) {
  const client = useQueryClient()
  const [value, setValue] = useState<Entry>(() => initial(entry))
  const [reason, setReason] = useState('')
  const kind = kindOf(entry.key, entry.value, entry.value_schema)
  const change = useMutation({
    mutationFn: () => {
      const isOff = value === null || value === ''
      const exact = kind === 'percent' && !isOff ? toFraction(String(value)) : isOff ? null : value
      return setConfig(entry.key, exact, reason === '' ? null : reason)
    },
    onSuccess: (saved) => {
      notifyDone(`${formatName(entry.key)} is ${showValue(entry.key, saved.value)} from now on.`, 'Changed')
      void client.invalidateQueries({ queryKey: tradingEngine.config().queryKey })
      onDone()
    },
  })
  const error = change.error ? sentenceOf(change.error) : undefined
  const shared = { label: formatName(entry.key), error, 'data-autofocus': true }
  const hint = [
    boundsOf(entry.key, entry.value_schema),
    mayBeOff(entry.value_schema) && 'Empty switches it off.',
  ]
    .filter(Boolean)
    .join(' ')

  const fields: Record<typeof kind, ReactNode> = {
    flag: (
      <Switch
        {...shared}
        size="md"
        checked={value === true}
        onChange={(event) => setValue(event.currentTarget.checked)}
      />
    ),
    list: <TagsInput {...shared} value={Array.isArray(value) ? value : []} onChange={setValue} />,
    percent: (
      <NumberInput
        {...shared}
        description={hint}
        suffix=" %"
        value={asInput(value)}
        onChange={setValue}
        decimalScale={4}
      />
    ),
    number: <NumberInput {...shared} description={hint} value={asInput(value)} onChange={setValue} />,
    text: (
      <TextInput
        {...shared}
        value={typeof value === 'string' ? value : ''}
        onChange={(event) => setValue(event.currentTarget.value)}
      />
    ),
  }
  return (
    <Stack gap="md">
      <Text size="sm">{entry.description}</Text>
      <Text size="sm" c="dimmed">
        Now {showValue(entry.key, entry.value)}; default {showValue(entry.key, entry.default)}.
      </Text>
      {fields[kind]}
      <TextInput
        label="Reason"
        description="Optional; kept in the audit trail."
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      <Button size="sm" loading={change.isPending} onClick={() => change.mutate()}>
        Change it now
      </Button>
    </Stack>
  )
}

const asInput = (value: Entry): string | number =>
  typeof value === 'string' || typeof value === 'number' ? value : ''
