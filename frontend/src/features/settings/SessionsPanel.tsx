/** Every browser one is signed in with; each, or all others with the tokens of programs, can be ended from here. */
import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Badge } from '@/components/Badge'
import { ConfirmButton } from '@/components/ConfirmButton'
import { Row, Rows } from '@/components/Rows'
import { Failed, Loading } from '@/components/States'
import { TimeAgo } from '@/components/Time'
import { notifyDone, notifyError } from '@/components/notify'
import { describeAgent } from './describe-agent'
import { revokeOtherSessions, revokeSession, sessions } from './api'

export function SessionsPanel() {
  const client = useQueryClient()
  const { data, error, refetch } = useQuery(sessions())
  const settle = {
    onError: notifyError,
    onSettled: () => void client.invalidateQueries({ queryKey: sessions().queryKey }),
  }
  const end = useMutation({ mutationFn: revokeSession, ...settle })
  const endOthers = useMutation({
    mutationFn: revokeOtherSessions,
    onSuccess: () => notifyDone('Only this browser is signed in now.', 'Signed out elsewhere'),
    ...settle,
  })
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />
  if (!data) return <Loading rows={2} />
  return (
    <>
      <Rows label="Sessions">
        {data.items.map((session) => (
          <Row
            key={session.id}
            note={
              <>
                {session.address}, last seen <TimeAgo at={session.last_seen_at} />, ends{' '}
                <TimeAgo at={session.expires_at} />
              </>
            }
            actions={
              !session.is_current && (
                <Button
                  variant="default"
                  loading={end.isPending && end.variables === session.id}
                  onClick={() => end.mutate(session.id)}
                >
                  Sign out there
                </Button>
              )
            }
          >
            <span title={session.user_agent ?? undefined}>{describeAgent(session.user_agent)}</span>{' '}
            {session.is_current && <Badge tone="good">This one</Badge>}
          </Row>
        ))}
      </Rows>
      <p className="dim" style={{ margin: '8px 0', fontSize: 12 }}>
        Programs that signed in with your password hold tokens, which are not listed; they end here too.
      </p>
      <ConfirmButton
        question="Sign out everywhere else?"
        consequence="Every other browser, and every program that signed in with your password, must sign in again. API keys go on working; they are revoked on their own page."
        confirm="Sign out everywhere else"
        isBusy={endOthers.isPending}
        onConfirm={() => endOthers.mutate()}
      >
        Sign out everywhere else…
      </ConfirmButton>
    </>
  )
}
