/** Events that a handler gave up on: why, and the way to have them tried again. */
import { Button, Group } from '@mantine/core'
import { IconMailOff } from '@tabler/icons-react'
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import { PriorityBadge } from '@/components/Badge'
import { ConfirmButton } from '@/components/ConfirmButton'
import { Facts } from '@/components/Facts'
import { SideDrawer } from '@/components/SideDrawer'
import { Empty } from '@/components/States'
import { Instant, TimeAgo } from '@/components/Time'
import { notifyDone, notifyError } from '@/components/notify'
import { DataTable } from '@/components/table/DataTable'
import type { Column } from '@/components/table/columns'
import { useRows } from '@/lib/api/pages'
import { formatName, plural } from '@/lib/format'
import { useMay } from '@/lib/permission'
import { type DeadLetter, eventBus, redrive } from './api'
import { eventKeyOf, letterKey } from './letter-key'

const columns: Column<DeadLetter>[] = [
  {
    id: 'died_at',
    header: 'Given up',
    width: 96,
    value: (row) => row.died_at,
    cell: (row) => <TimeAgo at={row.died_at} />,
  },
  {
    id: 'handler',
    header: 'Handler',
    width: 120,
    value: (row) => row.handler,
    cell: (row) => formatName(row.handler),
  },
  {
    id: 'type',
    header: 'Event',
    width: 150,
    value: (row) => row.type,
    cell: (row) => <b>{formatName(row.type)}</b>,
  },
  {
    id: 'priority',
    header: 'Priority',
    width: 80,
    value: (row) => row.priority,
    cell: (row) => <PriorityBadge priority={row.priority} />,
  },
  { id: 'stream', header: 'Stream', width: 90, value: (row) => row.stream },
  { id: 'seq', header: 'Seq', width: 70, align: 'right', value: (row) => row.seq },
  { id: 'attempts', header: 'Tries', width: 60, align: 'right', value: (row) => row.attempts },
  {
    id: 'error',
    header: 'Last error',
    width: 320,
    value: (row) => row.error,
    cell: (row) => <span title={row.error ?? undefined}>{row.error ?? '–'}</span>,
  },
]

interface DeadLettersProps {
  openKey: string | undefined
  onOpen: (key: string | undefined) => void
  onEvent: (key: string) => void
}

function useRedrive(onDone?: () => void) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: redrive,
    onSuccess: ({ redriven }) => {
      notifyDone(
        redriven === 0 ? 'There was none left.' : `${plural(redriven, 'event')} wait to be handled again.`,
        'Sent again',
      )
      onDone?.()
    },
    onError: notifyError,
    onSettled: () => void client.invalidateQueries({ queryKey: eventBus.all }),
  })
}

export function DeadLetters({ openKey, onOpen, onEvent }: DeadLettersProps) {
  const isAdmin = useMay('admin')
  const data = useRows(useInfiniteQuery(eventBus.deadLetters()))
  const all = useRedrive()
  const open = data.rows.find((row) => letterKey(row) === openKey)
  return (
    <>
      <DataTable
        name="dead-letters"
        label="Dead letters"
        columns={columns}
        data={data}
        rowId={letterKey}
        openId={openKey}
        onOpen={(row) => onOpen(letterKey(row))}
        filters={
          isAdmin &&
          data.rows.length > 0 && (
            <ConfirmButton
              size="compact-xs"
              color="teal"
              question="Try all of them again?"
              consequence="Each is handed to its handler as if for the first time. What a handler did already it does not do twice."
              confirm="Try all again"
              isBusy={all.isPending}
              onConfirm={() => all.mutate({})}
            >
              Try all again…
            </ConfirmButton>
          )
        }
        empty={
          <Empty title="No dead letters" icon={<IconMailOff size={28} stroke={1.4} />}>
            An event that a handler cannot take after its last try is kept here, and raises an alert.
          </Empty>
        }
      />
      <SideDrawer
        isOpen={open !== undefined}
        onClose={() => onOpen(undefined)}
        title={<b>Dead letter {open?.seq}</b>}
        size={560}
      >
        {open && <Detail letter={open} onDone={() => onOpen(undefined)} onEvent={onEvent} />}
      </SideDrawer>
    </>
  )
}

interface DetailProps {
  letter: DeadLetter
  onDone: () => void
  onEvent: (key: string) => void
}

function Detail({ letter, onDone, onEvent }: DetailProps) {
  const isAdmin = useMay('admin')
  const again = useRedrive(onDone)
  const { handler, stream, seq } = letter
  return (
    <>
      <p style={{ overflowWrap: 'anywhere' }}>{letter.error ?? 'It left no word of what went wrong.'}</p>
      <Facts
        facts={[
          ['Handler', formatName(handler)],
          ['Event', formatName(letter.type)],
          ['Stream', stream],
          ['Tries', String(letter.attempts)],
          ['Occurred', <Instant key="occurred" at={letter.occurred_at} />],
          ['Given up', <Instant key="died" at={letter.died_at} />],
        ]}
      />
      <Group mt="lg">
        {isAdmin && (
          <Button size="sm" loading={again.isPending} onClick={() => again.mutate({ handler, stream, seq })}>
            Try it again
          </Button>
        )}
        <Button size="sm" variant="default" onClick={() => onEvent(eventKeyOf(letter))}>
          Show the event
        </Button>
      </Group>
    </>
  )
}
