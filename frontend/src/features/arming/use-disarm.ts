/** One press: no more orders for real money. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { notifyDone, notifyError } from '@/components/notify'
import { disarmAccount } from './api'

export function useDisarm() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: disarmAccount,
    onSuccess: ({ name }) =>
      notifyDone(
        'It sends no more orders, and its open entries are canceled. Stops and positions stay at the broker.',
        `${name} is disarmed and halted`,
      ),
    onError: notifyError,
    onSettled: () => void client.invalidateQueries(),
  })
}
