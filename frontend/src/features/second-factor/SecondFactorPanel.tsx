/** Two-factor sign-in: whether it is on, turning it on step by step, turning it off. */
import { Button, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Badge } from '@/components/Badge'
import { ConfirmButton } from '@/components/ConfirmButton'
import { Loading } from '@/components/States'
import { notifyDone, notifyError } from '@/components/notify'
import { auth } from '@/lib/api/auth'
import { plural } from '@/lib/format'
import { RecoveryCodes } from './RecoveryCodes'
import { Setup } from './Setup'
import { proposeSecret, turnOff } from './api'

const FEW_CODES = 3

export function SecondFactorPanel() {
  const client = useQueryClient()
  const { data: me } = useQuery(auth.me())
  const [codes, setCodes] = useState<string[] | null>(null)
  const refresh = () => void client.invalidateQueries({ queryKey: ['auth', 'me'] })
  const propose = useMutation({ mutationFn: proposeSecret, onError: notifyError })
  const off = useMutation({
    mutationFn: turnOff,
    onSuccess: () => notifyDone('The password alone signs you in from now on.', 'Two-factor sign-in is off'),
    onError: notifyError,
    onSettled: refresh,
  })
  if (!me) return <Loading rows={2} />
  if (codes) return <RecoveryCodes codes={codes} onDone={() => setCodes(null)} />
  if (propose.data) {
    return (
      <Setup
        proposal={propose.data}
        onConfirmed={(made) => {
          setCodes(made)
          propose.reset()
          refresh()
        }}
        onLeave={() => propose.reset()}
      />
    )
  }
  const left = me.recovery_codes_left
  return (
    <>
      <Text size="sm" mb="sm">
        {me.has_second_factor ? <Badge tone="good">On</Badge> : <Badge>Off</Badge>}{' '}
        {me.has_second_factor ? (
          <>
            A code of your authenticator app is asked for beside the password. {plural(left, 'recovery code')}{' '}
            left{left <= FEW_CODES ? ': turn it off and on again for new ones' : ''}.
          </>
        ) : (
          'Somebody who learns your password can sign in as you. A code from your phone prevents that.'
        )}
      </Text>
      {me.has_second_factor ? (
        <ConfirmButton
          question="Turn two-factor sign-in off?"
          consequence="Whoever knows your password can sign in as you again. The recovery codes stop working."
          confirm="Turn it off"
          isBusy={off.isPending}
          onConfirm={() => off.mutate()}
        >
          Turn off…
        </ConfirmButton>
      ) : (
        <Button loading={propose.isPending} onClick={() => propose.mutate()}>
          Turn on
        </Button>
      )}
    </>
  )
}
