/** The dialog that makes an API key: a name, what it may do, for how long; the key is shown once. */
import {
  Button,
  Checkbox,
  Group,
  Modal,
  NumberInput,
  Select,
  Stack,
  TagsInput,
  Text,
  TextInput,
} from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { type SubmitEvent, useState } from 'react'
import { Secret } from '@/components/Secret'
import { fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import { type Scope, createApiKey } from './api'
import { LIFETIMES, endOf } from './key-state'

const SCOPES: readonly { value: Scope; label: string }[] = [
  { value: 'read', label: 'Read everything' },
  { value: 'trade', label: 'Trade: deployments, orders, emergency stop' },
  { value: 'data', label: 'Data: imports' },
  { value: 'admin', label: 'Administer: settings, users' },
]

export function NewApiKey({ onClose, onCreated }: { onClose: () => void; onCreated: () => void }) {
  const create = useMutation({ mutationFn: createApiKey, onSuccess: onCreated })
  if (!create.data) return <KeyForm create={create} onClose={onClose} />
  return (
    <Modal opened onClose={onClose} title="Your new API key" closeOnClickOutside={false}>
      <Secret label="API key" value={create.data.key} says="Copy it now: it cannot be shown again." />
    </Modal>
  )
}

type Create = ReturnType<typeof useMutation<{ key: string }, Error, Parameters<typeof createApiKey>[0]>>

function KeyForm({
  create,
  onClose,
}: {
  create: Pick<Create, 'mutate' | 'error' | 'isPending'>
  onClose: () => void
}) {
  const [name, setName] = useState('')
  const [scopes, setScopes] = useState<string[]>(['read'])
  const [lifetime, setLifetime] = useState<string>('90')
  const [addresses, setAddresses] = useState<string[]>([])
  const [cap, setCap] = useState<string | number>('')
  const fields = fieldErrorsOf(create.error)
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    create.mutate({
      name,
      scopes: scopes as Scope[],
      expires_at: endOf(lifetime, Date.now()),
      addresses,
      notional_cap: cap === '' ? null : String(cap),
    })
  }
  return (
    <Modal opened onClose={onClose} title="New API key">
      <form onSubmit={submit}>
        <Stack gap="md">
          <TextInput
            label="Name"
            description="What will use it"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={fields.name}
            data-autofocus
          />
          <Checkbox.Group label="It may" value={scopes} onChange={setScopes} error={fields.scopes}>
            <Stack gap={6} mt={6}>
              {SCOPES.map(({ value, label }) => (
                <Checkbox key={value} value={value} label={label} />
              ))}
            </Stack>
          </Checkbox.Group>
          <Select
            label="It works for"
            data={LIFETIMES}
            value={lifetime}
            allowDeselect={false}
            onChange={(next) => setLifetime(next ?? lifetime)}
            error={fields.expires_at}
          />
          <TagsInput
            label="It may come from"
            description="Addresses or networks, Enter after each; none: from anywhere."
            placeholder={addresses.length === 0 ? '10.0.0.0/8' : undefined}
            size="sm"
            value={addresses}
            onChange={setAddresses}
            error={fields.addresses}
          />
          {scopes.includes('trade') && (
            <NumberInput
              label="Largest value of one order"
              description="Empty: no limit of its own. With one it may send orders only, and deploys nothing."
              min={0}
              thousandSeparator=" "
              value={cap}
              onChange={setCap}
              error={fields.notional_cap}
            />
          )}
          {create.error && Object.keys(fields).length === 0 && (
            <Text size="sm" c="var(--tw-error)" role="alert">
              {sentenceOf(create.error)}
            </Text>
          )}
          <Group>
            <Button
              type="submit"
              size="sm"
              loading={create.isPending}
              disabled={scopes.length === 0 || name.trim() === ''}
            >
              Make the key
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
