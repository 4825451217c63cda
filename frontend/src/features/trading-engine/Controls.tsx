/** Stop, flatten, reduce, resume: each held or confirmed with a reason, each answered with what it did. */
import { Button, Modal, Stack, Text, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type SubmitEvent, useState } from 'react'
import { notifyCritical, notifyDone, notifyError } from '@/components/notify'
import type { ControlOutcome, TradingState, TradingStateNow } from '@/lib/api/types'
import styles from './TradingEngineStatus.module.css'
import { emergencyStop, reduceTrading, resumeTrading } from './api'

interface Control {
  title: string
  says: string
  button: string
  color?: string
  run: (reason: string) => Promise<ControlOutcome>
  from: readonly TradingState[]
}

const CONTROLS: readonly Control[] = [
  {
    title: 'Reduce only',
    says: 'Every account may only cancel and move positions toward zero. Nothing is closed by itself.',
    button: 'Reduce only',
    color: 'yellow',
    run: reduceTrading,
    from: ['active'],
  },
  {
    title: 'Stop and close everything',
    says: 'Every account stops, cancels all orders, and closes every position at the market. Losses become final.',
    button: 'Stop and close all positions',
    color: 'red',
    run: (reason) => emergencyStop(reason, true),
    from: ['active', 'reducing', 'halted'],
  },
  {
    title: 'Resume trading',
    says: 'Strategies may send orders again at once, on every account.',
    button: 'Resume trading',
    run: (reason) => resumeTrading(reason),
    from: ['reducing', 'halted'],
  },
]

export function Controls({ trading }: { trading: TradingStateNow }) {
  const [open, setOpen] = useState<Control | null>(null)
  return (
    <div className={styles.buttons}>
      {CONTROLS.filter(({ from }) => from.includes(trading.state)).map((control) => (
        <Button
          key={control.title}
          variant={control.color ? 'outline' : 'filled'}
          color={control.color === 'red' ? 'red' : undefined}
          onClick={() => setOpen(control)}
        >
          {control.title}…
        </Button>
      ))}
      <Text size="xs" c="dimmed">
        The emergency stop is at the top right, and Shift+Esc held for a second.
      </Text>
      {open && <ConfirmControl control={open} onClose={() => setOpen(null)} />}
    </div>
  )
}

function ConfirmControl({ control, onClose }: { control: Control; onClose: () => void }) {
  const client = useQueryClient()
  const act = useMutation({
    mutationFn: control.run,
    onSuccess: (outcome) => {
      onClose()
      if (outcome.unconfirmed.length === 0) notifyDone('Confirmed by every engine.', control.title)
      else notifyCritical(`Account ${outcome.unconfirmed.join(', ')} has not confirmed yet.`, control.title)
    },
    onError: notifyError,
    onSettled: () => void client.invalidateQueries(),
  })
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    const reason = new FormData(event.currentTarget).get('reason')
    act.mutate(typeof reason === 'string' ? reason : '')
  }
  return (
    <Modal opened onClose={onClose} title={control.title}>
      <form onSubmit={submit}>
        <Stack gap="md">
          <Text size="sm">{control.says}</Text>
          <TextInput
            name="reason"
            label="Reason"
            description="Kept in the audit trail."
            required
            data-autofocus
          />
          <Button
            type="submit"
            size="sm"
            color={control.color === 'red' ? 'red' : undefined}
            loading={act.isPending}
          >
            {control.button}
          </Button>
        </Stack>
      </form>
    </Modal>
  )
}
