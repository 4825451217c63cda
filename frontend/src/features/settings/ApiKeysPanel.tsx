/** Keys for programs: made here, shown once, revoked here. */
import { Button, Checkbox, CopyButton, Group, Modal, Stack, Text, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type SubmitEvent, useState } from 'react'
import { Badge } from '@/components/Badge'
import { Empty, Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { notifyError } from '@/components/notify'
import { sentenceOf } from '@/lib/api/errors'
import styles from './Settings.module.css'
import { type Scope, apiKeys, createApiKey, revokeApiKey } from './api'

export function ApiKeysPanel() {
  const client = useQueryClient()
  const { data, error, refetch } = useQuery(apiKeys())
  const [isOpen, dialog] = useDisclosure(false)
  const refresh = () => void client.invalidateQueries({ queryKey: apiKeys().queryKey })
  const revoke = useMutation({ mutationFn: revokeApiKey, onError: notifyError, onSettled: refresh })
  if (error) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={2} />
  return (
    <>
      {data.items.length === 0 && (
        <Empty title="No API keys">A key lets a program read, trade or administer in your name.</Empty>
      )}
      <div className={styles.rows}>
        {data.items.map((key) => (
          <div key={key.id} className={styles.row}>
            <span>
              {key.name} {key.revoked_at && <Badge>Revoked</Badge>}
              <span className={styles.small}>
                tw_{key.id}_… · {key.scopes.join(', ')} ·{' '}
                {key.last_used_at ? (
                  <>
                    used <TimeAgo at={key.last_used_at} />
                  </>
                ) : (
                  'never used'
                )}
              </span>
            </span>
            {!key.revoked_at && (
              <Button variant="default" onClick={() => revoke.mutate(key.id)}>
                Revoke
              </Button>
            )}
          </div>
        ))}
      </div>
      <Button mt="sm" onClick={dialog.open}>
        New API key
      </Button>
      {isOpen && <NewKey onClose={dialog.close} onCreated={refresh} />}
    </>
  )
}

const SCOPES: readonly { value: Scope; label: string }[] = [
  { value: 'read', label: 'Read everything' },
  { value: 'trade', label: 'Trade: deployments, orders, emergency stop' },
  { value: 'data', label: 'Data: imports' },
  { value: 'admin', label: 'Administer: settings, users' },
]

function NewKey({ onClose, onCreated }: { onClose: () => void; onCreated: () => void }) {
  const [scopes, setScopes] = useState<string[]>(['read'])
  const create = useMutation({ mutationFn: createApiKey, onSuccess: onCreated })
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    const name = new FormData(event.currentTarget).get('name')
    create.mutate({ name: typeof name === 'string' ? name : '', scopes: scopes as Scope[] })
  }
  if (create.data) {
    const { key } = create.data
    return (
      <Modal opened onClose={onClose} title="Your new API key">
        <Stack gap="md">
          <Text size="sm">Copy it now: it cannot be shown again.</Text>
          <code className={styles.secret}>{key}</code>
          <CopyButton value={key}>
            {({ copied, copy }) => (
              <Button size="sm" onClick={copy}>
                {copied ? 'Copied' : 'Copy'}
              </Button>
            )}
          </CopyButton>
        </Stack>
      </Modal>
    )
  }
  return (
    <Modal opened onClose={onClose} title="New API key">
      <form onSubmit={submit}>
        <Stack gap="md">
          <TextInput
            name="name"
            label="Name"
            description="What will use it"
            required
            withAsterisk={false}
            data-autofocus
          />
          <Checkbox.Group label="It may" value={scopes} onChange={setScopes}>
            <Stack gap={6} mt={6}>
              {SCOPES.map(({ value, label }) => (
                <Checkbox key={value} value={value} label={label} />
              ))}
            </Stack>
          </Checkbox.Group>
          {create.error && (
            <Text size="sm" c="var(--tw-error)" role="alert">
              {sentenceOf(create.error)}
            </Text>
          )}
          <Group>
            <Button type="submit" size="sm" loading={create.isPending} disabled={scopes.length === 0}>
              Make the key
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
