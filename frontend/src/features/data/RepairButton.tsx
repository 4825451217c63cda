/** Ask the providers again about open gaps: only of live series, only for those who may change data. */
import { Button, Tooltip } from '@mantine/core'
import { IconRefresh } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { notifyDone, notifyError } from '@/components/notify'
import { dataQuality, repairGaps } from '@/lib/api/data-quality'
import { useMayChangeData } from './permission'

interface RepairButtonProps {
  wish: Parameters<typeof repairGaps>[0]
  label?: string
}

export function RepairButton({ wish, label = 'Ask the providers again' }: RepairButtonProps) {
  const client = useQueryClient()
  const isAllowed = useMayChangeData()
  const ask = useMutation({
    mutationFn: () => repairGaps(wish),
    onSuccess: ({ detail }) => notifyDone(detail, 'Asked'),
    onError: notifyError,
    onSettled: () => void client.invalidateQueries({ queryKey: dataQuality.all }),
  })
  return (
    <Tooltip label="Your role may only look at data." disabled={isAllowed}>
      <Button
        variant="default"
        leftSection={<IconRefresh size={14} />}
        loading={ask.isPending}
        disabled={!isAllowed}
        onClick={() => ask.mutate()}
      >
        {label}
      </Button>
    </Tooltip>
  )
}
