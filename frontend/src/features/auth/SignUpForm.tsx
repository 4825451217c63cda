/** The first person: the console's token, an e-mail, a good password. */
import { Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { type SubmitEvent, useState } from 'react'
import { signUp } from '@/lib/api/auth'
import { fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import type { Me } from '@/lib/api/types'
import styles from './AuthCard.module.css'
import { readText } from './read-text'

const LEAST_LETTERS = 12

interface SignUpFormProps {
  token: string | null
  onDone: (me: Me) => void
}

export function SignUpForm({ token, onDone }: SignUpFormProps) {
  const [password, setPassword] = useState('')
  const attempt = useMutation({ mutationFn: signUp, onSuccess: ({ user }) => onDone(user) })
  const fields = fieldErrorsOf(attempt.error)
  const missing = LEAST_LETTERS - password.length
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    attempt.mutate({
      token: token ?? readText(form, 'token'),
      email: readText(form, 'email'),
      name: readText(form, 'name') || null,
      password,
    })
  }
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {token === null && (
          <TextInput
            name="token"
            label="First-run token"
            description="The console printed it when Tradewright started for the first time."
            autoComplete="off"
            required
            withAsterisk={false}
            error={fields.token}
          />
        )}
        <TextInput name="name" label="Name" description="Optional" autoComplete="name" />
        <TextInput
          name="email"
          label="E-mail"
          description="To sign in with; nobody writes to it."
          type="email"
          autoComplete="username"
          required
          withAsterisk={false}
          error={fields.email}
        />
        <PasswordInput
          name="password"
          label="Password"
          description={
            missing > 0 && password !== ''
              ? `${String(missing)} more characters`
              : 'At least 12 characters; a sentence is best.'
          }
          autoComplete="new-password"
          required
          withAsterisk={false}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          error={fields.password}
        />
        {attempt.error !== null &&
          Object.keys(fields).every((field) => !['email', 'password'].includes(field)) && (
            <p className={styles.error} role="alert">
              {sentenceOf(attempt.error)}
            </p>
          )}
        <Button type="submit" size="md" fullWidth loading={attempt.isPending} disabled={missing > 0}>
          Create the first user
        </Button>
      </Stack>
    </form>
  )
}
