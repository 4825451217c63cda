/** The emergency stop: hold the button, or Shift+Esc, for one second. Says what it did, and shouts when it could not. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { HoldButton } from '@/components/hold/HoldButton'
import { useHold } from '@/components/hold/use-hold'
import { notifyCritical, notifyDone } from '@/components/notify'
import { emergencyStop } from '@/features/trading-engine/api'
import { sentenceOf } from '@/lib/api/errors'
import type { ControlOutcome } from '@/lib/api/types'
import { formatDuration, plural } from '@/lib/format'

const HOLD_MS = 1_000

function report(outcome: ControlOutcome): void {
  const canceled =
    outcome.canceled_orders === null || outcome.canceled_orders === undefined
      ? 'Working orders are being canceled.'
      : `${plural(outcome.canceled_orders, 'working order')} canceled.`
  if (outcome.unconfirmed.length > 0) {
    notifyCritical(
      `The stop is latched, but account ${outcome.unconfirmed.join(', ')} has not confirmed it. ${canceled} Check at the broker.`,
      'Trading halted, not yet confirmed everywhere',
    )
    return
  }
  notifyDone(
    `${canceled} Confirmed in ${formatDuration(outcome.milliseconds / 1000)}. Positions stay as they are.`,
    'Trading halted',
  )
}

export function EmergencyStop({ isHalted }: { isHalted: boolean }) {
  const client = useQueryClient()
  const stop = useMutation({
    mutationFn: () => emergencyStop('emergency stop in the browser'),
    retry: 2,
    onSuccess: report,
    onError: (error) =>
      notifyCritical(
        `${sentenceOf(error)} Hold again, or run “tradewright estop” on the machine.`,
        'The emergency stop was NOT confirmed',
      ),
    onSettled: () => void client.invalidateQueries(),
  })
  const hold = useHold(HOLD_MS, () => stop.mutate())
  const { start, cancel } = hold

  useEffect(() => {
    const down = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && event.shiftKey) {
        event.preventDefault()
        event.stopPropagation()
        start()
      }
    }
    const up = (event: KeyboardEvent) => {
      if (event.key === 'Escape' || event.key === 'Shift') cancel()
    }
    window.addEventListener('keydown', down, true)
    window.addEventListener('keyup', up, true)
    window.addEventListener('blur', cancel)
    return () => {
      window.removeEventListener('keydown', down, true)
      window.removeEventListener('keyup', up, true)
      window.removeEventListener('blur', cancel)
    }
  }, [start, cancel])

  return (
    <HoldButton
      hold={hold}
      label={
        isHalted
          ? 'Emergency stop, already in force: hold to stop again'
          : 'Emergency stop: hold for one second'
      }
      description="Hold for one second, or hold Shift+Esc: every account stops sending orders and cancels what is working"
      isDisabled={stop.isPending}
    >
      STOP
    </HoldButton>
  )
}
