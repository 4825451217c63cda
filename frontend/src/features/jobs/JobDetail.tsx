/** One job: its times, the buttons, and every run that is kept. */
import { Button, Group } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Badge } from '@/components/Badge'
import { Facts } from '@/components/Facts'
import { Row, Rows } from '@/components/Rows'
import { Empty, Failed, Loading } from '@/components/States'
import { Instant, TimeAgo } from '@/components/Time'
import { notifyDone, notifyError } from '@/components/notify'
import { formatDuration, plural } from '@/lib/format'
import { useMay } from '@/lib/permission'
import { RunProgress } from './RunProgress'
import { type Job, type JobRun, jobs, pauseJob, resumeJob, runJob } from './api'
import { dueWords } from './due'
import { MISSED_WORDS, STATUS_WORDS, summaryOf } from './words'

export function JobDetail({ job }: { job: Job }) {
  const isAdmin = useMay('admin')
  return (
    <>
      <p className="dim">{job.title}.</p>
      <Facts
        facts={[
          [
            'Due',
            <span key="due" title={job.schedule ?? undefined}>
              {dueWords(job.schedule)}
            </span>,
          ],
          ['Next', job.is_paused ? 'paused' : <TimeAgo key="next" at={job.next_at} />],
          ['If times were missed', MISSED_WORDS[job.missed]],
          ['Tries of one run', String(job.attempts)],
          ['Last succeeded', job.succeeded_at ? <TimeAgo key="done" at={job.succeeded_at} /> : 'never'],
          job.is_paused && [
            'Paused',
            <span key="paused">
              by {job.paused_by} <TimeAgo at={job.paused_at} />
            </span>,
          ],
        ]}
      />
      {isAdmin && <JobButtons job={job} />}
      <h3 style={{ margin: '20px 0 0', fontSize: 13 }}>Runs</h3>
      <Runs name={job.name} />
    </>
  )
}

function JobButtons({ job }: { job: Job }) {
  const client = useQueryClient()
  const settle = {
    onError: notifyError,
    onSettled: () => void client.invalidateQueries({ queryKey: jobs.all }),
  }
  const run = useMutation({
    mutationFn: runJob,
    onSuccess: () => notifyDone('A worker begins it; its row says what becomes of it.', 'Asked for'),
    ...settle,
  })
  const pause = useMutation({ mutationFn: job.is_paused ? resumeJob : pauseJob, ...settle })
  return (
    <Group mt="lg">
      <Button size="sm" loading={run.isPending} onClick={() => run.mutate(job.name)}>
        Run it now
      </Button>
      {job.schedule && (
        <Button size="sm" variant="default" loading={pause.isPending} onClick={() => pause.mutate(job.name)}>
          {job.is_paused ? 'Resume' : 'Pause'}
        </Button>
      )}
    </Group>
  )
}

function Runs({ name }: { name: string }) {
  const { data, error, refetch } = useQuery(jobs.runs(name))
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={4} />
  if (data.items.length === 0) return <Empty title="It never ran yet" />
  return (
    <Rows label="Runs">
      {data.items.map((run) => (
        <Run key={run.id} run={run} />
      ))}
    </Rows>
  )
}

function Run({ run }: { run: JobRun }) {
  const { label, tone } = STATUS_WORDS[run.status]
  return (
    <Row
      note={
        <>
          {run.trigger === 'person' ? `asked for by ${run.requested_by ?? 'a person'}` : 'on its schedule'}
          {run.seconds !== null && run.seconds !== undefined && `, took ${formatDuration(run.seconds)}`}
          {run.attempt > 1 && `, ${plural(run.attempt, 'try', 'tries')}`}
          {run.missed > 0 && `, ${plural(run.missed, 'due time')} before it missed`}
          {run.worker && `, on ${run.worker}`}
          <span style={{ display: 'block', overflowWrap: 'anywhere' }}>{summaryOf(run)}</span>
        </>
      }
    >
      <Instant at={run.scheduled_for} /> <Badge tone={tone}>{label}</Badge>
      <RunProgress run={run} />
    </Row>
  )
}
