/** One person: name, role, accounts, and whether they may sign in at all. */
import { Button, Group, Stack, Switch, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Facts } from '@/components/Facts'
import { Instant } from '@/components/Time'
import { notifyDone } from '@/components/notify'
import { auth } from '@/lib/api/auth'
import { fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import type { User } from '@/lib/api/types'
import { UserFields } from './UserFields'
import { changeUser, users } from './api'
import { changesOf } from './roles'

export function EditUser({ user, onDone }: { user: User; onDone: () => void }) {
  const client = useQueryClient()
  const { data: me } = useQuery(auth.me())
  const before = {
    name: user.name ?? '',
    role: user.role,
    account_ids: user.account_ids ?? [],
    is_active: user.is_active,
  }
  const [after, setAfter] = useState(before)
  const wanted = changesOf(before, after)
  const change = useMutation({
    mutationFn: () => changeUser({ id: user.id, ...wanted }),
    onSuccess: () => {
      notifyDone(`${user.email} was changed.`, 'Saved')
      void client.invalidateQueries({ queryKey: users.all })
      void client.invalidateQueries({ queryKey: ['auth'] })
      onDone()
    },
  })
  const errors = fieldErrorsOf(change.error)
  const isOneself = me?.user_id === user.id
  return (
    <Stack gap="md">
      <Facts
        facts={[
          ['Since', <Instant key="since" at={user.created_at} />],
          [
            'Last signed in',
            user.last_sign_in_at ? <Instant key="last" at={user.last_sign_in_at} /> : 'Never',
          ],
        ]}
      />
      <TextInput
        label="Name"
        value={after.name}
        onChange={(event) => setAfter({ ...after, name: event.currentTarget.value })}
        error={errors.name}
      />
      <UserFields rights={after} onChange={(part) => setAfter({ ...after, ...part })} errors={errors} />
      <Switch
        size="md"
        label="May sign in"
        description={
          isOneself
            ? 'You cannot shut yourself out here.'
            : 'Off: every session and key of this person ends at once. Deployments go on.'
        }
        disabled={isOneself}
        checked={after.is_active}
        onChange={(event) => setAfter({ ...after, is_active: event.currentTarget.checked })}
      />
      {change.error && Object.keys(errors).length === 0 && (
        <Text size="sm" c="var(--tw-error)" role="alert">
          {sentenceOf(change.error)}
        </Text>
      )}
      <Group>
        <Button
          size="sm"
          loading={change.isPending}
          disabled={Object.keys(wanted).length === 0}
          onClick={() => change.mutate()}
        >
          Save
        </Button>
      </Group>
    </Stack>
  )
}
