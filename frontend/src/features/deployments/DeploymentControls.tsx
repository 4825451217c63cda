/** Start, pause, stop: what may be done with a deployment in its state. */
import { Button, Checkbox, Group, Modal, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconPlayerPause, IconPlayerPlay, IconPlayerStop } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { notifyDone, notifyError, notifyWarning } from '@/components/notify'
import { deployments, pauseDeployment, startDeployment, stopDeployment } from '@/lib/api/deployments'
import type { Command, Deployment } from '@/lib/api/types'

interface Wish {
  what: 'start' | 'pause' | 'stop'
  flatten?: boolean
}

const DONE = { start: 'Started', pause: 'Paused', stop: 'Stopped' } as const

function carryOut(id: number, wish: Wish): Promise<Command> {
  if (wish.what === 'start') return startDeployment(id)
  return wish.what === 'pause' ? pauseDeployment(id) : stopDeployment(id, wish.flatten === true)
}

export function DeploymentControls({ deployment }: { deployment: Deployment }) {
  const client = useQueryClient()
  const [isStopping, stopping] = useDisclosure(false)
  const [flatten, setFlatten] = useState(false)
  const act = useMutation({
    mutationFn: (wish: Wish) => carryOut(deployment.id, wish),
    onSuccess: (command, { what }) => {
      stopping.close()
      if (command.state === 'pending') notifyWarning('The engine has not answered yet.', 'Asked')
      else notifyDone(`Deployment ${String(deployment.id)}.`, DONE[what])
    },
    onError: notifyError,
    onSettled: () => void client.invalidateQueries({ queryKey: deployments.all }),
  })
  const { state } = deployment
  const canStart = state === 'created' || state === 'paused'
  const isFinal = state === 'stopped' || state === 'failed'
  return (
    <Group gap={8}>
      {canStart && (
        <Button
          leftSection={<IconPlayerPlay size={14} />}
          loading={act.isPending}
          onClick={() => act.mutate({ what: 'start' })}
        >
          Start
        </Button>
      )}
      {state === 'running' && (
        <Button
          variant="default"
          leftSection={<IconPlayerPause size={14} />}
          loading={act.isPending}
          onClick={() => act.mutate({ what: 'pause' })}
        >
          Pause
        </Button>
      )}
      {!isFinal && (
        <Button variant="default" leftSection={<IconPlayerStop size={14} />} onClick={stopping.open}>
          Stop…
        </Button>
      )}
      <Modal opened={isStopping} onClose={stopping.close} title="Stop this deployment">
        <Stack gap="md">
          <Text size="sm">
            It raises no more signals and cannot be started again. Its orders that add to a position are
            canceled.
          </Text>
          <Checkbox
            label="Also close what it holds"
            description={`${String(deployment.open_positions)} open now. Otherwise positions stay, with their stops.`}
            checked={flatten}
            onChange={(event) => setFlatten(event.currentTarget.checked)}
          />
          <Button
            size="sm"
            color="red"
            loading={act.isPending}
            onClick={() => act.mutate({ what: 'stop', flatten })}
          >
            Stop{flatten ? ' and close positions' : ''}
          </Button>
        </Stack>
      </Modal>
    </Group>
  )
}
