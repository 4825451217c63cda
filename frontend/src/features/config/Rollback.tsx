/** Takes one change of a setting back; asks first, and for admins only. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { ConfirmButton } from '@/components/ConfirmButton'
import { notifyDone, notifyError } from '@/components/notify'
import type { ConfigChange } from '@/lib/api/types'
import { showValue, titleOf } from '@/lib/config-value'
import { useMay } from '@/lib/permission'
import { config, rollbackConfig } from './api'

export function Rollback({ change }: { change: ConfigChange }) {
  const client = useQueryClient()
  const isAdmin = useMay('admin')
  const name = titleOf(change.key)
  const where = change.scope === 'all' ? '' : ` of ${change.scope}`
  const back = useMutation({
    mutationFn: () => rollbackConfig({ id: change.id, reason: null }),
    onSuccess: (saved) =>
      notifyDone(`${name}${where} is ${showValue(saved.key, saved.value)} from now on.`, 'Taken back'),
    onError: notifyError,
    onSettled: () => void client.invalidateQueries({ queryKey: config.all }),
  })
  if (!isAdmin) return null
  return (
    <ConfirmButton
      size="compact-xs"
      color="teal"
      question="Take this change back?"
      consequence={`${name}${where} becomes ${showValue(change.key, change.before)} again, at once, wherever it counts. That is itself a change with its place in the history.`}
      confirm="Take it back"
      label={`Take back the change of ${name} by ${change.actor}`}
      isBusy={back.isPending}
      onConfirm={() => back.mutate()}
    >
      Take back…
    </ConfirmButton>
  )
}
