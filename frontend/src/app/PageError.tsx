/** A page that broke while it was drawn: the frame, with its emergency stop, stays. */
import type { ErrorComponentProps } from '@tanstack/react-router'
import { Failed } from '@/components/States'

export function PageError({ error, reset }: ErrorComponentProps) {
  return <Failed error={error} onRetry={reset} />
}
