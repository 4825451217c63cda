/** The code of an authenticator app, or a recovery code in its place. */
import { TextInput, type TextInputProps } from '@mantine/core'

export function CodeInput(props: TextInputProps) {
  return (
    <TextInput
      label="Code"
      description="Six digits of your authenticator app, or a recovery code"
      autoComplete="one-time-code"
      inputMode="text"
      spellCheck={false}
      maxLength={64}
      {...props}
    />
  )
}
