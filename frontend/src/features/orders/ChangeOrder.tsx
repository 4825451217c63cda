/** Other prices or another quantity of an open order; denied, it stays as it is. */
import { Alert, Button, Group, NumberInput, SimpleGrid, Stack } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { notifyDone } from '@/components/notify'
import { fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import { changeOrder, orders } from '@/lib/api/orders'
import type { Order, OrderChange } from '@/lib/api/types'
import { DenialCard } from './DenialCard'
import { asChangeDraft, changeable, toChange } from './draft'

const LABELS = {
  quantity: 'Quantity, filled and not',
  limit_price: 'Limit price',
  stop_price: 'Stop price',
  trail: 'Trail by',
} as const

export function ChangeOrder({ order, onDone }: { order: Order; onDone: () => void }) {
  const client = useQueryClient()
  const [draft, setDraft] = useState(asChangeDraft(order))
  const send = useMutation({
    mutationFn: (change: OrderChange) => changeOrder(order.client_order_id, change),
    onSuccess: (command) => {
      void client.invalidateQueries({ queryKey: orders.all })
      if (command.state === 'failed') return
      notifyDone(`The broker was asked to change ${order.symbol}.`, 'Change requested')
      onDone()
    },
  })
  const change = toChange(draft, order)
  const fields = fieldErrorsOf(send.error)
  const refused = send.data?.state === 'failed' ? send.data : null
  return (
    <Stack gap="sm" mt="md">
      <SimpleGrid cols={2}>
        {changeable(order).map((name) => (
          <NumberInput
            key={name}
            label={LABELS[name]}
            min={0}
            value={draft[name]}
            onChange={(next) => setDraft({ ...draft, [name]: next })}
            error={fields[name]}
          />
        ))}
      </SimpleGrid>
      {refused?.denial && (
        <DenialCard
          denial={{
            rule: refused.denial.code,
            passed: false,
            value: refused.denial.value,
            limit: refused.denial.limit,
          }}
          detail={refused.denial.detail}
        />
      )}
      {refused && !refused.denial && <Alert color="red">{String(refused.result?.detail)}</Alert>}
      {send.error !== null && Object.keys(fields).length === 0 && (
        <Alert color="red">{sentenceOf(send.error)}</Alert>
      )}
      <Group>
        <Button
          disabled={change === null}
          loading={send.isPending}
          onClick={() => change && send.mutate(change)}
        >
          Ask for the change
        </Button>
        <Button variant="subtle" onClick={onDone}>
          Leave it
        </Button>
      </Group>
    </Stack>
  )
}
