/** Where alerts are sent to: each with a test that says why it did not arrive. */
import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconBell } from '@tabler/icons-react'
import { useState } from 'react'
import { Badge } from '@/components/Badge'
import { ConfirmButton } from '@/components/ConfirmButton'
import { Row, Rows } from '@/components/Rows'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty, Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { notifyError } from '@/components/notify'
import { formatDuration } from '@/lib/format'
import { ChannelForm } from './ChannelForm'
import { type Channel, channels, removeChannel, testChannel } from './api'
import { hearsOf } from './draft'

export function ChannelsPanel() {
  const { data, error, refetch } = useQuery(channels())
  const [open, setOpen] = useState<Channel | 'new' | null>(null)
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={3} />
  const close = () => setOpen(null)
  return (
    <>
      {data.items.length === 0 && (
        <Empty title="Nobody is told" icon={<IconBell size={28} stroke={1.4} />}>
          Alerts stand on the engine page only. Add a channel, so that somebody learns of them at night.
        </Empty>
      )}
      <Rows label="Channels">
        {data.items.map((channel) => (
          <ChannelRow key={channel.id} channel={channel} onOpen={() => setOpen(channel)} />
        ))}
      </Rows>
      <Button mt="sm" onClick={() => setOpen('new')}>
        New channel
      </Button>
      <SideDrawer
        isOpen={open !== null}
        onClose={close}
        title={<b>{open === 'new' ? 'New channel' : open?.name}</b>}
        size={460}
        hasOwnFocus={open === 'new'}
      >
        {open !== null && <ChannelForm channel={open === 'new' ? null : open} onDone={close} />}
      </SideDrawer>
    </>
  )
}

function ChannelRow({ channel, onOpen }: { channel: Channel; onOpen: () => void }) {
  const client = useQueryClient()
  const refresh = () => void client.invalidateQueries({ queryKey: channels().queryKey })
  const test = useMutation({ mutationFn: testChannel, onError: notifyError, onSettled: refresh })
  const remove = useMutation({ mutationFn: removeChannel, onError: notifyError, onSettled: refresh })
  return (
    <Row
      note={
        <>
          {channel.service} at {channel.hint} · {hearsOf(channel)} ·{' '}
          {channel.last_delivered_at ? (
            <>
              last told <TimeAgo at={channel.last_delivered_at} />
            </>
          ) : (
            'never told anything yet'
          )}
          {test.data && (
            <span role="status" style={{ display: 'block', marginTop: 4 }}>
              <Badge tone={test.data.is_delivered ? 'good' : 'error'}>
                {test.data.is_delivered ? 'It went out' : 'It did not go out'}
              </Badge>{' '}
              {test.data.detail} ({formatDuration(test.data.milliseconds / 1000)})
            </span>
          )}
        </>
      }
      actions={
        <>
          <Button
            variant="default"
            loading={test.isPending}
            aria-label={`Test ${channel.name}`}
            onClick={() => test.mutate(channel.id)}
          >
            Test
          </Button>
          <Button variant="default" aria-label={`Change ${channel.name}`} onClick={onOpen}>
            Change…
          </Button>
          <ConfirmButton
            question={`Remove “${channel.name}”?`}
            consequence="Nothing is sent to it any more. What was delivered stays on record."
            confirm="Remove it"
            label={`Remove ${channel.name}`}
            isBusy={remove.isPending}
            onConfirm={() => remove.mutate(channel.id)}
          >
            Remove…
          </ConfirmButton>
        </>
      }
    >
      <b>{channel.name}</b> {!channel.is_enabled && <Badge tone="warning">Off</Badge>}
    </Row>
  )
}
