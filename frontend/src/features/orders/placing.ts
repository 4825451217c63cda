/** Sending an order once: a ticket has one key until it is rewritten or answered. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { notifyDone, notifyWarning } from '@/components/notify'
import { newIdempotencyKey } from '@/lib/api/client'
import { ApiError } from '@/lib/api/errors'
import { placeOrder } from '@/lib/api/orders'
import type { Command, OrderWish } from '@/lib/api/types'

/** Whether the server is certain to have heard us and said no: asking again is a new attempt. */
const isAnswer = (error: Error): boolean => error instanceof ApiError && error.status === 422

export function usePlacing(onPlaced: (clientOrderId: string) => void) {
  const client = useQueryClient()
  const key = useRef(newIdempotencyKey())
  const isBusy = useRef(false)
  const [outcome, setOutcome] = useState<Command | null>(null)
  const renew = () => {
    key.current = newIdempotencyKey()
  }
  const mutation = useMutation({
    mutationFn: (wish: OrderWish) => placeOrder(wish, key.current),
    onSuccess: (command, wish) => {
      setOutcome(command)
      void client.invalidateQueries()
      if (command.client_order_id) {
        const verb = wish.side === 'buy' ? 'Buying' : 'Selling'
        notifyDone(`${verb} ${String(wish.quantity)} ${wish.symbol}.`, 'Order approved')
        onPlaced(command.client_order_id)
      } else if (command.state === 'pending') {
        notifyWarning(
          'The engine has not answered yet; the order shows up in the table when it does.',
          'Still waiting',
        )
      } else {
        renew()
      }
    },
    onError: (error) => {
      if (isAnswer(error)) renew()
    },
    onSettled: () => {
      isBusy.current = false
    },
  })
  return {
    error: mutation.error,
    isPending: mutation.isPending,
    /** An order came of it, or may still: the ticket has done its work. */
    isDone: outcome?.client_order_id != null || outcome?.state === 'pending',
    denial: outcome?.denial ?? null,
    place: (wish: OrderWish) => {
      // A burst of presses comes before the button is drawn as busy.
      if (isBusy.current) return
      isBusy.current = true
      setOutcome(null)
      mutation.mutate(wish)
    },
    rewritten: () => {
      if (isBusy.current) return
      renew()
      setOutcome(null)
    },
  }
}
