/** Backups: the last proof first, then every one that is kept, with the buttons to make and to prove. */
import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { IconDatabaseExport } from '@tabler/icons-react'
import { Badge } from '@/components/Badge'
import { Row, Rows } from '@/components/Rows'
import { Empty, Failed, Loading } from '@/components/States'
import { Instant, TimeAgo } from '@/components/Time'
import { notifyDone, notifyError } from '@/components/notify'
import { formatBytes, formatDuration, formatFigure } from '@/lib/format'
import { type Backup, backups, makeBackup, proveBackup } from './api'
import { lastProved, proofWord, wordOf } from './proof'

function useAsk<T>(run: (value: T) => Promise<unknown>) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: run,
    onSuccess: () => notifyDone('A worker begins it; the list shows what becomes of it.', 'Asked for'),
    onError: notifyError,
    onSettled: () => void client.invalidateQueries({ queryKey: backups().queryKey }),
  })
}

export function BackupsPanel() {
  const { data, error, refetch } = useQuery(backups())
  const make = useAsk(makeBackup)
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={4} />
  const proved = lastProved(data.items)
  return (
    <>
      <p style={{ margin: '0 0 8px', fontSize: 13 }}>
        {proved ? (
          <>
            <Badge tone="good">Last verified restore</Badge> <TimeAgo at={proved.verified_at} />
            {proved.restore_seconds !== null && `, in ${formatDuration(proved.restore_seconds)}`}, of the
            backup of <Instant at={proved.started_at} />.
          </>
        ) : (
          <>
            <Badge tone="warning">No proof yet</Badge> No backup was restored with an equal state so far.
          </>
        )}{' '}
        <Link to="/trading-engine" search={{ tab: 'jobs', job: 'backup' }} className="link-button">
          The nightly job
        </Link>
      </p>
      {data.items.length === 0 && (
        <Empty title="No backups yet" icon={<IconDatabaseExport size={28} stroke={1.4} />}>
          One is made every night and proved by restoring it. Make the first one now.
        </Empty>
      )}
      <Rows label="Backups">
        {data.items.map((backup) => (
          <BackupRow key={backup.id} backup={backup} />
        ))}
      </Rows>
      <Button mt="sm" loading={make.isPending} onClick={() => make.mutate(undefined)}>
        Make one now
      </Button>
    </>
  )
}

function BackupRow({ backup }: { backup: Backup }) {
  const prove = useAsk(proveBackup)
  const { label, tone } = wordOf(backup)
  const trouble = backup.error ?? backup.check_error
  return (
    <Row
      note={
        <>
          <span className="mono">{backup.path}</span> · {formatBytes(backup.size_bytes)}
          {backup.rows !== null && ` · ${formatFigure(backup.rows, { decimals: 0 })} rows`}
          {backup.is_encrypted ? ' · encrypted' : ' · not encrypted'}
          {backup.copied_to && ` · copied to ${backup.copied_to}`}
          {backup.verified_at && (
            <>
              {' '}
              · proved <TimeAgo at={backup.verified_at} />
            </>
          )}
          {trouble && (
            <span style={{ display: 'block', color: 'var(--tw-error)' }} role="alert">
              {trouble}
            </span>
          )}
        </>
      }
      actions={
        backup.status === 'finished' && (
          <Button
            variant="default"
            loading={prove.isPending}
            aria-label={`${proofWord(backup)}: backup ${String(backup.id)}`}
            onClick={() => prove.mutate(backup.id)}
          >
            {proofWord(backup)}
          </Button>
        )
      }
    >
      <Instant at={backup.started_at} /> <Badge tone={tone}>{label}</Badge>
    </Row>
  )
}
