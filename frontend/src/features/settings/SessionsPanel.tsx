/** Every browser one is signed in with; each can be ended from here. */
import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Badge } from '@/components/Badge'
import { Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { notifyError } from '@/components/notify'
import styles from './Settings.module.css'
import { describeAgent } from './describe-agent'
import { revokeSession, sessions } from './api'

export function SessionsPanel() {
  const client = useQueryClient()
  const { data, error, refetch } = useQuery(sessions())
  const end = useMutation({
    mutationFn: revokeSession,
    onError: notifyError,
    onSettled: () => void client.invalidateQueries({ queryKey: sessions().queryKey }),
  })
  if (error) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={2} />
  return (
    <div className={styles.rows}>
      {data.items.map((session) => (
        <div key={session.id} className={styles.row}>
          <span>
            <span title={session.user_agent ?? undefined}>{describeAgent(session.user_agent)}</span>{' '}
            {session.is_current && <Badge tone="good">This one</Badge>}
            <span className={styles.small}>
              {session.address}, last seen <TimeAgo at={session.last_seen_at} />
            </span>
          </span>
          {!session.is_current && (
            <Button variant="default" onClick={() => end.mutate(session.id)}>
              Sign out there
            </Button>
          )}
        </div>
      ))}
    </div>
  )
}
