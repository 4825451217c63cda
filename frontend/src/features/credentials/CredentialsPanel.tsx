/** Keys of vendors: where each comes from; set or forgotten here, never shown. */
import { Button, Group, Modal, PasswordInput, Stack, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type SubmitEvent, useState } from 'react'
import { Badge } from '@/components/Badge'
import { ConfirmButton } from '@/components/ConfirmButton'
import { Row, Rows } from '@/components/Rows'
import { Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { notifyDone, notifyError } from '@/components/notify'
import { fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import { formatName } from '@/lib/format'
import { type Credential, credentials, removeCredential, setCredential } from './api'

export function CredentialsPanel() {
  const { data, error, refetch } = useQuery(credentials())
  const [open, setOpen] = useState<string>()
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={4} />
  return (
    <>
      <p className="dim" style={{ margin: '0 0 4px', fontSize: 13 }}>
        Sealed in the database and never shown again. What the environment gives goes before what is kept
        here.
      </p>
      <Rows label="Keys of vendors">
        {data.items.map((item) => (
          <CredentialRow key={item.name} item={item} onSet={() => setOpen(item.name)} />
        ))}
      </Rows>
      {open !== undefined && <SetCredential name={open} onClose={() => setOpen(undefined)} />}
    </>
  )
}

function useRefresh() {
  const client = useQueryClient()
  return () => void client.invalidateQueries({ queryKey: credentials().queryKey })
}

/** Whose name is not its code with a capital letter. */
const VENDORS: Record<string, string> = { ibkr: 'Interactive Brokers', twelve_data: 'Twelve Data' }

function CredentialRow({ item, onSet }: { item: Credential; onSet: () => void }) {
  const refresh = useRefresh()
  const remove = useMutation({ mutationFn: removeCredential, onError: notifyError, onSettled: refresh })
  return (
    <Row
      note={
        <>
          {VENDORS[item.provider] ?? formatName(item.provider)}
          {item.is_stored && (
            <>
              {' '}
              · kept here since <TimeAgo at={item.updated_at} />
              {item.source === 'environment' && ', but the environment’s is used'}
            </>
          )}
        </>
      }
      actions={
        <>
          <Button
            variant="default"
            onClick={onSet}
            aria-label={`${item.is_stored ? 'Replace' : 'Set'} ${item.name}`}
          >
            {item.is_stored ? 'Replace…' : 'Set…'}
          </Button>
          {item.is_stored && (
            <ConfirmButton
              question={`Forget ${item.name}?`}
              consequence="Whatever uses it stops working when it next connects, unless the environment has one."
              confirm="Forget it"
              label={`Forget ${item.name}`}
              isBusy={remove.isPending}
              onConfirm={() => remove.mutate(item.name)}
            >
              Forget…
            </ConfirmButton>
          )}
        </>
      }
    >
      <span className="mono">{item.name}</span> <Source source={item.source} />
    </Row>
  )
}

function Source({ source }: { source: Credential['source'] }) {
  if (source === 'environment') return <Badge tone="info">From the environment</Badge>
  return source === 'stored' ? <Badge tone="good">Kept here</Badge> : <Badge>Not set</Badge>
}

function SetCredential({ name, onClose }: { name: string; onClose: () => void }) {
  const refresh = useRefresh()
  const [value, setValue] = useState('')
  const set = useMutation({
    mutationFn: setCredential,
    onSuccess: () => {
      notifyDone('Accounts take it up within seconds, or when they next connect.', `${name} is kept`)
      refresh()
      onClose()
    },
  })
  const fields = fieldErrorsOf(set.error)
  const general = set.error && Object.keys(fields).length === 0 ? sentenceOf(set.error) : undefined
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    set.mutate({ name, value })
  }
  return (
    <Modal opened onClose={onClose} title={`Set ${name}`}>
      <form onSubmit={submit}>
        <Stack gap="md">
          <Text size="sm">It is sealed before it is stored, and nobody can read it here afterwards.</Text>
          <PasswordInput
            label="Value"
            autoComplete="off"
            value={value}
            onChange={(event) => setValue(event.currentTarget.value)}
            error={fields.value ?? general}
            data-autofocus
          />
          <Group>
            <Button type="submit" size="sm" loading={set.isPending} disabled={value === ''}>
              Keep it
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
