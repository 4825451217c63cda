/** One setting: its meaning, its new value, and why. */
import { Button, Group, Select, Stack, Switch, TagsInput, Text, TextInput, NumberInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { notifyDone } from '@/components/notify'
import { sentenceOf } from '@/lib/api/errors'
import type { ConfigEntry } from '@/lib/api/types'
import {
  type ValueSchema,
  boundsOf,
  kindOf,
  mayBeOff,
  problemOf,
  showValue,
  titleOf,
  toFraction,
  unitOf,
} from '@/lib/config-value'
import { config, setConfig } from './api'
import { wayBack } from './words'

type Entry = string | number | boolean | string[] | null

/** What stands in the field at first: percentages for fractions. */
function initial(entry: ConfigEntry): Entry {
  const value = entry.value as Entry
  const kind = kindOf(entry.key, value, entry.value_schema)
  return kind === 'percent' && value !== null ? Number((Number(value) * 100).toFixed(6)) : value
}

/** What the API gets: exact text where it keeps decimals, numbers where it keeps numbers. */
function exactOf(entry: ConfigEntry, value: Entry): unknown {
  if (value === null || value === '') return null
  const schema: ValueSchema = entry.value_schema
  const kind = kindOf(entry.key, entry.value, schema)
  if (kind === 'number') return Number(value)
  if (kind !== 'percent') return value
  const fraction = toFraction(String(value))
  return schema.type === 'number' ? Number(fraction) : fraction
}

export function ConfigForm({ entry, onDone }: { entry: ConfigEntry; onDone: () => void }) {
  const client = useQueryClient()
  const [value, setValue] = useState<Entry>(() => initial(entry))
  const [isTouched, setTouched] = useState(false)
  const [reason, setReason] = useState('')
  const change = useMutation({
    mutationFn: (next: unknown) => setConfig({ key: entry.key, value: next, reason: reason || null }),
    onSuccess: (saved) => {
      notifyDone(`${titleOf(entry.key)} is ${showValue(entry.key, saved.value)} from now on.`, 'Changed')
      void client.invalidateQueries({ queryKey: config.all })
      onDone()
    },
  })
  const exact = exactOf(entry, value)
  const problem = problemOf(entry.key, exact, entry.value_schema)
  const back = wayBack(entry)
  const edit = (next: Entry) => {
    change.reset()
    setTouched(true)
    setValue(next)
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        setTouched(true)
        if (problem === undefined) change.mutate(exact)
      }}
    >
      <Stack gap="md">
        <Text size="sm">{entry.description}</Text>
        <ValueField
          entry={entry}
          value={value}
          onChange={edit}
          error={(isTouched ? problem : undefined) ?? (change.error ? sentenceOf(change.error) : undefined)}
        />
        <TextInput
          label="Reason"
          description="Optional; kept in the audit trail."
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        <Group gap="sm">
          <Button type="submit" size="sm" loading={change.isPending}>
            Change it now
          </Button>
          {back && (
            <Button
              size="sm"
              variant="default"
              disabled={change.isPending}
              onClick={() => change.mutate(back.value)}
            >
              Back to {back.label}
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  )
}

interface ValueFieldProps {
  entry: ConfigEntry
  value: Entry
  onChange: (value: Entry) => void
  error: string | undefined
}

/** The field that the setting's schema asks for. */
function ValueField({ entry, value, onChange, error }: ValueFieldProps) {
  const schema: ValueSchema = entry.value_schema
  const kind = kindOf(entry.key, entry.value, schema)
  const unit = unitOf(entry.key)
  const hint = [boundsOf(entry.key, schema), mayBeOff(schema) && 'Empty switches it off.']
    .filter(Boolean)
    .join(' ')
  const shared = { label: titleOf(entry.key), description: hint, error, 'data-autofocus': true }
  const text = typeof value === 'string' || typeof value === 'number' ? value : ''
  const fields: Record<typeof kind, ReactNode> = {
    flag: (
      <Switch
        {...shared}
        size="md"
        checked={value === true}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
    ),
    list: <TagsInput {...shared} value={Array.isArray(value) ? value : []} onChange={onChange} />,
    choice: (
      <Select
        {...shared}
        data={schema.enum ?? []}
        value={String(text)}
        onChange={onChange}
        allowDeselect={false}
      />
    ),
    percent: <NumberInput {...shared} suffix=" %" value={text} onChange={onChange} decimalScale={6} />,
    number: (
      <NumberInput
        {...shared}
        suffix={unit === undefined ? '' : ` ${unit}`}
        value={text}
        onChange={onChange}
      />
    ),
    text: <TextInput {...shared} value={text} onChange={(event) => onChange(event.currentTarget.value)} />,
  }
  return <>{fields[kind]}</>
}
