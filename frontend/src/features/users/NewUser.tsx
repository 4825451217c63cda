/** Lets another person in: address, a first password to hand over, role and accounts. */
import { Button, Group, Modal, PasswordInput, Stack, Text, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type SubmitEvent, useState } from 'react'
import { notifyDone } from '@/components/notify'
import { fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import { type Rights, UserFields } from './UserFields'
import { addUser, users } from './api'

export function NewUser({ onClose }: { onClose: () => void }) {
  const client = useQueryClient()
  const [email, setEmail] = useState('')
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [rights, setRights] = useState<Rights>({ role: 'viewer', account_ids: [] })
  const add = useMutation({
    mutationFn: addUser,
    onSuccess: (added) => {
      notifyDone(`${added.email} can sign in now.`, 'Added')
      void client.invalidateQueries({ queryKey: users.all })
      onClose()
    },
  })
  const errors = fieldErrorsOf(add.error)
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    add.mutate({ email, password, name: name.trim() || null, ...rights })
  }
  return (
    <Modal opened onClose={onClose} title="New user">
      <form onSubmit={submit}>
        <Stack gap="md">
          <TextInput
            type="email"
            label="E-mail"
            autoComplete="off"
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
            error={errors.email}
            data-autofocus
          />
          <TextInput
            label="Name"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={errors.name}
          />
          <PasswordInput
            label="First password"
            description="At least 12 characters. They change it after signing in."
            autoComplete="new-password"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            error={errors.password}
          />
          <UserFields
            rights={rights}
            onChange={(part) => setRights({ ...rights, ...part })}
            errors={errors}
          />
          {add.error && Object.keys(errors).length === 0 && (
            <Text size="sm" c="var(--tw-error)" role="alert">
              {sentenceOf(add.error)}
            </Text>
          )}
          <Group>
            <Button
              type="submit"
              size="sm"
              loading={add.isPending}
              disabled={email.trim() === '' || password.length < 12}
            >
              Add the user
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
