/** E-mail and password, and a code where a second factor is on; errors stand where they belong. */
import { Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { type SubmitEvent, useState } from 'react'
import { CodeInput } from '@/components/CodeInput'
import { CODE_NEEDED, signIn } from '@/lib/api/auth'
import { ApiError, fieldErrorsOf, sentenceOf } from '@/lib/api/errors'
import type { Me } from '@/lib/api/types'
import styles from './AuthCard.module.css'
import { readText } from './read-text'

export function SignInForm({ onDone }: { onDone: (me: Me) => void }) {
  const attempt = useMutation({ mutationFn: signIn, onSuccess: ({ user }) => onDone(user) })
  const [needsCode, setNeedsCode] = useState(false)
  const isMissing = attempt.error instanceof ApiError && attempt.error.code === CODE_NEEDED
  if (isMissing && !needsCode) setNeedsCode(true)
  const fields = fieldErrorsOf(attempt.error)
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    attempt.mutate({
      email: readText(form, 'email'),
      password: readText(form, 'password'),
      code: readText(form, 'code').trim() || null,
    })
  }
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <TextInput
          name="email"
          label="E-mail"
          type="email"
          autoComplete="username"
          required
          withAsterisk={false}
          autoFocus
          error={fields.email}
        />
        <PasswordInput
          name="password"
          label="Password"
          autoComplete="current-password"
          required
          withAsterisk={false}
          error={fields.password}
        />
        {needsCode && <CodeInput name="code" data-autofocus autoFocus error={fields.code} />}
        {attempt.error !== null && !isMissing && Object.keys(fields).length === 0 && (
          <p className={styles.error} role="alert">
            {sentenceOf(attempt.error)}
          </p>
        )}
        <Button type="submit" size="md" fullWidth loading={attempt.isPending}>
          Sign in
        </Button>
      </Stack>
    </form>
  )
}
