/** What can be done about an alert: say that one is on it, say that it is over, with a note. */
import { Button, Group, Stack, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type MouseEvent, useState } from 'react'
import { notifyError } from '@/components/notify'
import type { Alert } from '@/lib/api/types'
import { useMay } from '@/lib/permission'
import { acknowledgeAlert, resolveAlert } from './api'

export function useAlertAct(alert: Alert) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ what, note }: { what: 'acknowledge' | 'resolve'; note: string | null }) =>
      what === 'resolve' ? resolveAlert(alert.id, note) : acknowledgeAlert(alert.id, note),
    onError: notifyError,
    onSettled: () => {
      void client.invalidateQueries({ queryKey: ['alerts'] })
      void client.invalidateQueries({ queryKey: ['health'] })
    },
  })
}

/** In a row of the table: one press. */
export function AlertButtons({ alert }: { alert: Alert }) {
  const mayAct = useMay('trade')
  const act = useAlertAct(alert)
  if (alert.state === 'resolved' || !mayAct) {
    return <span className="faint">{alert.resolved_by ?? alert.acknowledged_by}</span>
  }
  const press = (what: 'acknowledge' | 'resolve') => (event: MouseEvent) => {
    event.stopPropagation()
    act.mutate({ what, note: null })
  }
  return (
    <Group gap={4} wrap="nowrap">
      {alert.state === 'open' && (
        <Button size="compact-xs" variant="default" loading={act.isPending} onClick={press('acknowledge')}>
          Acknowledge
        </Button>
      )}
      <Button size="compact-xs" variant="default" loading={act.isPending} onClick={press('resolve')}>
        Resolve
      </Button>
    </Group>
  )
}

/** In the drawer: with a note for whoever reads it later. */
export function AlertForm({ alert }: { alert: Alert }) {
  const mayAct = useMay('trade')
  const [note, setNote] = useState('')
  const act = useAlertAct(alert)
  if (alert.state === 'resolved' || !mayAct) return null
  const press = (what: 'acknowledge' | 'resolve') => () => act.mutate({ what, note: note.trim() || null })
  return (
    <Stack gap="sm" mt="lg">
      <TextInput
        label="Note"
        description="What you found or did; kept in the audit trail."
        value={note}
        onChange={(event) => setNote(event.currentTarget.value)}
      />
      <Group>
        {alert.state === 'open' && (
          <Button size="sm" loading={act.isPending} onClick={press('acknowledge')}>
            I am on it
          </Button>
        )}
        <Button size="sm" variant="default" loading={act.isPending} onClick={press('resolve')}>
          It is over
        </Button>
      </Group>
    </Stack>
  )
}
