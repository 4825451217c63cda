/** One instant in UTC, as a field. */
import { TextInput } from '@mantine/core'

interface InstantFieldProps {
  label: string
  value: string
  onChange: (value: string) => void
  error?: string | undefined
}

export function InstantField({ label, value, onChange, error }: InstantFieldProps) {
  return (
    <TextInput
      type="datetime-local"
      label={`${label} (UTC)`}
      value={value}
      error={error}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  )
}
