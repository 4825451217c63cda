/** Keys for programs: made here, shown once, revoked here. */
import { Button } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconKey } from '@tabler/icons-react'
import { useSyncExternalStore } from 'react'
import { Badge } from '@/components/Badge'
import { ConfirmButton } from '@/components/ConfirmButton'
import { Row, Rows } from '@/components/Rows'
import { Empty, Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { notifyError } from '@/components/notify'
import type { ApiKey } from '@/lib/api/types'
import { formatMoney } from '@/lib/format'
import { getNow, watchNow } from '@/lib/now'
import { NewApiKey } from './NewApiKey'
import { apiKeys, revokeApiKey } from './api'
import { stateOf } from './key-state'

export function ApiKeysPanel() {
  const client = useQueryClient()
  const { data, error, refetch } = useQuery(apiKeys())
  const [isOpen, dialog] = useDisclosure(false)
  const refresh = () => void client.invalidateQueries({ queryKey: apiKeys().queryKey })
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={2} />
  return (
    <>
      {data.items.length === 0 && (
        <Empty title="No API keys" icon={<IconKey size={28} stroke={1.4} />}>
          A key lets a program read, trade or administer in your name.
        </Empty>
      )}
      <Rows label="API keys">
        {data.items.map((key) => (
          <KeyRow key={key.id} item={key} onChange={refresh} />
        ))}
      </Rows>
      <Button mt="sm" onClick={dialog.open}>
        New API key
      </Button>
      {isOpen && <NewApiKey onClose={dialog.close} onCreated={refresh} />}
    </>
  )
}

function KeyRow({ item, onChange }: { item: ApiKey; onChange: () => void }) {
  const now = useSyncExternalStore(watchNow, getNow)
  const revoke = useMutation({ mutationFn: revokeApiKey, onError: notifyError, onSettled: onChange })
  const state = stateOf(item, now)
  return (
    <Row
      note={
        <>
          <span className="mono">tw_{item.id}_…</span> · may {item.scopes.join(', ')} ·{' '}
          {item.last_used_at ? (
            <>
              used <TimeAgo at={item.last_used_at} />
            </>
          ) : (
            'never used'
          )}
          {(item.addresses ?? []).length > 0 && ` · only from ${(item.addresses ?? []).join(', ')}`}
          {item.notional_cap && ` · orders up to ${formatMoney(item.notional_cap)}`}
          {state !== 'revoked' && item.expires_at && (
            <>
              {' '}
              · {state === 'expired' ? 'ended' : 'ends'} <TimeAgo at={item.expires_at} />
            </>
          )}
        </>
      }
      actions={
        state === 'valid' && (
          <ConfirmButton
            question={`Revoke “${item.name}”?`}
            consequence="The program that uses it is refused from its next request on. A revoked key cannot be brought back."
            confirm="Revoke it"
            label={`Revoke ${item.name}`}
            isBusy={revoke.isPending}
            onConfirm={() => revoke.mutate(item.id)}
          >
            Revoke…
          </ConfirmButton>
        )
      }
    >
      {item.name} {state !== 'valid' && <Badge>{state === 'revoked' ? 'Revoked' : 'Ended'}</Badge>}
    </Row>
  )
}
